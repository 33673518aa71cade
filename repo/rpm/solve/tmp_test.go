package solve
import ("testing"; "slices"; "pgbundle/repo/rpm")
func TestShow(t *testing.T) {
	s := el9Solver(t)
	for _, q := range [][]string{{"postgresql-server"}, {"libpq-devel"}, {"hapoxy"}, {"haproxy","postgresql-server","nosuchthing"}, {"postgresql.aarch64"}, {"mariadb-server","mysql-server"}, {"libreport-web.i686"}, {"gimp"}, {"nodejs-nodemon"},{"nodejs-1:18*"},{"bash.src"}} {
		r, err := s.Solve(t.Context(), Job{Requests: q, Best: true})
		t.Logf("%q\n%v", q, err)
		if r != nil { t.Log(len(r.Packages)) }
	}
	n := 0
	for i, q := range names(s) {
		_, err := s.Solve(t.Context(), Job{Requests: []string{q}, Best: true})
		if err != nil && i%9==0 { n++; if n < 40 {t.Logf("== %v", err) }}
	}
}
// names returns the names that have a visible build for the machine.
func names(s *Solver) []string {
	var out []string
	for id := rpm.System + 1; int(id) < s.pool.Len(); id++ {
		if in := &s.info[id]; in.installable && (in.score == 1 || in.class() == 1) {
			out = append(out, s.pool.String(in.name))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
