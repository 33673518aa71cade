//go:build oracle

package rpm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// TestEVROracle compares with rpm itself: its own pairs and a hundred thousand
// random ones of the characters that matter.
func TestEVROracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := make([]byte, rnd.IntN(7)+1)
		for i := range b {
			b[i] = "0019ab~^._+Z"[rnd.IntN(12)]
		}
		return string(b)
	}
	var pairs [][2]string
	for _, c := range versionPairs {
		if plainVersion(c.a) && plainVersion(c.b) {
			pairs = append(pairs, [2]string{c.a, c.b})
		}
	}
	for range 100_000 {
		a, b := word(), word()
		if rnd.IntN(2) == 0 {
			b = a[:rnd.IntN(len(a))] + b // a common start
		}
		pairs = append(pairs, [2]string{a, b})
	}
	var in bytes.Buffer
	for _, p := range pairs {
		fmt.Fprintln(&in, p[0], p[1])
	}
	cmd := exec.Command("/usr/bin/python3", "-c", `
import sys, rpm
for line in sys.stdin:
    a, b = line.split()
    print(rpm.labelCompare(("0", a, "1"), ("0", b, "1")))
`)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ask rpm: %v", err)
	}
	answers := strings.Fields(string(out))
	if len(answers) != len(pairs) {
		t.Fatalf("%d answers to %d pairs", len(answers), len(pairs))
	}
	for i, p := range pairs {
		if got := fmt.Sprint(Compare(p[0], p[1])); got != answers[i] {
			t.Errorf("%q and %q: got %s, rpm says %s", p[0], p[1], got, answers[i])
		}
	}
	t.Logf("%d pairs", len(pairs))
}
