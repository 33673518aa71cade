//go:build oracle

package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgbundle/install/node"
)

// TestDigestForReal takes the digests of more files than one call can name with
// the real sha256sum.
func TestDigestForReal(t *testing.T) {
	m, err := node.Open("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(top, "playbook"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		name := filepath.Join(top, "playbook", fmt.Sprintf("%0100d.py", i))
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list, err := scan(t.Context(), m, top)
	if err != nil || len(list) != 2000 {
		t.Fatalf("%d files: %v", len(list), err)
	}
	for _, e := range list {
		if sum := sha256.Sum256([]byte(e.path)); e.sha256 != hex.EncodeToString(sum[:]) || e.size != int64(len(e.path)) {
			t.Fatalf("%+v", e)
		}
	}
	if err := os.Remove(list[1999].path); err != nil {
		t.Fatal(err)
	}
	if err := digest(t.Context(), m, list); err == nil {
		t.Error("a file that is gone has a digest")
	}
}
