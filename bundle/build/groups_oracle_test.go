//go:build oracle

package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/repomd"
)

type folderTree string

func (f folderTree) Open(_ context.Context, path string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), filepath.FromSlash(path)))
}

// loadEL9 loads the real metadata of EL 9, and gives dnf's words for it.
func loadEL9(t *testing.T) (*RPMs, []string) {
	t.Helper()
	data := os.Getenv("PGBUNDLE_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	data, err := filepath.Abs(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(data); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the real metadata is missing: %v", err)
		}
		t.Skipf("the real metadata is missing: %v", err)
	}
	var inputs []repomd.Input
	var words []string
	for _, id := range []string{"baseos", "appstream"} {
		folder := filepath.Join(data, "el9", id)
		inputs = append(inputs, repomd.Input{Repo: rpm.Repo{ID: id, Priority: 99, Cost: 1000}, Tree: folderTree(folder)})
		words = append(words, "--repo", id+"="+folder)
	}
	r, err := loadRPMs(t.Context(), world{inputs: inputs, target: manifest.Target{Arch: "x86_64"}, modules: repomd.ModuleOptions{Platform: "el9"}})
	if err != nil {
		t.Fatal(err)
	}
	return r, words
}

// TestOracleRealGroups asks dnf for every group and environment of EL 9 alone,
// and for some together.
func TestOracleRealGroups(t *testing.T) {
	r, words := loadEL9(t)
	comps, err := r.groupsOf(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type goal struct {
		Requests []string `json:"requests"`
		Weak     bool     `json:"weak"`
		Best     bool     `json:"best"`
	}
	var goals []goal
	for _, id := range comps.IDs() {
		for _, weak := range []bool{false, true} {
			goals = append(goals, goal{[]string{"@" + id}, weak, true})
		}
	}
	for _, request := range []string{
		"haproxy @core @standard", "@^server-product-environment", "@Minimal Install", "@core/optional", "@*backup*", "@input-methods gtk3",
		"@nosuch", "@base-x @fonts firefox", "@SERVER", "@core/mandatory,optional nginx",
	} {
		list := strings.Fields(request)
		if strings.Contains(request, "Minimal") {
			list = []string{request}
		}
		goals = append(goals, goal{list, false, true}, goal{list, true, false})
	}
	var input bytes.Buffer
	for _, g := range goals {
		if err := json.NewEncoder(&input).Encode(g); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/usr/bin/python3", append([]string{filepath.Join("..", "..", "scripts", "oracle", "dnf_goals.py"), "--state", t.TempDir()}, words...)...)
	cmd.Stdin, cmd.Stderr = &input, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(bytes.NewReader(out))
	refused, different := 0, 0
	for _, g := range goals {
		var want struct {
			Packages []string `json:"packages"`
			Error    string   `json:"error"`
		}
		if err := answers.Decode(&want); err != nil {
			t.Fatal(err)
		}
		job, _, unknown := r.job(t.Context(), g.Requests, g.Weak)
		job.Best = g.Best
		res, err := r.solve(t.Context(), job)
		err = errors.Join(unknown, err)
		if err != nil && !errors.Is(err, manifest.ErrUnsolvable) {
			t.Fatal(err)
		}
		if want.Error != "" {
			refused++
		}
		if err != nil || want.Error != "" {
			if err == nil || want.Error == "" {
				different++
				t.Errorf("%+v: %v, dnf %s", g, err, want.Error)
			}
			continue
		}
		var got []string
		for _, id := range res.Packages {
			got = append(got, r.pool.NEVRA(id)+"@"+r.pool.Repo(r.pool.Package(id).Repo).ID)
		}
		slices.Sort(got)
		if !slices.Equal(got, want.Packages) {
			different++
			t.Errorf("%+v: %d packages, dnf %d", g, len(got), len(want.Packages))
		}
	}
	t.Logf("%d goals, %d refused by dnf, %d different", len(goals), refused, different)
}
