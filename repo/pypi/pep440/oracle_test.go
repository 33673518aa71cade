//go:build oracle

package pep440

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

const packaging = `
import itertools, json, sys
try:
    from pip._vendor.packaging.version import Version, InvalidVersion
    from pip._vendor.packaging.specifiers import Specifier, InvalidSpecifier
except ImportError as e:
    sys.exit(str(e))
def version(s):
    try: return Version(s)
    except InvalidVersion: return None
def specifier(s):
    try: return Specifier(s)
    except InvalidSpecifier: return None
q = json.load(sys.stdin)
vs = [version(s) for s in q["versions"]]
ss = [specifier(s) for s in q["specifiers"]]
json.dump({
    "normal": [str(v) if v else "" for v in vs],
    "compare": [[(a > b) - (a < b) if a and b else 9 for b in vs] for a in vs],
    "valid": [s is not None for s in ss],
    "contains": [[bool(s and v and s.contains(v, prereleases=True)) for v in vs] for s in ss],
}, sys.stdout)
`

// TestAgainstPackaging compares parsing, order and specifiers with the
// packaging library of the newest pip.
func TestAgainstPackaging(t *testing.T) {
	var q struct {
		Versions   []string `json:"versions"`
		Specifiers []string `json:"specifiers"`
	}
	suffixes := []string{"", "a1", ".b2", "-rc.3", "c", "_pre", "alpha-", ".post1", "-1", "post", ".dev0", "dev", "a1.dev2", "rc1.post2", "rc1.post2.dev3",
		".post1.dev1", "+local", "+1", "+1.a", "+a-1", "+01", "a1+x", ".post1+x", "a.", "a.post", "a-1", "a--1", ".a_1", "..a", ".", "+", "+a.", "+a..b", ".*", "-", "-post", "preview4", "r5", "-r.5", "dev-"}
	for _, base := range []string{"1", "1.0", "1.1", "1.0.0", "01.2", "2", "1!1", "0!1", "0", "v1", "20240102030405060708090"} {
		for _, s := range suffixes {
			q.Versions = append(q.Versions, base+s)
		}
	}
	q.Versions = append(q.Versions, "", " 1.0 ", "1.0\n", "x", "1 .0", "1!", "!1", "v", "1.0.x", "V1", "1A1", "1.0Post1", "1.\u0661")
	for _, op := range []string{"==", "!=", "<", "<=", ">", ">=", "~=", "===", "=", ""} {
		for _, v := range []string{"1", "1.0", "1.0.0", "1.1", "1!1", "1.0a1", "1.0rc3", "1.0.post1", "1.0.dev0", "1.0+local", "1.0+1", "1.0a1.dev2", "1.1.post1", "2", "1.0.post1.dev1", "1.0rc1.post2"} {
			q.Specifiers = append(q.Specifiers, op+v, op+" "+v+".*", op+v+".0")
		}
		q.Specifiers = append(q.Specifiers, op, op+"x", op+".*", op+"*", op+"1.*.*")
	}
	cmd := exec.Command("python3", "-c", packaging)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+newestPip(t))
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { json.NewEncoder(in).Encode(q); in.Close() }()
	var want struct {
		Normal   []string `json:"normal"`
		Compare  [][]int  `json:"compare"`
		Valid    []bool   `json:"valid"`
		Contains [][]bool `json:"contains"`
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&want); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	versions := make([]*Version, len(q.Versions))
	for i, s := range q.Versions {
		v, err := Parse(s)
		if err == nil {
			versions[i] = &v
		}
		if got := v.String(); err == nil && got != want.Normal[i] || err != nil && want.Normal[i] != "" {
			t.Errorf("Parse(%q) = %q, %v; packaging: %q", s, got, err, want.Normal[i])
		}
	}
	compared := 0
	for i, a := range versions {
		for j, b := range versions {
			if a != nil && b != nil && a.Compare(*b) != want.Compare[i][j] {
				t.Fatalf("%s <=> %s: %d; packaging: %d", a, b, a.Compare(*b), want.Compare[i][j])
			}
			compared++
		}
	}
	for i, text := range q.Specifiers {
		s, err := ParseSpecifier(text)
		if (err == nil) != want.Valid[i] {
			t.Errorf("ParseSpecifier(%q): %v; packaging: valid %v", text, err, want.Valid[i])
			continue
		}
		for j, v := range versions {
			if err == nil && v != nil && s.Contains(*v) != want.Contains[i][j] {
				t.Errorf("%q contains %s: %v; packaging: %v", text, v, s.Contains(*v), want.Contains[i][j])
			}
			compared++
		}
	}
	t.Logf("%d comparisons", compared)
}

// newestPip installs pip into a folder of its own: older ones differ in corners
// that PEP 440 leaves open.
func newestPip(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if out, err := exec.Command("python3", "-m", "pip", "install", "-q", "--target", folder, "pip").CombinedOutput(); err != nil {
		t.Fatalf("install pip: %v\n%s", err, out)
	}
	return folder
}
