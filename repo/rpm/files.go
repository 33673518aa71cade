package rpm

import (
	"slices"
	"strings"
)

// fileTable keeps the paths that packages own, as raw bytes: only the few that
// a dependency names are ever looked up.
type fileTable struct {
	text   [][]byte // blocks
	paths  []ownedPath
	loaded bool // file lists beyond primary were added
}

type ownedPath struct {
	owner      ID
	block, off uint32
	n          uint32
}

// fileBlock is the size of a block of paths.
const fileBlock = 64 << 10

// AddFile notes that a package owns a path: a file, a directory or a ghost.
func (p *Pool) AddFile(id ID, path []byte) {
	f := &p.files
	last := len(f.text) - 1
	if last < 0 || cap(f.text[last])-len(f.text[last]) < len(path) {
		f.text = append(f.text, make([]byte, 0, max(fileBlock, len(path))))
		last++
	}
	off := len(f.text[last])
	f.text[last] = append(f.text[last], path...)
	f.paths = append(f.paths, ownedPath{id, uint32(last), uint32(off), uint32(len(path))})
}

func (f *fileTable) path(o ownedPath) []byte { return f.text[o.block][o.off : o.off+o.n] }

// ownersOfPaths finds who owns the paths that were interned: those are the ones
// that dependencies name.
func (p *Pool) ownersOfPaths() map[Str][]ID {
	byOwner := func(a, b ownedPath) int { return int(a.owner) - int(b.owner) }
	if !slices.IsSortedFunc(p.files.paths, byOwner) {
		slices.SortStableFunc(p.files.paths, byOwner)
	}
	owners := make(map[Str][]ID)
	for _, o := range p.files.paths {
		if s := p.lookup(p.files.path(o)); s != 0 && p.ArchScore(p.Package(o.owner).Arch) != 0 {
			owners[s] = append(owners[s], o.owner)
		}
	}
	for s, ids := range owners {
		owners[s] = slices.Compact(ids)
	}
	return owners
}

// providersOfPath answers a "/path": packages that declare it and packages that
// own it.
func (p *Pool) providersOfPath(name Str, path string, declared []ID) []ID {
	x := &p.index
	owners, known := x.paths[name]
	if !known && int(name)+1 >= len(x.start) { // interned after Prepare
		owners = p.owners(path)
	}
	if !p.files.loaded && !InPrimary(path) {
		x.asked.Store(name, nil)
	}
	return union(declared, owners)
}

// owners scans all paths.
func (p *Pool) owners(path string) []ID {
	var ids []ID
	for _, o := range p.files.paths {
		if string(p.files.path(o)) == path && p.ArchScore(p.Package(o.owner).Arch) != 0 {
			ids = append(ids, o.owner)
		}
	}
	return slices.Compact(ids)
}

// NeedFiles returns the paths that Providers was asked for since Prepare and
// that primary metadata cannot answer, ascending. When there are any, load the
// file lists, Prepare and ask again: dnf on EL 9 always loads them, so a package
// that owns such a path counts.
func (p *Pool) NeedFiles() []Str {
	var need []Str
	if p.index.asked != nil {
		p.index.asked.Range(func(s, _ any) bool {
			need = append(need, s.(Str))
			return true
		})
	}
	slices.Sort(need)
	return need
}

// NamedPaths returns every path that was interned, so that a dependency may
// name, and that primary metadata cannot answer.
func (p *Pool) NamedPaths() []Str {
	var named []Str
	for s := Str(1); int(s) < len(p.spans); s++ {
		if text := p.String(s); text[0] == '/' && !InPrimary(text) {
			named = append(named, s)
		}
	}
	return named
}

// FilesLoaded notes that the file lists of all repositories were added.
func (p *Pool) FilesLoaded() { p.files.loaded = true }

// InPrimary reports whether primary metadata lists a path: what createrepo_c
// copies there from the file lists (src/misc.h, cr_is_primary).
func InPrimary(path string) bool {
	return strings.HasPrefix(path, "/etc/") || strings.Contains(path, "bin/") || path == "/usr/lib/sendmail"
}

// FilesOf returns the paths that the loaded metadata gives a package, in file
// order. It is to be called after Prepare.
func (p *Pool) FilesOf(id ID) []string {
	paths := p.files.paths
	from, _ := slices.BinarySearchFunc(paths, id, func(o ownedPath, id ID) int { return int(o.owner) - int(id) })
	var out []string
	for _, o := range paths[from:] {
		if o.owner != id {
			break
		}
		out = append(out, string(p.files.path(o)))
	}
	return out
}
