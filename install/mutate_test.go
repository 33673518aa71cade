package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// tries reads how often a test does its work: by default few times, for a
// quick run.
func tries(t *testing.T, name string, few int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: takes a number", name, text)
	}
	return n
}

// seedOf is the seed of a test: another one each time, or that of PGBUNDLE_SEED.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("PGBUNDLE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("PGBUNDLE_SEED=%q: takes a number", text)
		}
	}
	t.Logf("PGBUNDLE_SEED=%d", seed)
	return seed
}

// leave writes what a long run found to a file of the folder PGBUNDLE_EVIDENCE,
// for somebody who was not there.
func leave(t *testing.T, name string, facts map[string]any) {
	t.Helper()
	dir := os.Getenv("PGBUNDLE_EVIDENCE")
	if dir == "" {
		return
	}
	facts["passed"] = !t.Failed()
	data, err := json.MarshalIndent(facts, "", "  ")
	must(t, errors.Join(err, os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644)))
}

// forgery is where bundles are changed and installed: nodes, a canary beside
// them and the bundle that the trusted key signed.
type forgery struct {
	dir    string
	sites  []*site // a fresh one, and one with a release
	bundle *bundled
	key    sign.PublicKey
}

func newForgery(t *testing.T) *forgery {
	t.Helper()
	key, err := sign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 256)))
	must(t, err)
	f := &forgery{dir: t.TempDir(), key: key.Public()}
	canary := filepath.Join(f.dir, "canary")
	must(t, errors.Join(os.Mkdir(canary, 0o755), os.WriteFile(filepath.Join(canary, "secret"), []byte("secret"), 0o600)))
	files := content("two")
	signed := pack(t, files, &key)
	f.bundle = takeApart(t, files, signed, canary)
	data, _ := f.bundle.archive()
	if want, err := os.ReadFile(signed.path); err != nil || !bytes.Equal(data, want) {
		t.Fatalf("what the forger writes is not what bundle.Write does (%v): nothing could be concluded", err)
	}
	f.sites = []*site{f.site(t, "fresh"), f.site(t, "used")}
	f.sites[1].install(t, Options{Bundle: pack(t, content("one"), &key).path, Roles: target})
	// A first refusal makes the folders above the releases and the log's.
	must(t, os.MkdirAll(f.sites[0].path(DefaultBase+".d"), 0o755))
	return f
}

func (f *forgery) site(t *testing.T, name string) *site {
	t.Helper()
	s := newSite(t)
	moved := filepath.Join(f.dir, name)
	must(t, os.Rename(s.root, moved))
	s.root = moved
	return s
}

// everything lists all below the forgery's folder with type, mode, owner, inode,
// link text and digest. Only the logs are left out.
func (f *forgery) everything(t *testing.T) []string {
	t.Helper()
	var list []string
	must(t, filepath.WalkDir(f.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, LogFolder) {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %s", strings.TrimPrefix(path, f.dir), info.Mode())
		if st, ok := info.Sys().(*syscall.Stat_t); ok && !e.IsDir() {
			line += fmt.Sprintf(" %d:%d %d*%d", st.Uid, st.Gid, st.Ino, st.Nlink)
		}
		switch info.Mode().Type() {
		case 0:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + manifest.Digest(data)
		case fs.ModeSymlink:
			text, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + text
		}
		// The folder of the logs is made by the first run that writes one.
		if !strings.HasSuffix(path, "/var") && !strings.HasSuffix(path, "/var/log") {
			list = append(list, line)
		}
		return nil
	}))
	return list
}

// mutant writes the bundle of one seed, and returns its path.
func (f *forgery) mutant(t *testing.T, k mutation, folder bool, seed uint64) string {
	t.Helper()
	d := rand.New(rand.NewPCG(seed, 0))
	b := f.bundle.clone()
	if k.change != nil {
		k.change(t, d, b)
	}
	source := filepath.Join(f.dir, "source")
	must(t, errors.Join(os.RemoveAll(source), os.Mkdir(source, 0o755)))
	if folder {
		top := filepath.Join(source, "airgap-bundle")
		b.folder(t, top)
		return top
	}
	data, edges := b.archive()
	if k.cut != nil {
		data = k.cut(d, data, edges)
	}
	path := filepath.Join(source, "bundle.tar.gz")
	must(t, os.WriteFile(path, data, 0o600))
	return path
}

// forms are how a kind can be met: packed, and unpacked where that can be.
func (k mutation) forms() []string {
	if k.folder {
		return []string{"archive", "folder"}
	}
	return []string{"archive"}
}

// With a trusted key no mutated bundle is installed; without one only what
// agrees with itself, and that is called not authenticated. Nothing is written
// beside the release, and after a refusal nothing of it stays.
// PGBUNDLE_MUTANTS is how many there are of each kind in each form.
func TestMutatedBundles(t *testing.T) {
	each, seed := tries(t, "PGBUNDLE_MUTANTS", 2), seedOf(t)
	f := newForgery(t)
	clean := f.everything(t)
	all, taken := 0, 0
	kinds := map[string]string{}
	for n, k := range mutations {
		for form, word := range k.forms() {
			t.Run(k.name+"/"+word, func(t *testing.T) {
				passed := 0
				for i := range each {
					mine := seed + uint64(n)<<32 + uint64(form)<<31 + uint64(i)
					path := f.mutant(t, k, word == "folder", mine)
					roles := [][]manifest.Role{target, controller, {manifest.Control, manifest.TargetNode}}[i%3]
					if f.try(t, k, path, roles, f.sites[i/3%2], mine) {
						passed++
					}
					if t.Failed() {
						return
					}
				}
				if k.whole && passed == 0 && each > 3 {
					t.Errorf("none of %d was installed without a key: this kind cannot fail", each)
				}
				t.Logf("%d mutants, %d installed without a key and called not authenticated", each, passed)
				kinds[k.name+", "+word] = fmt.Sprintf("%d, %d of them installed without a key", each, passed)
				all, taken = all+each, taken+passed
			})
		}
	}
	must(t, os.RemoveAll(filepath.Join(f.dir, "source")))
	if now := f.everything(t); !slices.Equal(clean, now) {
		t.Errorf("in the end the nodes are not what they were:\n%s", differ(clean, now))
	}
	t.Logf("%d mutants of %d kinds, each tried with and without the trusted key; %d installed without", all, len(mutations), taken)
	leave(t, "mutants.json", map[string]any{"seed": strconv.FormatUint(seed, 10), "mutants": all, "installedWithoutKey": taken, "kinds": kinds})
}

// try installs a mutant with the trusted key and without, and says whether it
// was installed without.
func (f *forgery) try(t *testing.T, k mutation, path string, roles []manifest.Role, s *site, seed uint64) bool {
	t.Helper()
	before := f.everything(t)
	o := Options{Bundle: path, Roles: roles, Keys: []sign.PublicKey{f.key}}
	_, err := s.open(t).Install(t.Context(), o)
	if !errors.Is(err, manifest.ErrSignature) && !errors.Is(err, manifest.ErrDamaged) {
		t.Errorf("seed %d, with the key: %v", seed, err)
	}
	if k.whole && !errors.Is(err, manifest.ErrSignature) && !strings.Contains(fmt.Sprint(err), "signature") {
		t.Errorf("seed %d, with the key: %v, want the signature's class", seed, err)
	}
	f.unchanged(t, before, seed)
	if t.Failed() {
		return false
	}
	o.Keys = nil
	if !k.whole {
		if _, err = s.open(t).Install(t.Context(), o); !damaged(err) {
			t.Errorf("seed %d, without a key: %v", seed, err)
		}
		f.unchanged(t, before, seed)
		return false
	}
	// It may pass, so it gets a node of its own.
	s = f.site(t, "passing")
	defer os.RemoveAll(s.root)
	res, err := s.open(t).Install(t.Context(), o)
	if err != nil {
		if !errors.Is(err, manifest.ErrDamaged) {
			t.Errorf("seed %d, without a key: %v", seed, err)
		}
		return false
	}
	if st := s.status(t); res.Authenticated || !st.Whole || st.Active != res.Release || st.Releases[0].Authenticated {
		t.Errorf("seed %d: %+v, %+v", seed, res, st)
	}
	must(t, os.RemoveAll(s.root))
	f.unchanged(t, before, seed)
	return true
}

// damaged says whether a bundle was refused for what it is. Preflight comes
// before the bytes: to it a manifest may list too little for a role.
func damaged(err error) bool {
	return errors.Is(err, manifest.ErrDamaged) || errors.Is(err, manifest.ErrUnsolvable) && strings.Contains(err.Error(), "contents: the bundle has nothing for role")
}

func (f *forgery) unchanged(t *testing.T, before []string, seed uint64) {
	t.Helper()
	if now := f.everything(t); !slices.Equal(before, now) {
		t.Errorf("seed %d changed:\n%s", seed, differ(before, now))
	}
}

// differ are the lines that only one of two lists has.
func differ(a, b []string) string {
	var out strings.Builder
	for _, l := range a {
		if !slices.Contains(b, l) {
			fmt.Fprintf(&out, "- %s\n", l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			fmt.Fprintf(&out, "+ %s\n", l)
		}
	}
	return out.String()
}

// One mutant of each kind, packed or unpacked, by the program as a user calls it.
func TestMutatedBundlesByCommandLine(t *testing.T) {
	seed, f := seedOf(t), newForgery(t)
	program := os.Getenv("PGBUNDLE_PROGRAM")
	if program == "" {
		program = filepath.Join(t.TempDir(), "pgbundle")
		if out, err := exec.Command("go", "build", "-o", program, "pgbundle/cmd/pgbundle").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run := func(s *site, path string, more ...string) (string, int) {
		cmd := exec.Command(program, append([]string{"install", "-q", "--role", "both", "--root", s.root, "--bundle", path}, more...)...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	for n, k := range mutations {
		for form, word := range k.forms() {
			if k.folder && form != n%2 && !k.whole {
				continue
			}
			mine := seed + uint64(n)<<32 + uint64(form)<<31
			path := f.mutant(t, k, word == "folder", mine)
			before := f.everything(t)
			out, status := run(f.sites[n%2], path, "--pubkey", f.key.String())
			if status != 3 && status != 4 || k.name == "manifest edited and rehashed" && status != 4 {
				t.Errorf("%s, %s, seed %d, with the key: exit status %d\n%s", k.name, word, mine, status, out)
			}
			if !k.whole {
				if out, status := run(f.sites[n%2], path); status != 3 && !strings.Contains(out, "contents: the bundle has nothing for role") {
					t.Errorf("%s, %s, seed %d: exit status %d\n%s", k.name, word, mine, status, out)
				}
			}
			f.unchanged(t, before, mine)
			if !k.whole {
				continue
			}
			s := f.site(t, "passing")
			if out, status := run(s, path); status == 0 && strings.Count(out, "not authenticated") != 2 || status != 0 && status != 3 {
				t.Errorf("%s, %s, seed %d: exit status %d\n%s", k.name, word, mine, status, out)
			}
			must(t, os.RemoveAll(s.root))
		}
	}
}
