package solve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestProblemsAsData pins the JSON of a refusal, found through what wraps it.
func TestProblemsAsData(t *testing.T) {
	s := NewSolver(smallPool(t, parseSmall(t, `
		a; requires: b, l >= 2
		b-1-1.noarch; requires: c = 1
		b-2-1.noarch; requires: c = 2
		l-1-1.noarch
		d; conflicts: e < 2
		e-1-1.noarch
		f; requires: g
		g-1-1.noarch hidden
		g-2-1.noarch excluded
		h-1-1.noarch
		h-2-1.noarch
		i; requires: h >= 2
	`)))
	_, err := s.Solve(t.Context(), Job{Requests: []string{"a", "d", "e", "f", "i", "nothing"}, Pins: []string{"h=1"}})
	u, ok := errors.AsType[*Unsolvable](fmt.Errorf("resolve packages: %w", err))
	if !ok {
		t.Fatal(err)
	}
	var got bytes.Buffer
	e := json.NewEncoder(&got)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(u.Problems); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "problems.json")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the JSON changed; -update writes it anew:\n%s", got.Bytes())
	}
}
