//go:build oracle

package pep508

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

const packaging = `
import json, sys
from pip._vendor.packaging.requirements import Requirement, InvalidRequirement
q = json.load(sys.stdin)
out = []
for text in q["requirements"]:
    try:
        r = Requirement(text)
    except InvalidRequirement:
        out.append({"valid": False}); continue
    env = dict(q["environment"])
    results = []
    for extra in q["extras"]:
        env["extra"] = extra
        try: results.append(True if r.marker is None else r.marker.evaluate(env))
        except Exception: results.append(None)
    out.append({"valid": True, "extras": sorted(r.extras), "results": results})
json.dump(out, sys.stdout)
`

// TestAgainstPackaging compares parsing and markers with the packaging library
// of the newest pip.
func TestAgainstPackaging(t *testing.T) {
	variables := []string{"python_version", "python_full_version", "os_name", "sys_platform", "platform_machine", "platform_system",
		"platform_python_implementation", "implementation_name", "implementation_version", "platform_release", "platform_version", "extra", "python_implementation"}
	values := []string{"3.9", "3.9.18", "3.10", "3", "3.*", "3.9.*", "posix", "nt", "linux", "x86_64", "Linux", "CPython", "cpython", "", "socks", "3.9 3.10", "linux linux2"}
	operators := []string{"==", "!=", "<", "<=", ">", ">=", "~=", "===", " in ", " not in "}
	var q struct {
		Requirements []string          `json:"requirements"`
		Environment  map[string]string `json:"environment"`
		Extras       []string          `json:"extras"`
	}
	for _, v := range variables {
		for _, op := range operators {
			for _, value := range values {
				q.Requirements = append(q.Requirements, "n; "+v+op+"'"+value+"'", "n; \""+value+"\""+op+v)
			}
		}
	}
	q.Requirements = append(q.Requirements, "n", "n[a]", "n[a,B]>=1", "n(>=1)", "n (>=1,<2) ; os_name=='posix'", "n>=1 <2", "n[a", "n @ x", "n@x ;os_name=='posix'", "n@x; os_name=='posix'",
		"n;os_name=='posix'and sys_platform=='linux'", "n; os_name=='posix' and(sys_platform=='x' or extra=='socks')", "n[]", "n[a,]", "n>=1,", "n,", "n==1.*", "n>=1.*", "n=1", "n; a", "n.", "n-1", "n;not os_name=='x'")
	q.Environment = map[string]string{"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "platform_python_implementation": "CPython",
		"implementation_name": "cpython", "python_version": "3.9", "python_full_version": "3.9.18", "implementation_version": "3.9.18", "platform_release": "", "platform_version": ""}
	q.Extras = []string{"", "socks"}
	in, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-c", packaging)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+newestPip(t))
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []struct {
		Valid   bool     `json:"valid"`
		Extras  []string `json:"extras"`
		Results []*bool  `json:"results"`
	}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for i, text := range q.Requirements {
		r, err := ParseRequirement(text)
		if (err == nil) != want[i].Valid {
			t.Errorf("%q: %v; packaging: valid %v", text, err, want[i].Valid)
			continue
		}
		for j, extra := range q.Extras {
			if err == nil && want[i].Results[j] != nil && r.Marker.Eval(&el9, extra) != *want[i].Results[j] {
				t.Errorf("%q with extra %q: %v; packaging: %v", text, extra, r.Marker.Eval(&el9, extra), *want[i].Results[j])
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
