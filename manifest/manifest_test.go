package manifest

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// sampleLock has every field set.
func sampleLock() Lock {
	sum := func(c string) string { return strings.Repeat(c, 64) }
	return Lock{
		Version: 1,
		Spec:    sum("5"),
		Time:    time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC),
		Target: Target{OS: "rhel", Release: "9.4", Arch: "x86_64", ControlPython: "3.11", NodePython: "3.9",
			ControlPythonFullVersions: []string{"3.11.7"}, NodePythonFullVersions: []string{"3.9.9", "3.9.18"}},
		Requests: []Request{
			{Kind: RPM, Role: TargetNode, Want: "postgresql16-server"}, {Kind: RPM, Role: TargetNode, Want: "bash", Group: "@core"},
			{Kind: Wheel, Role: TargetNode, Want: "patroni[etcd3]>=3.0.3,<4"},
		},
		Constraints: []Request{{Kind: Wheel, Role: Control, Want: "jinja2<3.2"}},
		Sources: []Source{
			{ID: "pgdg16", Kind: RPM, Role: Provides, Signatures: SignatureRequired, MetadataSignatures: SignatureIfPresent, URLs: []string{"https://example.org/16/"}, Keys: []Key{{
				Fingerprint: strings.Repeat("AB12", 10), Armor: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n-----END PGP PUBLIC KEY BLOCK-----\n",
			}}},
			{ID: "local", Kind: RPM, Role: Present, URLs: []string{"file:///srv/x"}, Signatures: SignatureOff, MetadataSignatures: SignatureOff},
			{ID: "pypi", Kind: Wheel, Role: Provides, URLs: []string{"https://example.org/simple/"}},
		},
		Artifacts: []Artifact{
			{Path: "pgbundle", Kind: Program, Name: "pgbundle", Version: "1.0", Arch: "x86_64", Size: 7, SHA256: sum("7"), Roles: []Role{Control, TargetNode}},
			{Path: "rpms/x-1-1.x86_64.rpm", Kind: RPM, Name: "x", Version: "1-1", Arch: "x86_64", Size: 3, SHA256: sum("a"),
				From: Origin{"pgdg16", "x-1-1.x86_64.rpm", 3, sum("a")}, Roles: []Role{TargetNode}, WantedBy: []string{"y", "libx.so.1()(64bit)"}},
			{Path: "wheels/target/z-1-py3-none-any.whl", Kind: Wheel, Name: "z", Version: "1", Arch: "py3-none-any", Size: 4, SHA256: sum("b"),
				From: Origin{"pypi", "z/z-1.tar.gz", -1, sum("c")}, Made: "wheel-from-sdist", Roles: []Role{TargetNode}},
		},
	}
}

func sampleManifest() Manifest {
	m := Manifest{Version: 1, Lock: sampleLock(), Checked: []Check{{"closure", "3 packages: closed"}}}
	for _, a := range m.Lock.Artifacts {
		m.Files = append(m.Files, File{a.Path, a.Size, 0o644, a.SHA256})
	}
	m.Files[0].Mode = 0o755
	return m
}

func TestLockRoundTrip(t *testing.T) {
	want := sampleLock()
	text, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseLock(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v", got)
	}
	again, err := got.Marshal()
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("other bytes the second time: %v\n%s", err, again)
	}
}

func TestManifestRoundTrip(t *testing.T) {
	want := sampleManifest()
	text, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"mode: 0755", "mode: 0644", `time: 2024-05-01T12:00:00Z`, `roles: [control, target]`} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	got, err := ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v", got)
	}
}

// The same value gives the same bytes: nil and empty lists, any zone, and the
// parts of a second that indexes have.
func TestMarshalIsCanonical(t *testing.T) {
	a, b := sampleLock(), sampleLock()
	a.Constraints, b.Constraints = nil, []Request{}
	a.Artifacts, b.Artifacts = nil, []Artifact{}
	b.Time = a.Time.In(time.FixedZone("x", 3600)).Add(999 * time.Millisecond)
	first, err := a.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.Marshal()
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v\n%s\n%s", err, first, second)
	}
}

func TestDigests(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // FIPS 180-4, of no bytes
	if got := Digest(nil); got != empty {
		t.Errorf("Digest: %s", got)
	}
	if got := BundleID(nil); got != empty[:12] {
		t.Errorf("BundleID: %s", got)
	}
}

func TestValidateLock(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(l *Lock)
		want string
	}{
		"a newer version":         {func(l *Lock) { l.Version = 2 }, "lock of format version 2: this pgbundle reads version 1, use a newer one"},
		"no version":              {func(l *Lock) { l.Version = 0 }, "there is no such version"},
		"no spec":                 {func(l *Lock) { l.Spec = "" }, `spec "": not a SHA-256 in hex`},
		"upper-case digest":       {func(l *Lock) { l.Spec = strings.Repeat("A", 64) }, "not a SHA-256 in hex"},
		"a time before 1970":      {func(l *Lock) { l.Time = time.Unix(-1, 0) }, "not between 1970 and 2242"},
		"a slash in the release":  {func(l *Lock) { l.Target.Release = "../9" }, `target release "../9": not a plain word`},
		"another minor":           {func(l *Lock) { l.Target.NodePythonFullVersions[0] = "3.10.9" }, `target node_python_full_versions "3.10.9": not a version of Python 3.9 with patch level`},
		"no patch level":          {func(l *Lock) { l.Target.ControlPythonFullVersions[0] = "3.11" }, `target control_python_full_versions "3.11": not a version`},
		"a release candidate":     {func(l *Lock) { l.Target.NodePythonFullVersions[0] = "3.9.0rc1" }, `"3.9.0rc1": not a version`},
		"a zero before":           {func(l *Lock) { l.Target.NodePythonFullVersions[0] = "3.9.09" }, `"3.9.09": not a version`},
		"a patch level twice":     {func(l *Lock) { l.Target.NodePythonFullVersions[1] = "3.9.9" }, `"3.9.9": not after the one before`},
		"full versions unsorted":  {func(l *Lock) { l.Target.NodePythonFullVersions[1] = "3.9.1" }, `"3.9.1": not after the one before`},
		"an unknown kind":         {func(l *Lock) { l.Requests[0].Kind = "deb" }, `request "postgresql16-server": wants a known kind`},
		"two sources of one id":   {func(l *Lock) { l.Sources[1].ID = "pgdg16" }, "source pgdg16: there twice"},
		"a source without role":   {func(l *Lock) { l.Sources[0].Role = "" }, `source pgdg16: unknown role ""`},
		"a key without armor":     {func(l *Lock) { l.Sources[0].Keys[0].Armor = "" }, "not a fingerprint in upper-case hex with its armoured key"},
		"unsorted":                {func(l *Lock) { l.Artifacts[0].Path = "z" }, "artifact rpms/x-1-1.x86_64.rpm: not sorted by path"},
		"an absent source":        {func(l *Lock) { l.Artifacts[1].From.Source = "x" }, `artifact rpms/x-1-1.x86_64.rpm: source "x" is not in the lock`},
		"no source for a package": {func(l *Lock) { l.Artifacts[1].From = Origin{} }, `source "" is not in the lock`},
		"a negative size":         {func(l *Lock) { l.Artifacts[1].Size = -1 }, "size -1: not between 0 and 8589934591"},
		"more than tar holds":     {func(l *Lock) { l.Artifacts[1].Size = 1 << 33 }, "size 8589934592"},
		"a role twice":            {func(l *Lock) { l.Artifacts[0].Roles = []Role{Control, Control} }, `role "control": unknown or there twice`},
		"an escape sequence":      {func(l *Lock) { l.Artifacts[1].WantedBy = []string{"\x1b[2J"} }, "is not one line of text"},
		"nodes of no delta":       {func(l *Lock) { l.Nodes = []LockNode{{Name: "db1", SHA256: l.Spec}} }, "they belong to a delta"},
		"too many of a name": {func(l *Lock) {
			l.Profile, l.Assumed = Delta, slices.Repeat([]Package{{Name: "a", EVR: "1-1", Arch: "noarch"}}, maxBuilds+1)
		}, `packages of the target: more than 256 of the name "a"`},
		"a path outside":           {func(l *Lock) { l.Artifacts[1].Path = "rpms/../../x" }, `path "rpms/../../x": a segment ".."`},
		"everything that is wrong": {func(l *Lock) { l.Spec = ""; l.Target.OS = "" }, "hex\ntarget os \"\": not a plain word"},
	} {
		t.Run(name, func(t *testing.T) {
			l := sampleLock()
			c.edit(&l)
			if err := l.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if _, err := l.Marshal(); err == nil && name != "unsorted" {
				t.Error("it was written all the same")
			}
		})
	}
}

// An address with a password is refused without being repeated.
func TestCredentialsStayOutOfTheLock(t *testing.T) {
	for _, address := range []string{"https://user:hunter2@example.org/", "https://user:hunter2@exa mple\x7f/"} {
		l := sampleLock()
		l.Sources[0].URLs = []string{address}
		if err := l.Validate(); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func TestValidateManifest(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(m *Manifest)
		want string
	}{
		"an artifact that is no file":    {func(m *Manifest) { m.Files = m.Files[1:] }, "artifact pgbundle: not among the files"},
		"an artifact of another digest":  {func(m *Manifest) { m.Files[1].SHA256 = strings.Repeat("9", 64) }, "the file has another size or digest"},
		"a file twice":                   {func(m *Manifest) { m.Files = append(m.Files, m.Files[0]) }, `path "pgbundle": there is "pgbundle" already`},
		"twins but for case":             {func(m *Manifest) { m.Files = append(m.Files, File{"PGbundle", 0, 0o644, Digest(nil)}) }, `there is "pgbundle" already`},
		"folders that are twins":         {func(m *Manifest) { m.Files = append(m.Files, File{"RPMS/x", 0, 0o644, Digest(nil)}) }, `its folder is written "rpms" elsewhere`},
		"a file where a folder is":       {func(m *Manifest) { m.Files = append(m.Files, File{"rpms", 0, 0o644, Digest(nil)}) }, `it is the folder "rpms"`},
		"a folder where a file is":       {func(m *Manifest) { m.Files = append(m.Files, File{"pgbundle/x", 0, 0o644, Digest(nil)}) }, `its folder "pgbundle" is the file`},
		"the manifest itself":            {func(m *Manifest) { m.Files[0].Path = ManifestName }, `there is "manifest.yaml" already`},
		"setuid":                         {func(m *Manifest) { m.Files[0].Mode = 0o4755 }, "mode 04755: neither 0644 nor 0755"},
		"a check with an escape":         {func(m *Manifest) { m.Checked[0].Result = "\x1b" }, "not a name and a result of one line"},
		"the lock's findings are listed": {func(m *Manifest) { m.Lock.Spec = "" }, "not a SHA-256 in hex"},
	} {
		t.Run(name, func(t *testing.T) {
			m := sampleManifest()
			c.edit(&m)
			if err := m.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestCheckPath(t *testing.T) {
	for _, good := range []string{"a", "a/b", "rpms/libstdc++-11.4.1-3.el9.x86_64.rpm", "a b", "x~1^2%", ".hidden", "...", "-x"} {
		if err := CheckPath(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "/a", "a/", "a//b", ".", "..", "a/./b", "a/../b", `a\b`, "a\nb", "a\x00", "é", " a", "a /b", strings.Repeat("a", 1025)} {
		if err := CheckPath(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzParseLock(f *testing.F) {
	l := sampleLock()
	text, err := l.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("version: 1\nversion: 1\n"))
	f.Add([]byte("&a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v is of no class", err)
			}
			return
		}
		roundTrip(t, l, ParseLock)
	})
}

func FuzzParseManifest(f *testing.F) {
	m := sampleManifest()
	text, err := m.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(bytes.ReplaceAll(text, []byte("rpms/"), []byte("rpms/../")))
	f.Add([]byte("version: 1\nlock: {version: 1}\nfiles: [{mode: 0o644}]\n"))
	f.Add([]byte("%YAML 1.2\n---\n!!map {? [a] : b, <<: {c: d}}\n...\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v is of no class", err)
			}
			return
		}
		roundTrip(t, m, ParseManifest)
	})
}

// roundTrip: what was read can be written, and reads as the same again.
func roundTrip[T interface{ Marshal() ([]byte, error) }](t *testing.T, value T, parse func([]byte) (T, error)) {
	first, err := value.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parse(first)
	if err != nil {
		t.Fatalf("%v\n%s", err, first)
	}
	second, err := again.Marshal()
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%v\n%s\n%s", err, first, second)
	}
}
