//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"pgbundle/bundle"
	"pgbundle/manifest"
)

// TestFlips turns single bits of the real bundle over: as many as PGBUNDLE_FLIPS
// says, else a few.
func TestFlips(t *testing.T) {
	s := newSite(t)
	s.build(t)
	s.flips(t)
}

// flips holds that verify sees every flipped bit, wherever it lies, and names the
// one member that it lies in. Where members begin is what gzip and tar say, not
// what pgbundle does.
func (s *site) flips(t *testing.T) {
	tries := 60
	if text := os.Getenv("PGBUNDLE_FLIPS"); text != "" {
		var err error
		if tries, err = strconv.Atoi(text); err != nil || tries < 1 {
			t.Fatalf("PGBUNDLE_FLIPS=%q: takes a number", text)
		}
	}
	data, err := os.ReadFile(s.archive)
	if err != nil {
		t.Fatal(err)
	}
	members := membersOf(t, data)
	if r, err := bundle.VerifyArchive(t.Context(), bytes.NewReader(data), int64(len(data)), bundle.VerifyOptions{}); err != nil || r.Err() != nil {
		t.Fatalf("the bundle itself: %v, %v", err, r.Err())
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	// The head and the end are small, and every member has its edges.
	offsets := []int64{0, int64(len(data)) - 1}
	for _, m := range append(members[:4:4], members[random.IntN(len(members))], members[len(members)-1]) {
		offsets = append(offsets, m.from, (m.from+m.to)/2, m.to-1)
	}
	for range tries {
		offsets = append(offsets, random.Int64N(int64(len(data))))
	}
	found := map[string]int{"member": 0, "manifest": 0, "missed": 0}
	for _, at := range offsets {
		kind, err := flip(t.Context(), data, at, uint(random.IntN(8)), memberAt(members, at))
		found[kind]++
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	t.Logf("%d flips in %d bytes of %d members: %v", len(offsets), len(data), len(members), found)
	s.evidence.Facts["flips"] = map[string]any{"flips": len(offsets), "bytes": len(data), "members": len(members), "found": found}
}

// flip verifies the archive with one bit turned over, which lies in the member.
// It says what noticed it: a member, the manifest or nobody.
func flip(ctx context.Context, data []byte, at int64, bit uint, member string) (string, error) {
	what := fmt.Sprintf("bit %d of byte %d, in %s", bit, at, member)
	r, err := bundle.VerifyArchive(ctx, &flipped{bytes.NewReader(data), at, 1 << bit}, int64(len(data)), bundle.VerifyOptions{})
	switch {
	case err != nil:
		return "missed", fmt.Errorf("%s: %w", what, err)
	case r.Err() == nil:
		return "missed", fmt.Errorf("%s: nobody noticed", what)
	case !errors.Is(r.Err(), manifest.ErrDamaged):
		return "missed", fmt.Errorf("%s: another class: %w", what, r.Err())
	case len(r.Findings) != 1 || r.Findings[0].Path != member:
		return "missed", fmt.Errorf("%s: found %v", what, r.Findings)
	case member == manifest.ManifestName && r.Incomplete == "":
		return "missed", fmt.Errorf("%s: the report does not say that nothing else was checked", what)
	case member == manifest.ManifestName:
		return "manifest", nil
	case r.Incomplete != "":
		return "missed", fmt.Errorf("%s: the rest was not checked: %s", what, r.Incomplete)
	}
	return "member", nil
}

// flipped reads an archive with one bit turned over.
type flipped struct {
	whole *bytes.Reader
	at    int64
	mask  byte
}

func (f *flipped) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.whole.ReadAt(p, off)
	if i := f.at - off; 0 <= i && i < int64(n) {
		p[i] ^= f.mask
	}
	return n, err
}

// extent is where a gzip member lies in the archive, and whose it is.
type extent struct {
	from, to int64
	name     string // below the bundle's top folder
}

// membersOf reads the archive as gzip and tar do.
func membersOf(t *testing.T, data []byte) []extent {
	t.Helper()
	in := bytes.NewReader(data) // a ByteReader: gzip takes no byte more than its own
	var members []extent
	var z gzip.Reader
	for in.Len() > 0 {
		m := extent{from: int64(len(data) - in.Len())}
		if err := z.Reset(in); err != nil {
			t.Fatalf("member %d: %v", len(members), err)
		}
		z.Multistream(false)
		header := make([]byte, 512)
		if _, err := io.ReadFull(&z, header); err != nil {
			t.Fatalf("member %d: %v", len(members), err)
		}
		if _, err := io.Copy(io.Discard, &z); err != nil {
			t.Fatalf("member %d: %v", len(members), err)
		}
		m.to, m.name = int64(len(data)-in.Len()), tarName(header)
		members = append(members, m)
	}
	return members
}

// tarName reads the name of a USTAR header (POSIX.1-1988); that of the end of an
// archive, which is zeros, is what pgbundle calls it.
func tarName(header []byte) string {
	text := func(from, n int) string {
		s, _, _ := strings.Cut(string(header[from:from+n]), "\x00")
		return s
	}
	name, prefix := text(0, 100), text(345, 155)
	if name == "" {
		return bundle.EndName
	}
	if prefix != "" {
		name = prefix + "/" + name
	}
	return strings.TrimPrefix(name, bundle.TopFolder+"/")
}

func memberAt(members []extent, at int64) string {
	for _, m := range members {
		if m.from <= at && at < m.to {
			return m.name
		}
	}
	return "no member"
}
