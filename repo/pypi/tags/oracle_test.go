//go:build oracle

package tags

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestAgainstPackaging compares with the tags that the pip of python3 lists for
// its own interpreter. Where a tag for plain Linux stands among the others
// differs between releases of pip; its place does not count here.
func TestAgainstPackaging(t *testing.T) {
	out, err := exec.Command("python3", "-c", `
import json, platform, sys
from pip._vendor.packaging import tags
json.dump({"tags": [str(t) for t in tags.sys_tags()], "minor": sys.version_info[1], "arch": platform.machine(),
  "glibc": [int(n) for n in platform.libc_ver()[1].split(".")[:2]]}, sys.stdout)`).Output()
	if err != nil {
		t.Fatal(err)
	}
	var host struct {
		Tags  []string
		Minor int
		Arch  string
		Glibc [2]int
	}
	if err := json.Unmarshal(out, &host); err != nil {
		t.Fatal(err)
	}
	set, err := For(Target{3, host.Minor, host.Arch, host.Glibc})
	if err != nil {
		t.Fatal(err)
	}
	plain := func(tag string) bool { return strings.Contains(tag, "-linux_") }
	got, want := slices.DeleteFunc(set.List(), plain), slices.DeleteFunc(slices.Clone(host.Tags), plain)
	if !slices.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("tag %d: %s; packaging: %s", i, got[i], want[i])
			}
		}
		t.Fatalf("%d tags; packaging: %d", len(got), len(want))
	}
	if a, b := set.List(), host.Tags; len(a) != len(b) {
		t.Errorf("%d tags with plain Linux; packaging: %d", len(a), len(b))
	}
}
