package repomd

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Group is a package group of comps.
type Group struct {
	ID, Name string
	Packages []GroupPackage
}

// GroupPackage is a package of a group.
type GroupPackage struct {
	Name string
	Type string // "mandatory", "default", "optional" or "conditional"
	// Requires is the package that a conditional one goes with.
	Requires string
}

const (
	maxComps  = 64 << 20 // bytes when unpacked
	maxGroups = 10_000
)

// Groups reads the package groups of a repository; none when it has no comps.
// The same comps are listed packed and plain; the first that is there counts.
func (r *Repository) Groups(ctx context.Context) ([]Group, error) {
	var groups []Group
	var err error
	for _, kind := range []string{"group_gz", "group_xz", "group_zst", "group"} {
		d, ok := r.Index.Find(kind)
		if !ok {
			continue
		}
		if groups, err = r.readGroups(ctx, d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read comps of %s: %w", r.Name, err)
	}
	return groups, nil
}

func (r *Repository) readGroups(ctx context.Context, d *Data) ([]Group, error) {
	f, err := openData(ctx, r.tree, d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	groups, err := ParseGroups(f)
	return groups, f.verify(err)
}

// ParseGroups reads comps (the groups alone; environments and categories name
// groups). Translations are left out.
func ParseGroups(r io.Reader) ([]Group, error) {
	x := newXMLReader(io.LimitReader(r, maxComps))
	if err := x.root("comps"); err != nil {
		return nil, err
	}
	var groups []Group
	for {
		tok, err := x.token()
		if tok == nil || err != nil {
			return groups, err
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "group" && x.depth == 2 {
			g, err := x.group()
			if err != nil {
				return nil, err
			}
			if groups = append(groups, g); len(groups) > maxGroups {
				return nil, damaged(errors.New("it has too many groups"))
			}
		}
	}
}

// group reads one group, up to its end.
func (x *xmlReader) group() (Group, error) {
	var g Group
	for depth := x.depth; x.depth >= depth; {
		tok, err := x.token()
		if err != nil {
			return g, err
		}
		if tok == nil {
			return g, damaged(errors.New("it is cut off"))
		}
		e, ok := tok.(xml.StartElement)
		if !ok || translated(e) {
			continue
		}
		switch e.Name.Local {
		case "id", "name", "packagereq":
			text, err := x.content()
			if err != nil {
				return g, err
			}
			g.set(e, string(text))
		}
	}
	return g, nil
}

// translated reports whether an element has xml:lang.
func translated(e xml.StartElement) bool {
	for _, a := range e.Attr {
		if a.Name.Local == "lang" {
			return true
		}
	}
	return false
}

func (g *Group) set(e xml.StartElement, text string) {
	switch e.Name.Local {
	case "id":
		g.ID = text
	case "name":
		g.Name = text
	case "packagereq":
		p := GroupPackage{Name: text, Type: string(attr(e, "type")), Requires: string(attr(e, "requires"))}
		if p.Type == "" {
			p.Type = "mandatory"
		}
		g.Packages = append(g.Packages, p)
	}
}
