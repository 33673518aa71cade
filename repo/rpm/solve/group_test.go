package solve

import (
	"strings"
	"testing"
)

// readGroup reads packages of a group: NAME, NAME.ARCH or NAME+WITH.
func readGroup(words string) Group {
	g := Group{Request: "@g"}
	for _, word := range strings.Fields(words) {
		name, with, _ := strings.Cut(word, "+")
		name, arch, _ := strings.Cut(name, ".")
		g.Packages = append(g.Packages, GroupPackage{Name: name, Arch: arch, With: with})
	}
	return g
}

// TestGroups pins what dnf takes for a group; TestOracleGroups draws many more.
func TestGroups(t *testing.T) {
	for _, test := range []struct {
		name, packages, group, request, want string
	}{
		{"all of it", "a\n b; requires: c\n c\n d", "a b", "", "a b c"},
		{"not there", "a", "a b", "", "a"},
		{"nothing there", "a", "b c", "a", "a"},
		{"no capability", "a\n b; provides: x", "a x", "", "a"},
		{"obsoleter", "a\n b; obsoletes: a", "a", "", "b"},
		{"base architecture", "a-1-1.i686\n a-1-1.x86_64\n b-1-1.i686", "a.x86_64 b.x86_64", "", "a-1-1.x86_64"},
		{"the newest or nothing", "a-1-1.noarch\n a-2-1.noarch; requires: x", "a", "", "refused"},
		{"the newest there is", "a-1-1.noarch\n a-2-1.noarch; requires: x", "a", "nobest: ", "a"},
		{"one that cannot be", "a\n b; requires: x", "a b", "", "refused"},
		{"condition not met", "a\n b\n c", "a b+c", "", "a"},
		{"condition met by a request", "a\n b\n c", "a b+c", "c", "a b c"},
		{"condition met by a dependency", "a; requires: c\n b\n c", "a b+c", "", "a b c"},
		{"condition met by a capability", "a\n b\n c; provides: x", "a b+x", "c", "a b c"},
		{"condition met by itself", "a\n b", "a b+b", "", "a"},
		{"nothing meets the condition", "a\n b", "a b+x", "", "a"},
		{"any provider will do", "a\n aa; provides: b\n b\n c", "a b+c", "c", "a aa c"},
		{"newest along", "b-1-1.noarch\n b-2-1.noarch; requires: x\n c", "b+c", "c", "refused"},
		{"newest along, not met", "a\n b-1-1.noarch\n b-2-1.noarch; requires: x\n c", "a b+c", "", "a"},
		{"a choice that avoids it", "a; requires: x\n b; requires: y\n c; provides: x\n d; provides: x", "a b+c", "", "a d"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := NewSolver(smallPool(t, parseSmall(t, test.packages)))
			job := readRequest(test.request)
			job.Groups = []Group{readGroup(test.group)}
			r, err := s.Solve(t.Context(), job)
			if got := outcome(s, r, err); got != test.want {
				t.Errorf("%s; want %s\n%v", got, test.want, err)
			}
		})
	}
}

// TestGroupsSayWhy holds that an answer and a refusal name the group.
func TestGroupsSayWhy(t *testing.T) {
	s := NewSolver(smallPool(t, parseSmall(t, "a; requires: c\n b; requires: d\n c\n d\n e; requires: nowhere\n f")))
	job := Job{Groups: []Group{readGroup("a b+c zz e+f")}, Best: true}
	r, err := s.Solve(t.Context(), job)
	if got, want := outcome(s, r, err), "a b c d"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	var taken []string
	for _, t := range r.Requested {
		taken = append(taken, t.Request+" "+s.pool.NEVRA(t.Package))
	}
	if got, want := strings.Join(taken, ", "), "@g a-1-1.noarch, @g b-1-1.noarch"; got != want {
		t.Errorf("taken are %s, want %s", got, want)
	}
	if got, want := strings.Join(s.Lacking(job.Groups[0]), " "), "zz"; got != want {
		t.Errorf("lacking are %s, want %s", got, want)
	}
	job.Requests = []string{"f"}
	_, err = s.Solve(t.Context(), job)
	want := `nothing provides nowhere needed by e-1-1.noarch
  requested f, met by f-1-1.noarch
    f-1-1.noarch brings along what @g goes with: e-1-1.noarch
      nothing provides nowhere needed by e-1-1.noarch
  requested @g, met by e-1-1.noarch`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestNear(t *testing.T) {
	list := []string{"load-balancer", "core", "cor", "scores", "core"}
	for word, want := range map[string]string{"core": "core cor", "lode-balancer": "load-balancer", "nothing": ""} {
		if got := strings.Join(Near(word, list), " "); got != want {
			t.Errorf("near %s: %s, want %s", word, got, want)
		}
	}
}
