package solve

import "testing"

// BenchmarkNames solves every name of EL 9 alone; ns/goal is what one takes.
func BenchmarkNames(b *testing.B) {
	for _, weak := range []bool{false, true} {
		b.Run(map[bool]string{false: "hard", true: "weak"}[weak], func(b *testing.B) {
			s := el9Solver(b)
			all := names(s)
			for b.Loop() {
				for _, n := range all {
					s.Solve(b.Context(), Job{Requests: []string{n}, Weak: weak, Best: true})
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/goal")
		})
	}
}

// BenchmarkCold solves one goal on a solver that knows nothing yet.
func BenchmarkCold(b *testing.B) {
	pool := loadPool(b, el9Sources(b))
	for b.Loop() {
		if _, err := NewSolver(pool).Solve(b.Context(), Job{Requests: []string{"haproxy"}, Best: true}); err != nil {
			b.Fatal(err)
		}
	}
}
