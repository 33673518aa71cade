package repomd

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Comps is what repositories say of package groups (comps.xml, as yum has it).
type Comps struct {
	Groups       []Group
	Environments []Environment
}

// Group is a package group of comps.
type Group struct {
	ID, Name string
	Packages []GroupPackage
}

// GroupPackage is a package of a group.
type GroupPackage struct {
	Name string
	Type string // "mandatory", "default", "optional" or "conditional"
	// Requires is the capability that the package goes with: without it the
	// package is not wanted, whatever its type.
	Requires string
	// BaseArchOnly leaves out builds for other architectures than the target's.
	BaseArchOnly bool
}

// Environment is a group of groups.
type Environment struct {
	ID, Name string
	Groups   []string // ids of the groups that come along; optional ones are left out
}

const (
	maxComps  = 64 << 20 // bytes when unpacked
	maxGroups = 10_000
)

// Comps reads the package groups of a repository; none when it has no comps.
// The same comps are listed packed and plain; the first that is there counts.
func (r *Repository) Comps(ctx context.Context) (*Comps, error) {
	comps := &Comps{}
	var err error
	for _, kind := range []string{"group_gz", "group_xz", "group_zst", "group"} {
		d, ok := r.Index.Find(kind)
		if !ok {
			continue
		}
		if comps, err = r.readComps(ctx, d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read comps of %s: %w", r.Name, err)
	}
	return comps, nil
}

func (r *Repository) readComps(ctx context.Context, d *Data) (*Comps, error) {
	f, err := openData(ctx, r.tree, d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	comps, err := ParseComps(f)
	return comps, f.verify(err)
}

// ParseComps reads comps: groups and environments. Translations and categories
// are left out, and so is the arch attribute, which dnf 4 passes over.
func ParseComps(r io.Reader) (*Comps, error) {
	x := newXMLReader(io.LimitReader(r, maxComps))
	if err := x.root("comps"); err != nil {
		return nil, err
	}
	c := &Comps{}
	for {
		tok, err := x.token()
		if err != nil {
			return nil, err
		}
		if tok == nil {
			return c, nil
		}
		e, ok := tok.(xml.StartElement)
		if !ok || x.depth != 2 {
			continue
		}
		switch e.Name.Local {
		case "group":
			g, err := x.group()
			if err != nil {
				return nil, err
			}
			c.addGroup(g)
		case "environment":
			v, err := x.environment()
			if err != nil {
				return nil, err
			}
			c.addEnvironment(v)
		}
		if len(c.Groups)+len(c.Environments) > maxGroups {
			return nil, damaged(errors.New("it has too many groups"))
		}
	}
}

// environment reads one environment, up to its end.
func (x *xmlReader) environment() (Environment, error) {
	var v Environment
	optional := false
	for depth := x.depth; x.depth >= depth; {
		tok, err := x.token()
		if err != nil {
			return v, err
		}
		if tok == nil {
			return v, damaged(errors.New("it is cut off"))
		}
		e, ok := tok.(xml.StartElement)
		if !ok || translated(e) {
			continue
		}
		switch e.Name.Local {
		case "grouplist", "optionlist":
			optional = e.Name.Local == "optionlist"
		case "id", "name", "groupid":
			text, err := x.content()
			if err != nil {
				return v, err
			}
			switch {
			case e.Name.Local == "id":
				v.ID = string(text)
			case e.Name.Local == "name":
				v.Name = string(text)
			case !optional:
				v.Groups = append(v.Groups, string(text))
			}
		}
	}
	return v, nil
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
		p := GroupPackage{Name: text, Type: string(attr(e, "type")), Requires: string(attr(e, "requires")), BaseArchOnly: string(attr(e, "basearchonly")) == "true"}
		if p.Type == "" {
			p.Type = "mandatory"
		}
		g.Packages = append(g.Packages, p)
	}
}
