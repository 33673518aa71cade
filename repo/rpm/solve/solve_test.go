package solve

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

func TestWhy(t *testing.T) {
	s := NewSolver(smallPool(t, parseSmall(t, `
		a; requires: b, (x if b); recommends: r
		b; requires: lib >= 2
		c; provides: lib = 3
		r
		s; supplements: r
		z; provides: x
		k; conflicts: (c unless n)
		n
	`)))
	r, err := s.Solve(t.Context(), Job{Requests: []string{"a", "k"}, Weak: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a": "a",
		"b": "a > a requires b",
		"c": "a > a requires b > b requires lib >= 2",
		"z": "a > a requires (x if b)",
		"r": "a > a recommends r",
		"s": "a > a recommends r > r is supplemented by r",
		"n": "k > k would conflict without (c unless n)",
	} {
		id := s.pool.ByName(s.pool.Lookup(name))[0]
		if got := chain(s, r.Why(id)); got != want {
			t.Errorf("why %s: %s; want %s", name, got, want)
		}
	}
	if links := r.WantedBy(s.pool.ByName(s.pool.Lookup("b"))[0]); len(links) != 1 || links[0].Relation != Requires {
		t.Errorf("b is wanted by %v", links)
	}
	if why := r.Why(rpm.System); why != nil {
		t.Errorf("why the system: %v", why)
	}
}

// chain writes a chain of links in short.
func chain(s *Solver, links []Link) string {
	var words []string
	for _, l := range links {
		if l.Relation == Request {
			words = append(words, l.Request)
			continue
		}
		words = append(words, strings.Join([]string{s.pool.String(s.info[l.By].name), l.Relation.String(), s.pool.DepString(l.Dep)}, " "))
	}
	return strings.Join(words, " > ")
}

func TestPassedOver(t *testing.T) {
	s := NewSolver(smallPool(t, parseSmall(t, `
		a; requires: b
		b-1-1.noarch
		b-2-1.noarch; requires: libcrypto.so.3(OPENSSL_3.4.0)(64bit)
		b-3-1.noarch hidden
		openssl-libs; provides: libcrypto.so.3()(64bit)
	`)))
	job := Job{Requests: []string{"a"}, Best: true}
	r, err := s.Solve(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	passed, err := s.PassedOver(t.Context(), job, r)
	if err != nil || len(passed) != 1 {
		t.Fatalf("passed over: %v, %v", passed, err)
	}
	p := passed[0]
	if s.pool.NEVRA(p.Newer) != "b-2-1.noarch" || s.pool.NEVRA(p.Taken) != "b-1-1.noarch" {
		t.Errorf("%s instead of %s", s.pool.NEVRA(p.Taken), s.pool.NEVRA(p.Newer))
	}
	want := `requested b-2-1.noarch
  nothing provides libcrypto.so.3(OPENSSL_3.4.0)(64bit) needed by b-2-1.noarch
    (libcrypto.so.3()(64bit) of openssl-libs-1-1.noarch has no OPENSSL_3.4.0)`
	if p.Problem == nil || p.Problem.String() != want {
		t.Errorf("%v\nwant\n%s", p.Problem, want)
	}
	if got := p.Problem.Requirement(); got != "libcrypto.so.3(OPENSSL_3.4.0)(64bit)" {
		t.Errorf("kept out by %q", got)
	}
	job.Pins = []string{"b=1"}
	if passed, err := s.PassedOver(t.Context(), job, r); err != nil || len(passed) != 0 {
		t.Errorf("a pinned build was passed over: %v, %v", passed, err)
	}
}

// TestPassedOverIsNotWhatWasDecided holds what is told of builds that exclude
// each other, and that a choice made by hand is not told back.
func TestPassedOverIsNotWhatWasDecided(t *testing.T) {
	for _, test := range []struct{ name, packages, requests, pins, want string }{
		{"the newest exclude each other", "a-1-1.noarch\n a-2-1.noarch; conflicts: b = 2\n b-1-1.noarch\n b-2-1.noarch", "a b", "",
			"b-2-1.noarch: a-2-1.noarch conflicts with b = 2 provided by b-2-1.noarch"},
		{"a requirement wants the older", "a; requires: b = 1\n b-1-1.noarch\n b-2-1.noarch", "a", "",
			"b-2-1.noarch: cannot install both b-2-1.noarch and b-1-1.noarch"},
		{"a pin", "a-1-1.noarch\n a-2-1.noarch; requires: x", "a", "a=1", ""},
		{"a request for a build", "a-1-1.noarch\n a-2-1.noarch; requires: x", "a-1", "", ""},
		{"held back by a pin", "a-1-1.noarch; requires: b = 1\n a-2-1.noarch; requires: b = 2\n b-1-1.noarch\n b-2-1.noarch", "a", "b=1", ""},
		{"a successor under another name", "a-1-1.noarch\n b-2-1.noarch; obsoletes: a < 2; requires: x", "a", "",
			"b-2-1.noarch: nothing provides x needed by b-2-1.noarch"},
		{"the newest of the successors", "a-1-1.noarch\n b-2-1.noarch; obsoletes: a; requires: x\n b-3-1.noarch; obsoletes: a; requires: y", "a", "",
			"b-3-1.noarch: nothing provides y needed by b-3-1.noarch"},
		{"a newer build and a successor", "a-1-1.noarch\n a-2-1.noarch; requires: y\n b-2-1.noarch; obsoletes: a; requires: x", "a", "",
			"a-2-1.noarch: nothing provides y needed by a-2-1.noarch; b-2-1.noarch: nothing provides x needed by b-2-1.noarch"},
		{"a successor that is taken", "a-1-1.noarch\n b-2-1.noarch; obsoletes: a < 2", "a", "", ""},
		{"a successor of a build asked for exactly", "a-1-1.noarch\n b-2-1.noarch; obsoletes: a; requires: x", "a-1-1.noarch", "", ""},
		{"a successor and a pin", "a-1-1.noarch\n b-2-1.noarch; obsoletes: a; requires: x", "a", "a=1", ""},
		{"beside a pin", "a-1-1.noarch\n a-2-1.noarch; requires: x\n b-1-1.noarch\n b-2-1.noarch", "a b", "b=1",
			"a-2-1.noarch: nothing provides x needed by a-2-1.noarch"},
	} {
		s := NewSolver(smallPool(t, parseSmall(t, test.packages)))
		job := Job{Requests: strings.Fields(test.requests), Pins: strings.Fields(test.pins)}
		r, err := s.Solve(t.Context(), job)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		passed, err := s.PassedOver(t.Context(), job, r)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		var got []string
		for _, p := range passed {
			got = append(got, s.pool.NEVRA(p.Newer)+": "+p.Problem.Cause())
		}
		if strings.Join(got, "; ") != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestPins(t *testing.T) {
	packages := parseSmall(t, "a; requires: b\n b-1-1.noarch\n b-1-2.noarch\n b-2-1.noarch\n b-1:1-1.noarch")
	s := NewSolver(smallPool(t, packages))
	for pin, want := range map[string]string{
		"":        "a b-1:1-1.noarch",
		"b=1":     "a b-1-2.noarch",
		"b = 1-1": "a b",
		"b=1:1":   "a b-1:1-1.noarch",
		"b=2-1":   "a b-2-1.noarch",
	} {
		job := Job{Requests: []string{"a", "b"}, Best: true}
		if pin != "" {
			job.Pins = []string{pin}
		}
		r, err := s.Solve(t.Context(), job)
		if got := outcome(s, r, err); got != want {
			t.Errorf("pin %q: %s, want %s", pin, got, want)
		}
	}
}

func TestRequestForms(t *testing.T) {
	s := NewSolver(smallPool(t, parseSmall(t, `
		bash-5.1-2.x86_64; provides: /bin/sh
		bash-5.1-2.i686
		bash-5.0-1.x86_64
		bash-doc-2:5.1-2.noarch
		name-with.dots-1.noarch; provides: perl(Foo::Bar) = 3.1, cap
		old; provides: cap = 2
		new; obsoletes: old
		hid hidden
		gone-1-1.src
	`)))
	for request, want := range map[string]string{
		"bash":                         "bash-5.1-2.x86_64 bash-5.1-2.i686 bash-5.0-1.x86_64",
		"bash.x86_64":                  "bash-5.1-2.x86_64 bash-5.0-1.x86_64",
		"bash-5.1":                     "bash-5.1-2.x86_64 bash-5.1-2.i686",
		"bash-5.1-2.i686":              "bash-5.1-2.i686",
		"bash-0:5.0-1":                 "bash-5.0-1.x86_64",
		"bash-1:5.0-1":                 "",
		"bash-5.*-2.x86_64":            "bash-5.1-2.x86_64",
		"bash-doc-2:5.1":               "bash-doc-2:5.1-2.noarch",
		"bash*":                        "bash-5.1-2.x86_64 bash-5.1-2.i686 bash-5.0-1.x86_64 | bash-doc-2:5.1-2.noarch",
		"bash.*":                       "bash-5.1-2.x86_64 bash-5.0-1.x86_64 | bash-5.1-2.i686",
		"b?sh":                         "bash-5.1-2.x86_64 bash-5.1-2.i686 bash-5.0-1.x86_64",
		"[!x]ash":                      "bash-5.1-2.x86_64 bash-5.1-2.i686 bash-5.0-1.x86_64",
		"name-with.dots":               "name-with.dots-1.noarch",
		"name-with.dots-1":             "name-with.dots-1.noarch",
		"name":                         "name-with.dots-1.noarch",
		"perl(Foo::Bar)":               "name-with.dots-1.noarch",
		"perl(Foo::Bar) >= 3":          "name-with.dots-1.noarch",
		"perl(Foo::Bar) > 3.1":         "",
		"perl(*)":                      "name-with.dots-1.noarch",
		"cap >= 3":                     "name-with.dots-1.noarch",
		"cap < 3":                      "name-with.dots-1.noarch old-1-1.noarch",
		"cap<3":                        "",
		"cap == 2-1":                   "name-with.dots-1.noarch old-1-1.noarch",
		"/bin/sh":                      "bash-5.1-2.x86_64",
		"/bin/nosuch":                  "",
		"old":                          "old-1-1.noarch new-1-1.noarch",
		"old-1":                        "old-1-1.noarch",
		"hid":                          "",
		"gone":                         "",
		"":                             "",
		"*nothing*":                    "",
		"nothing.noarch":               "",
		"-":                            "",
		"a b":                          "",
		strings.Repeat("*a", 30) + "b": "",
	} {
		var groups []string
		for _, j := range s.jobsOf(request) {
			var ids []string
			for _, id := range j.candidates {
				ids = append(ids, s.pool.NEVRA(id))
			}
			groups = append(groups, strings.Join(ids, " "))
		}
		if got := strings.Join(groups, " | "); got != want {
			t.Errorf("%q means %q, want %q", request, got, want)
		}
	}
}

func TestRuleOrder(t *testing.T) {
	want := [][]lit{{-9, -3}, {-9, -3, -2, 4}, {-9}, {-9, 2}, {-9, 2, 3}, {-9, 2, 3, 4}, {-9, 2, 4}, {-8}, {-8, 1}}
	got := slices.Clone(want)
	slices.Reverse(got)
	got = append(got, []lit{-9, 2}, []lit{-9, 2, 3})
	got = sortRules(got)
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestNormalForms(t *testing.T) {
	pool := smallPool(t, parseSmall(t, "user; requires: (a and (b or c)), (a if b), (a if b else c), (a unless b), (a and nothing), (a or rpmlib(x)), ((a or b) and (a or c)), (b if (a or c)), (a unless a)\n a\n b\n c"))
	// ids: user 2, a 3, b 4, c 5
	for i, want := range []struct{ cnf, dnf string }{
		{"3 | 4,5", "3,4 | 3,5"},
		{"-4,3", "3 | -4"},
		{"-4,3 | 4,5", "3,4 | 3,5 | -4,5"},
		{"3 | -4", "-4,3"},
		{"never", "never"},
		{"always", "always"},
		{"3,4 | 3,5", "3 | 3,5 | 3,4 | 4,5"},
		{"-3,4 | -5,4", "4 | -5,-3"},
		{"3 | -3", "never"},
	} {
		d := pool.Package(2).Requires[i]
		if got := writeBlocks(normalise(pool, d, cnf)); got != want.cnf {
			t.Errorf("%s as cnf: %s, want %s", pool.DepString(d), got, want.cnf)
		}
		if got := writeBlocks(normalise(pool, d, dnf)); got != want.dnf {
			t.Errorf("%s as dnf: %s, want %s", pool.DepString(d), got, want.dnf)
		}
	}
}

func writeBlocks(b blocks) string {
	switch b.verdict {
	case never:
		return "never"
	case always:
		return "always"
	case tooLarge:
		return "too large"
	}
	var out []string
	for _, block := range b.list {
		var words []string
		for _, l := range block {
			words = append(words, itoa(l))
		}
		out = append(out, strings.Join(words, ","))
	}
	return strings.Join(out, " | ")
}

func itoa(l lit) string {
	if l < 0 {
		return "-" + itoa(-l)
	}
	return string(rune('0' + l))
}

// TestTooLarge holds that a dependency made to explode only rules its package
// out, in bounded time.
func TestTooLarge(t *testing.T) {
	var text strings.Builder
	text.WriteString("bomb; requires: ((x and x1) or (x and x2) or (x and x3) or (x and x4))\nfine\n")
	for i := range 60 {
		text.WriteString("p" + strings.Repeat("i", i) + "; provides: x, x1, x2, x3, x4\n")
	}
	deep := "(x and x1)"
	for range 12 {
		deep = "((x and x1) if " + deep + " else (x or x2))"
	}
	text.WriteString("deep; requires: " + deep + "\n")
	s := NewSolver(smallPool(t, parseSmall(t, text.String())))
	for request, want := range map[string]string{"fine": "fine", "deep": "refused"} {
		r, err := s.Solve(t.Context(), Job{Requests: []string{request}})
		if got := outcome(s, r, err); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
	s.Solve(t.Context(), Job{Requests: []string{"bomb"}}) // must come back
}

func TestContext(t *testing.T) {
	s := NewSolver(smallPool(t, parseSmall(t, "a")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Solve(ctx, Job{Requests: []string{"a"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := s.Solve(t.Context(), Job{Requests: []string{"a"}}); err != nil {
		t.Errorf("after a cancelled job: %v", err)
	}
}

// TestConcurrent solves on several goroutines and compares with one alone.
func TestConcurrent(t *testing.T) {
	packages := parseSmall(t, "a; requires: x, y\n b; provides: x; requires: z\n c; provides: x\n d; provides: y; conflicts: z\n z")
	want := "a c d"
	s := NewSolver(smallPool(t, packages))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				r, err := s.Solve(t.Context(), Job{Requests: []string{"a"}, Weak: true})
				if got := outcome(s, r, err); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestAllProblems(t *testing.T) {
	s := NewSolver(smallPool(t, parseSmall(t, "a; requires: x\n b; requires: y\n c\n d; conflicts: c")))
	_, err := s.Solve(t.Context(), Job{Requests: []string{"a", "nothing", "c", "b", "d"}})
	var u *Unsolvable
	if !errors.As(err, &u) || !errors.Is(err, manifest.ErrUnsolvable) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range u.Problems {
		got = append(got, strings.Join(p.Requests, "+"))
	}
	slices.Sort(got)
	if strings.Join(got, " ") != "a b c+d nothing" {
		t.Errorf("problems: %v", got)
	}
}
