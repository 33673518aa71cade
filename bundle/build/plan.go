package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pgbundle/bundle"
	"pgbundle/manifest"
)

// Plan is what a build is about to do.
type Plan struct {
	Name    string          `json:"name"` // of the bundle's file
	Target  manifest.Target `json:"target"`
	Groups  []Group         `json:"contents"`
	Sources []PlanSource    `json:"sources"`
	Bytes   int64           `json:"bytes"`           // of all artifacts, as placed
	ToFetch int64           `json:"to_fetch"`        // of those that are not in the cache
	Changes []string        `json:"changes"`         // against the lock before
	Nodes   []*Transaction  `json:"nodes,omitempty"` // what would change on each node whose facts were given
	Notes   []string        `json:"notes"`           // what a person should know: whose builds, what was passed over
}

// Group counts the artifacts of one kind.
type Group struct {
	Kind  manifest.Kind `json:"kind"`
	Count int           `json:"count"`
	Bytes int64         `json:"bytes"`
}

// PlanSource is a source of the plan and how much comes from it.
type PlanSource struct {
	ID    string        `json:"id"`
	Kind  manifest.Kind `json:"kind"`
	URL   string        `json:"url"`
	Count int           `json:"count"`
	Bytes int64         `json:"bytes"`
	Keys  []string      `json:"keys,omitempty"` // fingerprints that its packages are checked with

	// What is asked of the signatures of an RPM source and of its metadata.
	Signatures         manifest.SignaturePolicy `json:"signatures,omitempty"`
	MetadataSignatures manifest.SignaturePolicy `json:"metadata_signatures,omitempty"`
}

// Groups counts the artifacts of a lock by kind, in the order of the kinds.
func Groups(lock *manifest.Lock) []Group {
	kinds := []manifest.Kind{manifest.RPM, manifest.Wheel, manifest.Collection, manifest.Release, manifest.Program}
	groups := make([]Group, 0, len(kinds))
	for _, kind := range kinds {
		g := Group{Kind: kind}
		for _, a := range lock.Artifacts {
			if a.Kind == kind {
				g.Count++
				g.Bytes += a.Size
			}
		}
		if g.Count > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// PlanOf says what building a lock means here; cached reports whether the
// bytes of a digest are at hand. Artifacts that nothing comes from are left
// out of the sources.
func PlanOf(lock *manifest.Lock, cached func(sha256 string) bool) Plan {
	p := Plan{Target: lock.Target, Groups: Groups(lock)}
	// A lock that names no bundle is refused when it is built.
	p.Name, _ = FileName(lock)
	fetched := map[string]bool{}
	for _, a := range lock.Artifacts {
		p.Bytes += a.Size
		if !fetched[a.From.SHA256] && !cached(a.From.SHA256) {
			p.ToFetch += max(a.From.Size, 0)
		}
		fetched[a.From.SHA256] = true
	}
	if n := countAssumed(lock); n > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("delta: %d packages are counted on to be on the target or in its own repositories", n))
	}
	if len(lock.Nodes) > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("delta: made for %s, and nothing is known of others", nodeNames(lock)))
	}
	for _, s := range lock.Sources {
		line := PlanSource{ID: s.ID, Kind: s.Kind, Signatures: s.Signatures, MetadataSignatures: s.MetadataSignatures}
		for _, k := range s.Keys {
			line.Keys = append(line.Keys, k.Fingerprint)
		}
		switch s.Signatures {
		case manifest.SignatureOff:
			p.Notes = append(p.Notes, fmt.Sprintf("repository %s: its packages are taken whoever signed them, or nobody (signatures: off)", s.ID))
		case manifest.SignatureIfPresent:
			p.Notes = append(p.Notes, fmt.Sprintf("repository %s: packages of it that nobody signed are taken (signatures: if-present)", s.ID))
		}
		if s.Alone {
			p.Notes = append(p.Notes, fmt.Sprintf("%s: its digest comes from one host alone and was not cross-checked", s.ID))
		}
		if len(s.URLs) > 0 {
			line.URL = s.URLs[0]
		}
		for _, a := range lock.Artifacts {
			if a.From.Source == s.ID {
				line.Count++
				line.Bytes += a.Size
			}
		}
		p.Sources = append(p.Sources, line)
	}
	return p
}

// FileName is the name of the bundle that a lock makes.
func FileName(lock *manifest.Lock) (string, error) {
	var postgres, etcd string
	for _, r := range lock.Requests {
		if version, ok := strings.CutPrefix(r.Want, "etcd=="); ok && r.Kind == manifest.Release {
			etcd = version
		}
		name, isServer := strings.CutSuffix(r.Want, "-server")
		if major, ok := strings.CutPrefix(name, "postgresql"); ok && isServer && r.Kind == manifest.RPM {
			postgres = major
		}
	}
	return bundle.FileName(postgres, etcd, lock.Target, string(cmp.Or(lock.Profile, manifest.Full)))
}

// Changes says what a new lock changes against an old one, a line each: "+"
// came, "-" went, "~" has another version or other bytes. No old lock, no
// changes.
func Changes(old, new *manifest.Lock) []string {
	if old == nil {
		return nil
	}
	type key struct {
		kind manifest.Kind
		name string
		arch string
		dir  string
	}
	index := func(l *manifest.Lock) map[key]manifest.Artifact {
		m := make(map[key]manifest.Artifact, len(l.Artifacts))
		for _, a := range l.Artifacts {
			k := key{kind: a.Kind, name: a.Name, dir: folder(a.Path)}
			if a.Kind == manifest.RPM {
				k.arch = a.Arch
			}
			m[k] = a
		}
		return m
	}
	before, after := index(old), index(new)
	var lines []string
	for k, a := range after {
		b, was := before[k]
		switch {
		case !was:
			lines = append(lines, fmt.Sprintf("+ %s %s %s", a.Kind, a.Name, a.Version))
		case a.Version != b.Version:
			lines = append(lines, fmt.Sprintf("~ %s %s %s, was %s", a.Kind, a.Name, a.Version, b.Version))
		case a.SHA256 != b.SHA256:
			lines = append(lines, fmt.Sprintf("~ %s %s %s, other bytes", a.Kind, a.Name, a.Version))
		}
	}
	for k, b := range before {
		if _, is := after[k]; !is {
			lines = append(lines, fmt.Sprintf("- %s %s %s", b.Kind, b.Name, b.Version))
		}
	}
	lines = append(lines, trustChanges(old, new)...)
	for _, role := range []manifest.Role{manifest.TargetNode, manifest.Control} {
		if now, was := PythonsOf(new.Target, role), PythonsOf(old.Target, role); now != was {
			lines = append(lines, fmt.Sprintf("~ python of the %s node %s, was %s", role, now, was))
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	return slices.Compact(lines)
}

// PythonsOf names the interpreters that the wheels of a role are for: "3.9", or
// "3.9.16 and 3.9.18" where the patch levels are known.
func PythonsOf(target manifest.Target, role manifest.Role) string {
	return inWords(target.PythonVersions(role))
}

// trustChanges says which sources are checked with other keys than before, or
// no longer.
func trustChanges(old, new *manifest.Lock) []string {
	trust := func(s manifest.Source) string {
		if s.Signatures == manifest.SignatureOff {
			return "no signature"
		}
		var keys []string
		if s.Signatures == manifest.SignatureIfPresent {
			keys = append(keys, "no signature or one")
		}
		for _, k := range s.Keys {
			keys = append(keys, k.Fingerprint)
		}
		return strings.Join(keys, ", ")
	}
	before := map[string]string{}
	for _, s := range old.Sources {
		before[s.ID] = trust(s)
	}
	var lines []string
	for _, s := range new.Sources {
		if was, known := before[s.ID]; s.Kind == manifest.RPM && known && was != trust(s) {
			lines = append(lines, fmt.Sprintf("~ repository %s is checked with %s, was %s", s.ID, trust(s), was))
		}
	}
	return lines
}
