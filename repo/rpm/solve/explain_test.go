package solve

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

var update = flag.Bool("update", false, "write the golden texts anew")

// TestTexts pins how a refusal reads, of every kind, one golden file for all.
func TestTexts(t *testing.T) {
	var b strings.Builder
	seen := map[Kind]bool{}
	for _, test := range []struct{ name, packages, request, pins string }{
		{"a word that is near", "haproxy\n hazelcast", "hapoxy", ""},
		{"nothing near", "haproxy", "postgresql", ""},
		{"nothing provides", "a; requires: b >= 2\n b-1-1.noarch\n b-0.9-1.noarch", "a", ""},
		{"several things missing", "a; requires: x, y", "a", ""},
		{"a chain", "a; requires: b\n b; requires: c\n c; requires: d", "a", ""},
		{"every build fails", "a; requires: b\n b-1-1.noarch; requires: l = 1-1\n b-2-1.noarch; requires: l = 2-1\n b-3-1.noarch; requires: l = 3-1\n l-4-1.noarch", "a", ""},
		{"the newest fails", "a-1-1.noarch\n a-2-1.noarch; requires: x", "a", ""},
		{"symbols of a library", "a; requires: libcrypto.so.3(OPENSSL_3.4.0)(64bit)\n openssl-libs-3.0.7-1.x86_64; provides: libcrypto.so.3()(64bit), libcrypto.so.3(OPENSSL_3.0.0)(64bit)", "a", ""},
		{"other symbols of a library", "a; requires: libx.so.1(X_FEW)(64bit)\n b; provides: libx.so.1()(64bit), libx.so.1(X_2.0)(64bit)", "a", ""},
		{"a whole library", "a; requires: libx.so.1()(64bit), libx.so.1(X_1.0)(64bit), y", "a", ""},
		{"many things missing", "a; requires: q, r, s, t, u, v, w, x", "a", ""},
		{"many builds", "a; requires: b\n b-1-1.noarch; requires: x\n b-2-1.noarch; requires: x\n b-3-1.noarch; requires: x\n b-4-1.noarch; requires: x\n b-5-1.noarch; requires: x", "a", ""},
		{"another library", "a; requires: libldap.so.2()(64bit)\n openldap-compat; provides: libldap-2.4.so.2()(64bit)", "a", ""},
		{"filtered", "a; requires: b\n b hidden", "a", ""},
		{"a filtered request", "b hidden", "b", ""},
		{"shadowed by a module", "a; requires: b\n b shadowed", "a", ""},
		{"excluded", "a; requires: b\n b-1-1.noarch excluded\n b-2-1.noarch excluded", "a", ""},
		{"not included", "a; requires: b\n b unlisted", "a", ""},
		{"filtered in several ways", "a; requires: b\n b-1-1.noarch hidden\n b-2-1.noarch excluded\n b-3-1.noarch@more excluded\n b-4-1.noarch shadowed", "a", ""},
		{"another machine", "a-1-1.aarch64", "a", ""},
		{"nothing for this machine", "a; requires: b(x86-64) = 1\n b-1-1.aarch64; provides: b(aarch-64) = 1", "a", ""},
		{"a library of 32 bits", "a; requires: libx.so.1()(64bit)\n b-1-1.i686; provides: libx.so.1", "a", ""},
		{"another architecture of a name", "a-1-1.x86_64", "a.s390x", ""},
		{"another version of a name", "a-1-1.noarch\n a-2-1.noarch", "a-3-1.noarch", ""},
		{"conflict", "a; conflicts: x < 2\n b; provides: x = 1", "a b", ""},
		{"obsoletes", "a; obsoletes: b\n b", "a.noarch b.noarch", ""},
		{"two builds", "a; requires: b = 1\n c; requires: b = 2\n b-1-1.noarch\n b-2-1.noarch", "a c", ""},
		{"rich", "a; requires: (b if c)\n c", "a c", ""},
		{"rich and impossible", "a; requires: (b and c)\n c", "a", ""},
		{"rich conflict", "a; conflicts: (b and c)\n b\n c", "a b c", ""},
		{"rich conflict unless", "a; conflicts: (b unless c)\n b", "a b", ""},
		{"inferior architecture", "a; requires: x\n b-1-1.i686; provides: x\n b-2-1.x86_64\n c; requires: b = 2", "a c", ""},
		{"two problems", "a; requires: x\n b; requires: y\n c", "a c b nothing", ""},
		{"pinned away", "a; requires: b >= 2\n b-1-1.noarch\n b-2-1.noarch", "a", "b=1"},
		{"a request that is pinned away", "b-1-1.noarch\n b-2-1.noarch", "b-2", "b=1"},
		{"a pin that fits nothing", "b-1-1.noarch\n b-2-1.noarch", "b", "b=3"},
		{"a pin that is none", "b", "b", "b"},
		{"downgrade", "b-2-1.noarch@node\n a; requires: b = 1\n b-1-1.noarch", "keep: a", ""},
		{"what the node needs", "b-1-1.noarch@node\n c@node; requires: b = 1-1\n a; requires: b >= 2\n b-2-1.noarch", "a", ""},
		{"split in vain", "b@node\n a; obsoletes: b < 2\n c; obsoletes: b < 2; requires: z", "a", ""},
		{"brought along", "a; requires: c\n e; requires: nowhere\n f", "f", ""},
		{"second thoughts in vain", "a; requires: x, y\n b; provides: x; conflicts: d\n c; provides: x; conflicts: d\n d; provides: y", "a", ""},
	} {
		s := NewSolver(smallPool(t, parseSmall(t, test.packages), rpm.Repo{ID: "node", Installed: true}))
		job := readThere(test.request)
		if test.name == "brought along" {
			job.Groups = []Group{readGroup("e+f")}
		}
		job.Pins = strings.Fields(test.pins)
		r, err := s.Solve(t.Context(), job)
		if !errors.Is(err, manifest.ErrUnsolvable) {
			t.Errorf("%s: %v, %s", test.name, err, outcome(s, r, nil))
			continue
		}
		u, _ := errors.AsType[*Unsolvable](err)
		for _, p := range u.Problems {
			for reason := range p.Chain() {
				seen[reason.Kind] = true
			}
		}
		b.WriteString("# " + test.name + ": install " + test.request + "\n" + err.Error() + "\n\n")
	}
	for k := NoMatch; k <= RichConflict; k++ {
		if !seen[k] || k.String() == "" {
			t.Errorf("no text is about kind %d, %q", k, k)
		}
	}
	golden := filepath.Join("testdata", "texts.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the texts changed; -update writes them anew:\n%s", b.String())
	}
}
