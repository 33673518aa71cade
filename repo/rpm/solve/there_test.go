package solve

import (
	"slices"
	"strings"
	"testing"

	"pgbundle/repo/rpm"
)

// thereCases pin what the packages of a node change. They are as smallCases;
// packages of the node are in the repository "node" and come first, and what goes
// has a minus. TestOracleThereCases holds each of them against dnf, but for the
// requests that allow no downgrade.
var thereCases = []smallCase{
	{"there already", "a@node\n a", "a", ""},
	{"newer is asked for", "a-1-1.noarch@node\n a-2-1.noarch", "a", "a-2-1.noarch -a"},
	{"newer is not asked for", "a-1-1.noarch@node\n a-2-1.noarch", "nobest: a", ""},
	{"newer than the repository", "a-2-1.noarch@node\n a-1-1.noarch", "a", ""},
	{"older by exact build", "a-2-1.noarch@node\n a-1-1.noarch", "a-1-1.noarch", "a -a-2-1.noarch"},
	{"known to the node alone", "a@node", "a", ""},
	{"dependency is met", "b-1-1.noarch@node\n a; requires: b\n b-2-1.noarch", "a", "a"},
	{"dependency must be newer", "b-1-1.noarch@node\n a; requires: b >= 2\n b-2-1.noarch\n b-3-1.noarch", "a", "a b-3-1.noarch -b"},
	{"dependency must be older", "b-2-1.noarch@node\n a; requires: b = 1\n b-1-1.noarch", "a", "a b -b-2-1.noarch"},
	{"no downgrade", "b-2-1.noarch@node\n a; requires: b = 1\n b-1-1.noarch", "keep: a", "refused"},
	{"no downgrade of another name", "b-2-1.noarch@node\n a; requires: x\n b-1-1.noarch; provides: x\n c; provides: x", "keep: a", "a c"},
	{"no downgrade by exact build", "a-2-1.noarch@node\n a-1-1.noarch", "keep: a-1-1.noarch", "refused"},
	{"no downgrade by a glob", "a-3-1.noarch@node\n a-1-1.noarch\n a-2-1.noarch", "keep: a-[12]-1.noarch", "refused"},
	{"upgrade by exact build", "a-1-1.noarch@node\n a-2-1.noarch\n a-3-1.noarch", "keep: a-2-1.noarch", "a-2-1.noarch -a"},
	{"older kernel beside the node's", "k-2-1.noarch@node; provides: installonlypkg(kernel)\n k-1-1.noarch; provides: installonlypkg(kernel)", "keep: k-1-1.noarch", "k"},
	{"upgrade is no downgrade", "b-1-1.noarch@node\n a; requires: b >= 2\n b-2-1.noarch", "keep: a", "a b-2-1.noarch -b"},
	{"upgrade draws others along", "b-1-1.noarch@node\n c-1-1.noarch@node; requires: b = 1-1\n a; requires: b >= 2\n b-2-1.noarch\n c-2-1.noarch; requires: b = 2-1", "a", "a b-2-1.noarch c-2-1.noarch -b -c"},
	{"upgrade that something holds back", "b-1-1.noarch@node\n c@node; requires: b = 1-1\n a; requires: b >= 2\n b-2-1.noarch", "a", "refused"},
	{"conflict with the node", "b@node\n a; conflicts: b", "a", "refused"},
	{"conflict of the node", "b@node; conflicts: a\n a", "a", "refused"},
	{"conflict that an upgrade ends", "b-1-1.noarch@node\n a; conflicts: b < 2\n b-2-1.noarch", "a", "a b-2-1.noarch -b"},
	{"obsoletes", "b@node\n a; obsoletes: b", "a", "a -b"},
	{"obsoletes what is to be kept", "b@node\n a; obsoletes: b", "keep: a", "refused"},
	{"a choice that obsoletes nothing", "b@node\n a; requires: x\n c; provides: x; obsoletes: b\n d; provides: x", "keep: a", "a d"},
	{"obsoletes what is needed", "b@node\n c@node; requires: b\n a; obsoletes: b", "a", "refused"},
	{"obsoletes and provides what is needed", "b@node\n c@node; requires: b\n a; obsoletes: b; provides: b = 1", "a", "a -b"},
	{"split", "b@node\n a; obsoletes: b < 2\n c; obsoletes: b < 2", "a", "a c -b"},
	{"what is broken stays broken", "b@node; requires: z\n a\n z", "a", "a"},
	{"what conflicts on the node stays", "b@node; conflicts: c\n c@node\n a; requires: b, c", "a", "a"},
	{"rich requirement of the node", "b@node; requires: (y or z)\n y@node\n a; conflicts: y\n z", "a", "refused"},
	{"rich requirement that holds otherwise", "b@node; requires: (y or z)\n y@node\n a; obsoletes: y\n z", "a", "a z -y"},
	{"recommends of the node", "b@node; recommends: c\n a\n c", "weak: a", "a"},
	{"declined by the node", "b@node; recommends: c\n a; recommends: c\n c", "weak: a", "a"},
	{"supplements the node", "b@node\n a\n c; supplements: b", "weak: a", "a"},
	{"supplements what is new", "b@node\n a\n c; supplements: a", "weak: a", "a c"},
	{"related candidate", "c-1-1.noarch@node\n a; requires: x\n b; provides: x\n c-2-1.noarch; provides: x", "a", "a c-2-1.noarch -c"},
	{"unrelated candidate of an exact build", "c-1-1.noarch@node\n a; requires: x\n b; provides: x\n c-2-1.noarch; provides: x", "a b", "a b"},
	{"inferior architecture stays", "b-1-1.i686@node\n a; requires: b\n b-1-1.i686\n b-1-1.x86_64", "a", "a"},
	{"several builds side by side", "k-1-1.noarch@node; provides: installonlypkg(kernel)\n k-2-1.noarch; provides: installonlypkg(kernel)", "k", "k-2-1.noarch"},
}

// readThere reads a request of thereCases: "keep" keeps what the node has.
func readThere(text string) Job {
	if rest, ok := strings.CutPrefix(text, "keep: "); ok {
		job := readRequest(rest)
		job.KeepNode = true
		return job
	}
	return readRequest(text)
}

func TestThere(t *testing.T) {
	for _, test := range thereCases {
		t.Run(test.name, func(t *testing.T) {
			s := NewSolver(smallPool(t, parseSmall(t, test.packages), rpm.Repo{ID: "node", Installed: true}))
			r, err := s.Solve(t.Context(), readThere(test.request))
			got := outcome(s, r, err)
			if err == nil {
				for _, g := range r.Gone {
					got += " -" + strings.TrimSuffix(s.pool.NEVRA(g.Package), "-1-1.noarch")
				}
				for _, id := range r.Packages {
					if len(r.Why(id)) == 0 {
						t.Errorf("nothing leads to %s", s.pool.NEVRA(id))
					}
				}
			}
			if got = strings.TrimSpace(got); got != test.want {
				t.Errorf("install %s: %s; want %s\n%v", test.request, got, test.want, err)
			}
		})
	}
}

// TestPinBesideNode holds that a pin says what is taken, and lets stay what a node
// has of the name.
func TestPinBesideNode(t *testing.T) {
	s := NewSolver(smallPool(t, parseSmall(t, "a-2-1.noarch@node\n a-1-1.noarch\n a-3-1.noarch\n a-4-1.noarch\n c; requires: a\n d; requires: a >= 3"), rpm.Repo{ID: "node", Installed: true}))
	for _, test := range []struct{ request, pin, want string }{
		{"a", "a=1", ""},
		{"c", "a=1", "c"},
		{"c", "a=3", "c"},
		{"a", "a=3", "a-3-1.noarch"},
		{"d", "a=3", "a-3-1.noarch d"},
		{"d", "a=1", "refused"},
	} {
		r, err := s.Solve(t.Context(), Job{Requests: []string{test.request}, Pins: []string{test.pin}, Best: true, KeepNode: true})
		if got := strings.TrimSpace(outcome(s, r, err)); got != test.want {
			t.Errorf("install %s, pin %s: %s; want %s\n%v", test.request, test.pin, got, test.want, err)
		}
	}
}

// TestGone holds what takes the place of what.
func TestGone(t *testing.T) {
	s := NewSolver(smallPool(t, parseSmall(t, "b-1-1.noarch@node\n c@node\n a; requires: b >= 2; obsoletes: c\n b-2-1.noarch"), rpm.Repo{ID: "node", Installed: true}))
	r, err := s.Solve(t.Context(), Job{Requests: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range r.Gone {
		got = append(got, s.pool.NEVRA(g.Package)+" by "+s.pool.NEVRA(g.By))
	}
	if want := []string{"b-1-1.noarch by b-2-1.noarch", "c-1-1.noarch by a-1-1.noarch"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
