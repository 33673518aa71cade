//go:build oracle

package pypi

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgbundle/repo/pypi/pep508"
	"pgbundle/repo/pypi/sdist"
)

// purePython are projects with source archives in many styles; "must" ones may
// not be refused.
var purePython = map[string]bool{
	"python-etcd==0.4.5": true, "ydiff==1.4.2": true, "ydiff": true,
	"docopt==0.6.2": false, "pysyncobj": false, "kazoo==2.6.1": false, "python-consul==1.1.0": false, "py-consul==1.1.5": false, "patroni==3.2.2": false,
	"six==1.16.0": false, "prettytable==0.7.2": false, "termcolor==1.1.0": false, "tabulate==0.8.9": false, "toml==0.10.2": false, "jmespath==0.10.0": false,
	"requests==2.31.0": false, "urllib3==1.26.18": false, "certifi==2023.7.22": false, "idna==2.10": false, "chardet==4.0.0": false, "pytz==2023.3": false,
	"python-dateutil==2.8.2": false, "click==7.1.2": false, "itsdangerous==1.1.0": false, "werkzeug==2.0.3": false, "jinja2==2.11.3": false, "flask==1.1.4": false,
	"dnspython==1.16.0": false, "netaddr==0.8.0": false, "resolvelib==0.5.4": false, "ansible-core==2.15.13": false, "boto3==1.26.0": false, "botocore==1.29.0": false,
	"s3transfer==0.6.0": false, "pycparser==2.21": false, "colorama==0.4.3": false, "humanize==0.5.1": false, "xmltodict==0.12.0": false, "httplib2==0.20.4": false,
	"oauthlib==3.1.0": false, "requests-oauthlib==1.3.0": false, "pyasn1==0.4.8": false, "pyasn1-modules==0.2.8": false, "rsa==4.0": false, "cachetools==4.2.4": false,
	"google-auth==2.0.0": false, "kubernetes==24.2.0": false, "websocket-client==1.2.0": false, "wcwidth==0.2.6": false, "pexpect==4.8.0": false, "ptyprocess==0.7.0": false,
	"future==0.18.2": false, "nose==1.3.7": false, "unittest2==1.1.0": false, "mock==3.0.5": false, "simplegeneric==0.8.1": false, "ply==3.11": false, "pyperclip==1.8.2": false,
	"sqlparse==0.3.1": false, "pymysql==0.9.3": false, "django==3.2.20": false, "markdown==3.3.7": false, "docutils==0.16": false, "alabaster==0.7.12": false,
}

// rewritten are files that a plug-in of setuptools writes anew, in the words of
// its own release, from the version that the archive's file states too.
var rewritten = map[string]string{"python-dateutil==2.8.2": "dateutil/_version.py"}

// TestWheelsAgainstPip builds wheels of source archives natively and with the
// real pip and setuptools, and compares file by file what they install and what
// resolvers read.
func TestWheelsAgainstPip(t *testing.T) {
	index := oracleIndex(t)
	compared, refused := 0, 0
	for _, want := range slices.Sorted(maps.Keys(purePython)) {
		if only := os.Getenv("PGBUNDLE_PARITY"); !strings.Contains(want, only) {
			continue
		}
		must := purePython[want]
		archive, filename, data := sourceArchive(t, index, want)
		name, ours, err := sdist.BuildWheel(t.Context(), data, time.Unix(1700000000, 0))
		if reason, ok := errors.AsType[*sdist.Unsupported](err); ok {
			refused++
			if must {
				t.Errorf("%s: %v", want, err)
			}
			t.Logf("%s: %s", want, reason.Reason)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		theirs, theirName := pipWheel(t, archive)
		if theirs == nil {
			t.Logf("%s: pip cannot build %s", want, filename)
			continue
		}
		compared++
		if name != theirName {
			t.Errorf("%s: %s, pip: %s", want, name, theirName)
		}
		compareWheels(t, want, ours, theirs)
	}
	t.Logf("%d compared, %d refused", compared, refused)
}

// sourceArchive fetches the newest source archive that a requirement allows.
func sourceArchive(t *testing.T, index Index, want string) (path, filename string, data []byte) {
	t.Helper()
	name, version, _ := strings.Cut(want, "==")
	page, err := index.Project(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var found *File
	for _, f := range page.Files {
		if !f.Wheel() && (strings.HasSuffix(f.Filename, ".tar.gz") || strings.HasSuffix(f.Filename, ".zip")) {
			if _, v, _, err := identify(f.Filename, name); err == nil && (version == "" || v.String() == version) {
				found = f
			}
		}
	}
	if found == nil {
		t.Fatalf("%s has no source archive", want)
	}
	r, err := index.Open(t.Context(), found.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), found.Filename)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path, found.Filename, data
}

func pipWheel(t *testing.T, archive string) ([]byte, string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("python3", "-m", "pip", "wheel", "-q", "--no-deps", "--no-cache-dir", "-w", dir, archive)
	cmd.Env = pipEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Logf("pip wheel %s: %v\n%.300s", filepath.Base(archive), err, out)
		return nil, ""
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*.whl"))
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return data, filepath.Base(found[0])
}

// compareWheels compares all members but WHEEL, RECORD and METADATA, which name
// the tool, and of METADATA what resolvers read.
func compareWheels(t *testing.T, name string, ours, theirs []byte) {
	t.Helper()
	a, b := wheelMembers(t, ours), wheelMembers(t, theirs)
	for path, content := range a {
		if other, ok := b[path]; !ok {
			t.Errorf("%s: only here: %s", name, path)
		} else if !bytes.Equal(content, other) && rewritten[name] != path {
			t.Errorf("%s: %s differs", name, path)
		}
	}
	for path := range b {
		if _, ok := a[path]; !ok {
			t.Errorf("%s: only pip: %s", name, path)
		}
	}
}

func wheelMembers(t *testing.T, wheel []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(wheel), int64(len(wheel)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		_, name, inInfo := strings.Cut(f.Name, ".dist-info/")
		if strings.HasSuffix(f.Name, "/") || inInfo && (name == "WHEEL" || name == "RECORD") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if inInfo && name == "METADATA" {
			data = []byte(essence(t, data))
		}
		if inInfo && name == "entry_points.txt" {
			data = bytes.ReplaceAll(data, []byte(" "), nil)
		}
		out[f.Name] = data
	}
	return out
}

// essence is what a resolver reads of METADATA, in one form.
func essence(t *testing.T, data []byte) string {
	t.Helper()
	m, err := ParseMetadata(data)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{m.Name, m.Version, "Python " + sortedClauses(m.RequiresPython)}
	for _, extra := range m.ProvidesExtra {
		lines = append(lines, "extra "+extra)
	}
	for _, text := range m.RequiresDist {
		r, err := pep508.ParseRequirement(text)
		if err != nil {
			t.Fatal(err)
		}
		marker := ""
		if r.Marker != nil {
			marker = strings.NewReplacer(" ", "", "'", `"`, "(", "", ")", "", "_", "-").Replace(r.Marker.String())
		}
		lines = append(lines, identifier(r.Name, r.Extras)+sortedClauses(r.Specifiers.String())+";"+marker)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func sortedClauses(text string) string {
	clauses := strings.Split(strings.ReplaceAll(text, " ", ""), ",")
	slices.Sort(clauses)
	return strings.Join(clauses, ",")
}
