package manifest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Names of the files of a bundle that the manifest does not list.
const (
	ManifestName  = "manifest.yaml"
	SignatureName = "manifest.yaml.minisig"
	SumsName      = "SHA256SUMS"
)

// MaxFileSize is the largest file that a USTAR header can tell: eleven octal
// digits (POSIX.1-1988, ustar interchange format). Bytes.
const MaxFileSize = 1<<33 - 1

// lastTime is the last second that a USTAR header can tell.
var lastTime = time.Unix(1<<33-1, 0)

// findings collects everything that is wrong with a value.
type findings struct{ all []error }

func (f *findings) add(format string, args ...any) {
	if len(f.all) < maxProblems {
		f.all = append(f.all, fmt.Errorf(format, args...))
	}
}

func (f *findings) err() error { return errors.Join(f.all...) }

// Validate says everything that is wrong with the lock, or nil.
func (l *Lock) Validate() error {
	var f findings
	l.validate(&f)
	return f.err()
}

// Validate says everything that is wrong with the manifest, or nil. Besides
// its lock and its files it checks that every artifact of the lock is a file
// with the same size and digest.
func (m *Manifest) Validate() error {
	var f findings
	if checkVersion(&f, m.Version, "manifest"); len(f.all) > 0 {
		return f.err()
	}
	m.Lock.validate(&f)
	validateFiles(&f, m.Files)
	byPath := make(map[string]File, len(m.Files))
	for _, file := range m.Files {
		byPath[file.Path] = file
	}
	for _, a := range m.Lock.Artifacts {
		file, ok := byPath[a.Path]
		switch {
		case !ok:
			f.add("artifact %s: not among the files", a.Path)
		case file.Size != a.Size || file.SHA256 != a.SHA256:
			f.add("artifact %s: the file has another size or digest", a.Path)
		}
	}
	for _, c := range m.Checked {
		if !isLabel(c.Name) || !isText(c.Result) {
			f.add("checked %q: not a name and a result of one line", c.Name)
		}
	}
	return f.err()
}

func checkVersion(f *findings, version int, what string) {
	if version > Version {
		f.add("%s of format version %d: this pgbundle reads version %d, use a newer one", what, version, Version)
	} else if version != Version {
		f.add("%s of format version %d: there is no such version", what, version)
	}
}

func (l *Lock) validate(f *findings) {
	if checkVersion(f, l.Version, "lock"); len(f.all) > 0 {
		return
	}
	if !isDigest(l.Spec) {
		f.add("spec %q: not a SHA-256 in hex", l.Spec)
	}
	if l.Time.Unix() < 0 || l.Time.After(lastTime) {
		f.add("time %s: not between 1970 and %s", l.Time.Format(time.RFC3339), lastTime.UTC().Format(time.RFC3339))
	}
	l.Target.validate(f)
	for _, r := range append(slices.Clone(l.Requests), l.Constraints...) {
		if !isKind(r.Kind) || !isRole(r.Role) || r.Want == "" || !isText(r.Want) || !isText(r.Group) {
			f.add("request %q: wants a known kind and role and one line of text", r.Want)
		}
	}
	for _, m := range l.Modules {
		if name, stream, ok := strings.Cut(m, ":"); !ok || name == "" || stream == "" || !isText(m) {
			f.add("module %q: wants NAME:STREAM", m)
		}
	}
	sources := map[string]Kind{}
	for _, s := range l.Sources {
		if _, twice := sources[s.ID]; twice {
			f.add("source %s: there twice", s.ID)
		}
		sources[s.ID] = s.Kind
		s.validate(f)
	}
	l.validateProfile(f)
	var paths pathSet
	for i, a := range l.Artifacts {
		paths.add(f, a.Path)
		if i > 0 && l.Artifacts[i-1].Path >= a.Path {
			f.add("artifact %s: not sorted by path", a.Path)
		}
		a.validate(f, sources)
	}
}

func (l *Lock) validateProfile(f *findings) {
	if l.Profile != "" && l.Profile != Full && l.Profile != Delta {
		f.add("profile %q: unknown", l.Profile)
	}
	if !l.IsDelta() && len(l.Nodes)+len(l.Assumed) > 0 {
		f.add("nodes or packages that are there already: they belong to a delta")
	}
	for _, n := range l.Nodes {
		if !isLabel(n.Name) || !isDigest(n.SHA256) {
			f.add("node %q: not a plain word with the sha256 of its facts", n.Name)
		}
	}
	countBuilds(f, "packages of the target", l.Assumed)
	for _, p := range l.Assumed {
		texts := append([]string{p.Name, p.EVR, p.Arch}, p.Files...)
		for _, list := range p.Relations() {
			texts = append(texts, *list.Texts...)
		}
		for _, text := range texts {
			if text == "" || !isText(text) {
				f.add("package %s-%s.%s of the target: %q is not one line of text", p.Name, p.EVR, p.Arch, text)
			}
		}
	}
}

func (t Target) validate(f *findings) {
	for _, word := range []struct{ name, value string }{
		{"os", t.OS}, {"release", t.Release}, {"arch", t.Arch},
		{"control_python", t.ControlPython}, {"node_python", t.NodePython},
	} {
		if !isLabel(word.value) {
			f.add("target %s %q: not a plain word", word.name, word.value)
		}
	}
	t.validatePython(f, "control_python", Control)
	t.validatePython(f, "node_python", TargetNode)
}

func (s Source) validate(f *findings) {
	if !isLabel(s.ID) {
		f.add("source %q: its id is not a plain word", s.ID)
	}
	if !isKind(s.Kind) {
		f.add("source %s: unknown kind %q", s.ID, s.Kind)
	}
	if s.Role != Provides && s.Role != Present {
		f.add("source %s: unknown role %q", s.ID, s.Role)
	}
	for _, p := range []SignaturePolicy{s.Signatures, s.MetadataSignatures} {
		if p != "" && (s.Kind != RPM || !slices.Contains(SignaturePolicies, p)) {
			f.add("source %s: signatures %q: wants required, if-present or off, of an RPM source alone", s.ID, p)
		}
	}
	for _, address := range s.URLs {
		// The address itself stays out of the message: it may hold a password.
		if u, err := url.Parse(address); err != nil || !isText(address) {
			f.add("source %s: an address that is no URL", s.ID)
		} else if u.User != nil {
			f.add("source %s: an address with credentials, which belong in .netrc", s.ID)
		}
	}
	for _, k := range s.Keys {
		if len(k.Fingerprint) < 40 || strings.Trim(k.Fingerprint, "0123456789ABCDEF") != "" || k.Armor == "" {
			f.add("source %s: key %q: not a fingerprint in upper-case hex with its armoured key", s.ID, k.Fingerprint)
		}
	}
}

func (a Artifact) validate(f *findings, sources map[string]Kind) {
	if !isKind(a.Kind) {
		f.add("artifact %s: unknown kind %q", a.Path, a.Kind)
	}
	if a.Name == "" || a.Version == "" {
		f.add("artifact %s: without name or version", a.Path)
	}
	for _, text := range append([]string{a.Name, a.Version, a.Arch, a.Made, a.From.Path}, a.WantedBy...) {
		if !isText(text) {
			f.add("artifact %s: %q is not one line of text", a.Path, text)
		}
	}
	if a.Size < 0 || a.Size > MaxFileSize {
		f.add("artifact %s: size %d: not between 0 and %d", a.Path, a.Size, int64(MaxFileSize))
	}
	if !isDigest(a.SHA256) {
		f.add("artifact %s: sha256 %q: not a SHA-256 in hex", a.Path, a.SHA256)
	}
	for i, r := range a.Roles {
		if !isRole(r) || slices.Contains(a.Roles[:i], r) {
			f.add("artifact %s: role %q: unknown or there twice", a.Path, r)
		}
	}
	if a.From.Source == "" && a.Kind == Program {
		return // the running program comes from no source
	}
	if _, ok := sources[a.From.Source]; !ok {
		f.add("artifact %s: source %q is not in the lock", a.Path, a.From.Source)
	}
	if a.From.Path == "" || a.From.Size < -1 || !isDigest(a.From.SHA256) {
		f.add("artifact %s: where it came from wants a path, a size and a sha256", a.Path)
	}
}

func validateFiles(f *findings, files []File) {
	var paths pathSet
	for _, reserved := range []string{ManifestName, SignatureName, SumsName} {
		paths.add(f, reserved)
	}
	for _, file := range files {
		paths.add(f, file.Path)
		if file.Size < 0 || file.Size > MaxFileSize {
			f.add("file %s: size %d: not between 0 and %d", file.Path, file.Size, int64(MaxFileSize))
		}
		if file.Mode != 0o644 && file.Mode != 0o755 {
			f.add("file %s: mode %#o: neither 0644 nor 0755", file.Path, file.Mode)
		}
		if !isDigest(file.SHA256) {
			f.add("file %s: sha256 %q: not a SHA-256 in hex", file.Path, file.SHA256)
		}
	}
}

func isKind(k Kind) bool {
	return slices.Contains([]Kind{RPM, Wheel, Collection, Release, Program}, k)
}

func isRole(r Role) bool { return r == Control || r == TargetNode }

// isLabel says whether s is a word that is safe in a file name, a URL and a
// terminal: ASCII letters, digits and ._+:- and at most 128 bytes.
func isLabel(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		if !isAlnum(c) && strings.IndexByte("._+:-", c) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// isText says whether s is one line without control characters.
func isText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 })
}
