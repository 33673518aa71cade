package solve

import (
	"strings"
	"testing"

	"pgbundle/repo/rpm"
)

// smallCase is a made-up repository, a request and the answer of dnf.
type smallCase struct {
	name     string
	packages string
	request  string // words after install; "weak" and "nobest" before a colon
	want     string
}

// smallCases pin every rule of the algorithm, also those that real metadata
// does not tell apart. TestOracleCases holds each of them against dnf.
var smallCases = []smallCase{
	// Capabilities
	{"requires", "a; requires: b\n b; requires: c\n c\n d", "a", "a b c"},
	{"version ranges", "a; requires: b >= 2, b < 4\n b-1-1.noarch\n b-3-1.noarch\n b-4-1.noarch", "a", "a b-3-1.noarch"},
	{"unversioned provide meets any version", "a; requires: x >= 5\n b; provides: x", "a", "a b"},
	{"release is not asked", "a; requires: b = 3\n b-3-7.noarch", "a", "a b-3-7.noarch"},
	{"epoch counts", "a; requires: b >= 1:1\n b-5-1.noarch", "a", "refused"},
	{"tilde is older", "a; requires: b >= 2\n b-2~rc1-1.noarch", "a", "refused"},
	{"caret is newer", "a; requires: b > 2\n b-2^git1-1.noarch", "a", "a b-2^git1-1.noarch"},
	{"rpmlib is always there", "a; requires: rpmlib(CompressedFileNames) <= 3.0.4-1", "a", "a"},
	{"own provide", "a; provides: x; requires: x", "a", "a"},
	{"nothing provides", "a; requires: b", "a", "refused"},

	// Choice
	{"newest", "a-1-1.noarch\n a-3-1.noarch\n a-2-1.noarch", "a", "a-3-1.noarch"},
	{"alphabet", "a; requires: x\n c; provides: x\n b; provides: x", "a", "a b"},
	{"name does not win", "a; requires: x\n x\n b; provides: x", "a", "a b"},
	{"common provides", "a; requires: x\n b; provides: x = 1, v = 1\n c; provides: x = 2, v = 2", "a", "a c"},
	{"obsoleted candidate", "a; requires: x\n b; provides: x\n c; provides: x; obsoletes: b", "a", "a c"},
	{"mutually obsoleted candidates", "a; requires: x\n b; provides: x; obsoletes: c\n c; provides: x; obsoletes: b", "a", "a b"},
	{"suggested candidate", "a; requires: x; suggests: c\n b; provides: x\n c; provides: x", "a", "a c"},
	{"enhancing candidate", "a; requires: x\n b; provides: x\n c; provides: x; enhances: a", "a", "a c"},
	{"recommended candidate without weak", "a; requires: x; recommends: c\n b; provides: x\n c; provides: x", "a", "a c"},
	{"supplementing candidate without weak", "a; requires: x\n b; provides: x\n c; provides: x; supplements: a", "a", "a c"},
	{"old build of another name", "a; requires: x\n b-1-1.noarch; provides: x\n b-2-1.noarch\n c; provides: x", "a", "a c"},
	{"hidden build makes old", "a; requires: x\n b-1-1.noarch; provides: x\n b-2-1.noarch hidden\n c; provides: x", "a", "a c"},
	{"hidden is never taken", "a; requires: x\n b hidden; provides: x", "a", "refused"},
	{"recommended candidate that no second look finds", "a; requires: x; recommends: j\n f; provides: x; recommends: x\n j; provides: x", "a", "a j"},
	{"one build left before a choice", "a; requires: x, y\n b; provides: x; conflicts: d = 2\n c; provides: x\n d-1-1.noarch; provides: y\n d-2-1.noarch; provides: y", "a", "a c d-2-1.noarch"},
	{"a choice put off", "a; requires: x, y\n b; provides: x; conflicts: e\n c; provides: x\n d; provides: y\n e; provides: y; obsoletes: d", "a", "a c e"},
	{"one that is needed anyway", "a; requires: x, y\n b; provides: x\n c; provides: x, y", "a", "a c"},

	// Exclusion
	{"conflict", "a; conflicts: b\n b", "a b", "refused"},
	{"conflict with a range", "a; conflicts: b < 2\n b-2-1.noarch", "a b", "a b-2-1.noarch"},
	{"conflict with a provide", "a; conflicts: x\n b; provides: x", "a b", "refused"},
	{"own conflict", "a; provides: x; conflicts: x", "a", "a"},
	{"conflict leads elsewhere", "a; requires: x; conflicts: b\n b; provides: x\n c; provides: x", "a", "a c"},
	{"second thoughts", "a; requires: x, y\n b; provides: x; requires: z\n c; provides: x\n d; provides: y; conflicts: z\n z", "a", "a c d"},
	{"obsoletes by name", "a; obsoletes: b\n b", "a.noarch b.noarch", "refused"},
	{"obsoletes not by provide", "a; obsoletes: x\n b; provides: x", "a b", "a b"},
	{"obsoletes a range", "a; obsoletes: b < 2\n b-2-1.noarch", "a b", "a b-2-1.noarch"},
	{"obsoleter of a request", "a\n b; obsoletes: a", "a", "b"},
	{"obsoleter of an arch request", "a\n b; obsoletes: a", "a.noarch", "a"},
	{"two builds of a name", "a; requires: b = 1\n c; requires: b = 2\n b-1-1.noarch\n b-2-1.noarch", "a c", "refused"},
	{"kernels of one build in two architectures", "a; requires: kernel = 1\n kernel-1-1.i686\n kernel-1-1.x86_64", "a kernel.i686 kernel.x86_64", "a kernel-1-1.i686 kernel-1-1.x86_64"},
	{"install only by a provide", "a; requires: m = 1\n c; requires: m = 2\n m-1-1.noarch; provides: installonlypkg(kernel-module)\n m-2-1.noarch; provides: installonlypkg(kernel-module)", "a c", "a c m m-2-1.noarch"},
	{"install only and not", "a; requires: m = 1\n c; requires: m = 2\n m-1-1.noarch; provides: installonlypkg(vm)\n m-2-1.noarch", "a c", "refused"},
	{"an old kernel beside a name", "a; requires: kernel = 1\n kernel-1-1.noarch\n kernel-2-1.noarch", "a kernel", "a kernel kernel-2-1.noarch"},
	{"install only obsoletes all the same", "kernel-1-1.noarch; obsoletes: b\n b", "kernel.noarch b.noarch", "refused"},
	{"kernels side by side", "a; requires: kernel = 1\n c; requires: kernel = 2\n kernel-1-1.noarch\n kernel-2-1.noarch", "a c", "a c kernel kernel-2-1.noarch"},

	// Architectures
	{"best architecture", "a-1-1.i686\n a-1-1.x86_64", "a", "a-1-1.x86_64"},
	{"noarch and i686", "a; requires: x\n b-1-1.i686; provides: x\n c; provides: x", "a", "a b-1-1.i686"},
	{"exact i686 alone", "a-1-1.i686\n a-1-1.x86_64", "a.i686", "a-1-1.i686"},
	{"lock step", "a; requires: x\n b-1-1.i686; provides: x\n b-1-1.x86_64", "a", "a b-1-1.i686 b-1-1.x86_64"},
	{"a better architecture that nothing brings up", "a; requires: x\n b-1-1.i686; provides: x\n b-2-1.x86_64", "a", "a b-1-1.i686"},
	{"a better architecture that a suggestion brings up", "a; requires: x; suggests: b = 2\n b-1-1.i686; provides: x\n b-2-1.x86_64", "a", "refused"},
	{"lock step needs the same build", "a; requires: x\n b-1-1.i686; provides: x\n b-2-1.x86_64\n c; requires: b(y)\n c; provides: b(y)", "a", "a b-1-1.i686"},
	{"no other machine", "a-1-1.aarch64", "a", "refused"},
	{"x86_64 and i686 of one build", "a-1-1.i686\n a-1-1.x86_64", "a.i686 a.x86_64", "a-1-1.i686 a-1-1.x86_64"},
	{"x86_64 and i686 of two builds", "a-1-1.i686\n a-2-1.x86_64", "a.i686 a.x86_64", "a-1-1.i686 a-2-1.x86_64"},
	{"noarch and x86_64 of one name", "a-1-1.noarch; provides: x\n a-1-1.x86_64; provides: y\n b; requires: x, y", "b", "refused"},

	// Best
	{"best or nothing", "a-1-1.noarch\n a-2-1.noarch; requires: x", "a", "refused"},
	{"an older one will do", "a-1-1.noarch\n a-2-1.noarch; requires: x", "nobest: a", "a"},
	{"dependencies may be older", "a; requires: b\n b-1-1.noarch\n b-2-1.noarch; requires: x", "a", "a b"},

	// Rich dependencies
	{"or", "a; requires: (c or b)\n b\n c", "a", "a b"},
	{"and", "a; requires: (b and c)\n b\n c", "a", "a b c"},
	{"if not there", "a; requires: (b if c)\n b\n c", "a", "a"},
	{"if there", "a; requires: (b if c)\n b\n c", "a c", "a b c"},
	{"if there later", "a; requires: (b if c), d\n b\n c\n d; requires: c", "a", "a b c d"},
	{"if not to be had", "a; requires: (x if c), y\n c; provides: y\n d; provides: y", "a", "a d"},
	{"if else: then", "a; requires: (b if c else d)\n b\n c\n d", "a c", "a b c"},
	{"if else: the condition is a candidate", "a; requires: (b if c else d)\n b\n c\n d", "a", "a b c"},
	{"if else: else", "a; requires: (b if z else d)\n b\n d\n z", "a", "a d"},
	{"unless in conflicts", "a; conflicts: (b unless c)\n b\n c", "a b", "a b c"},
	{"unless in conflicts refused", "a; conflicts: (b unless c)\n b", "a b", "refused"},
	{"unless else in conflicts", "a; conflicts: (b unless c else d)\n b\n c\n d", "a b c", "a b c"},
	{"unless else in conflicts refused", "a; conflicts: (b unless c else d)\n b\n c\n d", "a c d", "refused"},
	{"if else nested", "a; requires: (b if (c if d else e) else f)\n b\n c\n d\n e\n f", "a d", "a b c d"},
	{"unless else with both", "a; conflicts: (b unless c else d)\n b\n c\n d", "a b", "a b c"},
	{"unless else nested", "a; conflicts: ((b or d) unless (c and e) else f)\n b\n c\n d\n e\n f", "a d c", "a c d e"},
	{"conflict with both", "a; conflicts: (b and c)\n b\n c", "a b", "a b"},
	{"conflict with both refused", "a; conflicts: (b and c)\n b\n c", "a b c", "refused"},
	{"with", "a; requires: (x >= 2 with x < 4)\n b-1-1.noarch; provides: x = 1\n c; provides: x = 3\n d; provides: x = 5", "a", "a c"},
	{"with is one package", "a; requires: (x with y)\n b; provides: x\n c; provides: y", "a", "refused"},
	{"without", "a; requires: (x without y)\n b; provides: x, y\n c; provides: x", "a", "a c"},
	{"nested", "a; requires: ((b and c) or (d and e))\n b; requires: nothing\n c\n d\n e", "a", "a d e"},
	{"nested if", "a; requires: ((b or c) if (d and e))\n b\n c\n d\n e", "a d e", "a b d e"},

	// Weak dependencies
	{"recommends off", "a; recommends: b\n b", "a", "a"},
	{"recommends", "a; recommends: b\n b; requires: c\n c; recommends: d\n d", "weak: a", "a b c d"},
	{"recommends what is not to be had", "a; recommends: b\n b; requires: x", "weak: a", "a"},
	{"recommends what conflicts", "a; recommends: b; conflicts: c\n b; requires: c\n c", "weak: a", "a"},
	{"recommends met already", "a; requires: c; recommends: x\n b; provides: x\n c; provides: x", "weak: a", "a c"},
	{"supplements", "a\n b; supplements: a\n c; supplements: b", "weak: a", "a b c"},
	{"supplements both", "a\n b; supplements: (a and c)\n c", "weak: a", "a"},
	{"supplements both there", "a; requires: c\n b; supplements: (a and c)\n c", "weak: a", "a b c"},
	{"supplements if", "a\n b; supplements: (a if c)\n c", "weak: a", "a b"},
	{"supplements if else", "a; requires: c\n b; supplements: (d if c else a)\n c\n d", "weak: a", "a c"},
	{"supplements unless", "a\n b; supplements: (a unless c)\n c", "weak: a", "a b"},
	{"supplements unless else", "a; requires: c\n b; supplements: (d unless c else a)\n c\n d", "weak: a", "a b c"},
	{"supplements or", "a\n b; supplements: (c or a)\n c", "weak: a", "a b"},
	{"rich recommends", "a; recommends: (b and c)\n b\n c", "weak: a", "a b c"},
	{"rich recommends if", "a; recommends: (b if c)\n b\n c", "weak: a", "a"},
	{"rich recommends if there", "a; recommends: (b if c); requires: c\n b\n c", "weak: a", "a b c"},
	{"rich suggests", "a; suggests: (c if a); requires: x\n b; provides: x\n c; provides: x", "a", "a c"},
	{"suggests brings nothing", "a; suggests: b\n b; enhances: a", "weak: a", "a"},
	{"best version of a recommendation", "a; recommends: b\n b-1-1.noarch\n b-2-1.noarch", "weak: a", "a b-2-1.noarch"},
	{"recommendation for another architecture", "a-1-1.x86_64; recommends: b\n b-1-1.i686\n b-1-1.x86_64", "weak: a", "a-1-1.x86_64 b-1-1.x86_64"},
	{"supplement of another architecture", "a; requires: b(i)\n b-1-1.i686; provides: b(i)\n b-1-1.x86_64; supplements: a", "weak: a", "a b-1-1.i686 b-1-1.x86_64"},

	{"recommendations in the order of use", "a; recommends: b, c\n b; conflicts: x\n c-2-1.noarch; requires: x\n c-1-1.noarch\n d; provides: x", "weak: a", "a c-2-1.noarch d"},
	{"recommendations in the order of the alphabet", "a; recommends: c, b\n b; conflicts: x\n c; requires: x\n d; provides: x", "weak: a", "a b"},
	{"plain recommendations before rich ones", "a; recommends: (c and d), b\n b; conflicts: x\n c; requires: x\n d; provides: x", "weak: a", "a b"},

	// Minimising
	{"needless choice", "a; requires: x, p\n b; provides: x\n c; provides: x\n p; requires: q\n q; requires: (c or d), (c if p)\n d", "a", "a c p q"},
	{"recommended instead", "a; requires: x, p\n b; provides: x\n c; provides: x\n p; requires: (y or z)\n y; recommends: c\n z", "a", "a c p y"},
}

// readRequest splits the options from the words of a case.
func readRequest(text string) Job {
	job := Job{Best: true}
	if options, words, ok := strings.Cut(text, ": "); ok {
		job.Weak = strings.Contains(options, "weak")
		job.Best = !strings.Contains(options, "nobest")
		text = words
	}
	job.Requests = strings.Fields(text)
	return job
}

func TestCases(t *testing.T) {
	for _, test := range smallCases {
		t.Run(test.name, func(t *testing.T) {
			pool := smallPool(t, parseSmall(t, test.packages))
			s := NewSolver(pool)
			r, err := s.Solve(t.Context(), readRequest(test.request))
			if got := outcome(s, r, err); got != test.want {
				t.Errorf("install %s: %s; want %s\n%v", test.request, got, test.want, err)
			}
			if err == nil && !strings.Contains(test.packages, "kernel") {
				if err := valid(pool, r.Packages); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestRepositories holds priority and cost.
func TestRepositories(t *testing.T) {
	for _, test := range []struct {
		name  string
		repos []rpm.Repo
		want  string
	}{
		{"newest", []rpm.Repo{{ID: "one", Priority: 99, Cost: 1000}, {ID: "two", Priority: 99, Cost: 1000}}, "a b-2-1.noarch@two"},
		{"priority", []rpm.Repo{{ID: "one", Priority: 10, Cost: 1000}, {ID: "two", Priority: 99, Cost: 1000}}, "a b-1-1.noarch@one"},
		{"cost is no priority", []rpm.Repo{{ID: "one", Priority: 99, Cost: 10}, {ID: "two", Priority: 99, Cost: 1000}}, "a b-2-1.noarch@two"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := NewSolver(smallPool(t, parseSmall(t, "a@one; requires: b\n b-1-1.noarch@one\n b-2-1.noarch@two"), test.repos...))
			r, err := s.Solve(t.Context(), Job{Requests: []string{"a"}, Best: true})
			if err != nil {
				t.Fatal(err)
			}
			id := r.Packages[1]
			if got := "a " + s.pool.NEVRA(id) + "@" + s.pool.Repo(s.pool.Package(id).Repo).ID; got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	for cheap, want := range map[int]string{0: "one", 1: "two"} {
		repos := []rpm.Repo{{ID: "one", Priority: 99, Cost: 1000}, {ID: "two", Priority: 99, Cost: 1000}}
		repos[cheap].Cost = 10
		s := NewSolver(smallPool(t, parseSmall(t, "a@one\n a@two"), repos...))
		r, err := s.Solve(t.Context(), Job{Requests: []string{"a"}, Best: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.pool.Repo(s.pool.Package(r.Packages[0]).Repo).ID; got != want {
			t.Errorf("equal builds: taken from %s, the cheaper is %s", got, want)
		}
	}
}
