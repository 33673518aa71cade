package repomd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"pgbundle/manifest"
	"pgbundle/repo"
	"pgbundle/repo/rpm"
)

// SignaturePath is the detached OpenPGP signature of repomd.xml.
const SignaturePath = IndexPath + ".asc"

// Input is a repository to load.
type Input struct {
	Repo rpm.Repo
	Tree repo.Tree // its root: the folder that holds repodata

	// Verify checks repomd.xml against the bytes of repomd.xml.asc. When it is
	// nil the signature is not read; when not, a missing one is an error unless
	// MayBeUnsigned is set.
	Verify        func(repomd, signature []byte) error
	MayBeUnsigned bool
	// Expected holds what a metalink says of repomd.xml: when there are any, one
	// must match.
	Expected []Checksum

	Exclude, Include []string // dnf's excludepkgs and includepkgs, see rpm.Pool.Filter
}

// Options choose what of the metadata counts.
type Options struct {
	Modules ModuleOptions
}

// Repository is a repository that was loaded.
type Repository struct {
	ID       rpm.RepoID
	Name     string // the id in dnf's sense
	Index    *Index
	Packages int // how many were added, from First on
	// Streams are the module streams of its modules.yaml that are on, "name:stream",
	// sorted.
	Streams []string

	First rpm.ID
	tree  repo.Tree
}

// Time is when the repository was made, see Index.Time.
func (r *Repository) Time() time.Time { return r.Index.Time() }

// Load reads repositories into a pool, both cores at work, and returns them in
// the order of the inputs. Packages get their ids by priority, cost and place in
// inputs, then by their place in primary.xml, as in dnf. After an error the pool
// is of no use. The pool is left to be prepared.
func Load(ctx context.Context, pool *rpm.Pool, inputs []Input, opts Options) ([]*Repository, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	loaders, err := readIndexes(ctx, inputs)
	if err != nil {
		return nil, err
	}
	order := slices.Clone(loaders)
	slices.SortStableFunc(order, func(a, b *loader) int {
		if c := a.in.Repo.Priority - b.in.Repo.Priority; c != 0 {
			return c
		}
		return a.in.Repo.Cost - b.in.Repo.Cost
	})
	for _, l := range order {
		l.start(ctx)
	}
	for _, l := range order {
		if err == nil {
			err = l.load(ctx, pool)
		}
		if err != nil {
			cancel() // the others need not go on
		}
		l.stop()
	}
	if err != nil {
		return nil, err
	}
	if err := applyModules(pool, loaders, opts.Modules); err != nil {
		return nil, err
	}
	repos := make([]*Repository, len(loaders))
	for i, l := range loaders {
		repos[i] = &l.out
		pool.Filter(l.out.ID, l.in.Include, l.in.Exclude)
	}
	return repos, nil
}

// loader reads one repository.
type loader struct {
	in   Input
	out  Repository
	data *Data // primary

	opened chan struct{} // closed when file and blocks, or err, are set
	file   *metadataFile
	blocks *blocks
	err    error

	modulesRead chan struct{} // closed when modules, or modulesErr, are set
	modules     *Modules
	modulesErr  error
}

// readIndexes reads all repomd.xml at once and returns every failure.
func readIndexes(ctx context.Context, inputs []Input) ([]*loader, error) {
	loaders := make([]*loader, len(inputs))
	errs := make([]error, len(inputs))
	var wg sync.WaitGroup
	for i := range inputs {
		wg.Go(func() {
			l := &loader{in: inputs[i], opened: make(chan struct{}), modulesRead: make(chan struct{})}
			l.out = Repository{Name: l.in.Repo.ID, tree: l.in.Tree}
			loaders[i], errs[i] = l, l.readIndex(ctx)
		})
	}
	wg.Wait()
	return loaders, errors.Join(errs...)
}

func (l *loader) readIndex(ctx context.Context) error {
	data, err := l.readFile(ctx, IndexPath)
	if err == nil {
		err = matchAny(data, l.in.Expected)
	}
	if err == nil && l.in.Verify != nil {
		err = l.verifySignature(ctx, data)
	}
	if err == nil {
		l.out.Index, err = ParseIndex(data)
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w (an address is that of the folder with repodata/ in it)", err)
		}
		return fmt.Errorf("read repomd.xml of %s: %w", l.out.Name, err)
	}
	var ok bool
	if l.data, ok = l.out.Index.Find("primary"); !ok {
		return fmt.Errorf("read repomd.xml of %s: %w", l.out.Name, damaged(errors.New("it lists no primary metadata")))
	}
	return nil
}

func (l *loader) readFile(ctx context.Context, path string) ([]byte, error) {
	r, err := l.in.Tree.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readAll(r, maxIndex)
}

func (l *loader) verifySignature(ctx context.Context, data []byte) error {
	sig, err := l.readFile(ctx, SignaturePath)
	switch {
	case errors.Is(err, fs.ErrNotExist) && l.in.MayBeUnsigned:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("repomd.xml.asc is missing, and a signature is asked for: %w: let it pass with --metadata-signatures ID=if-present", manifest.ErrSignature)
	}
	if err != nil {
		return err
	}
	return l.in.Verify(data, sig)
}

// matchAny checks repomd.xml against what a metalink says of it.
func matchAny(data []byte, expected []Checksum) error {
	if len(expected) == 0 {
		return nil
	}
	var first error
	for _, c := range expected {
		err := c.Match(data)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return damaged(fmt.Errorf("it is not what the metalink says: %w", first))
}

// start opens primary and begins to unpack it; modules are read beside it.
func (l *loader) start(ctx context.Context) {
	go func() {
		defer close(l.opened)
		l.file, l.err = openData(ctx, l.in.Tree, l.data)
		if l.err == nil {
			l.blocks = readBlocks(ctx, l.file, "</package>")
		}
	}()
	go func() {
		defer close(l.modulesRead)
		l.modules, l.modulesErr = l.readModules(ctx)
	}()
}

// stop ends what start began.
func (l *loader) stop() {
	<-l.opened
	if l.blocks != nil {
		l.blocks.close()
		l.file.Close()
	}
	<-l.modulesRead
}

// load adds the packages of the repository.
func (l *loader) load(ctx context.Context, pool *rpm.Pool) error {
	l.out.ID = pool.AddRepo(l.in.Repo)
	l.out.First = rpm.ID(pool.Len())
	<-l.opened
	err := l.err
	if err == nil {
		err = l.parse(ctx, newBuilder(pool, l.out.ID))
	}
	l.out.Packages = pool.Len() - int(l.out.First)
	if err != nil {
		return fmt.Errorf("read primary of %s: %w", l.out.Name, err)
	}
	return nil
}

// parse reads primary with the tokenizer, and where that meets something
// unusual goes on with encoding/xml.
func (l *loader) parse(ctx context.Context, b *builder) error {
	err := tokenize(l.blocks, newTokenizer(b))
	l.blocks.close()
	if err = l.file.verify(err); !errors.Is(err, errUnusual) {
		return err
	}
	again, err := openData(ctx, l.in.Tree, l.data)
	if err != nil {
		return err
	}
	defer again.Close()
	return again.verify(parsePrimaryXML(again, b, b.added))
}

// tokenize hands all blocks of primary to a tokenizer.
func tokenize(in *blocks, t *tokenizer) error {
	if err := readAllBlocks(in, t.block); err != nil {
		return err
	}
	if !t.done {
		return errUnusual
	}
	return nil
}

// readAllBlocks hands the blocks of an XML file to read.
func readAllBlocks(in *blocks, read func(text []byte) error) error {
	for first := true; ; first = false {
		bl := in.next()
		if bl.err != nil && !bl.last() {
			return bl.err
		}
		if first {
			if err := looksLikeXML(bl.text); err != nil {
				return err
			}
		}
		if err := read(bl.text); err != nil || bl.last() {
			return err
		}
		in.giveBack(bl)
	}
}
