package pypi

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// manyMembers is a wheel whose directory is larger than what is read at first.
func manyMembers(x *fixture) *fixtureFile {
	f := x.wheel("big-1-py3-none-any.whl")
	members := map[string]string{}
	for i := range 6_000 {
		members[fmt.Sprintf("big/%s%d.py", strings.Repeat("deep/", 8), i)] = "pass\n"
	}
	f.content = makeWheel("big-1-py3-none-any.whl", f.metadata, members)
	x.noMetadata = true
	return f
}

// TestRangesOfLargeDirectory takes the end of a wheel, and then its directory
// and METADATA in one request.
func TestRangesOfLargeDirectory(t *testing.T) {
	x := newFixture()
	f := manyMembers(x)
	r, err := Resolve(t.Context(), x.index(t), []string{"big"}, nil, el9)
	if err != nil || brief(r) != "big==1" {
		t.Fatalf("got %v, %v", r, err)
	}
	if n := x.asked("big-1-py3-none-any.whl bytes="); n != 2 {
		t.Errorf("%d requests for a wheel of %d bytes: %q", n, len(f.content), x.requests)
	}
	if n := x.asked("big-1-py3-none-any.whl \n"); n != 0 {
		t.Errorf("%d requests for all of it", n)
	}
}

// backwards is a project of 40 versions, of which those above one ask for what
// is not there.
func backwards(works int) *fixture {
	x := newFixture()
	x.wheel("lib-1-py3-none-any.whl")
	for version := 1; version <= 40; version++ {
		need := "Requires-Dist: lib"
		if version > works {
			need = "Requires-Dist: lib>=2"
		}
		x.wheel(fmt.Sprintf("old-%d-py3-none-any.whl", version), need)
	}
	return x
}

// TestReadAheadOfOlderVersions reads the metadata of several versions at once
// when it goes back through them, and asks for each once.
func TestReadAheadOfOlderVersions(t *testing.T) {
	x := backwards(1)
	var open, most atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := open.Add(1)
		defer open.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(5 * time.Millisecond) // an index is not next door
		x.ServeHTTP(w, r)
	}))
	defer server.Close()
	index, err := Open(testClient(t), server.URL+"/simple")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Resolve(t.Context(), index, []string{"old", "lib"}, nil, el9)
	if err != nil || brief(r) != "lib==1 old==1" {
		t.Fatalf("got %v, %v", r, err)
	}
	if n := x.asked(".metadata"); n != 41 {
		t.Errorf("%d requests for the metadata of 41 wheels", n)
	}
	if most.Load() < 3 {
		t.Errorf("at most %d requests at once", most.Load())
	}
}

// TestReadAheadIsCheap reads no older wheels ahead where they would have to come
// whole.
func TestReadAheadIsCheap(t *testing.T) {
	x := backwards(30)
	x.noMetadata, x.noRanges = true, true
	noise := make([]byte, 100_000) // more than is read of the end
	rand.NewChaCha8([32]byte{}).Read(noise)
	for filename, f := range x.files["old"] {
		f.content = makeWheel(filename, f.metadata, map[string]string{"old/noise": string(noise)})
	}
	r, err := Resolve(t.Context(), x.index(t), []string{"old", "lib"}, nil, el9)
	if err != nil || brief(r) != "lib==1 old==30" {
		t.Fatalf("got %v, %v", r, err)
	}
	wheels := 0
	for filename := range x.files["old"] {
		wheels += min(x.asked(filename), 1)
	}
	if wheels != 11 {
		t.Errorf("%d wheels were read to choose the eleventh", wheels)
	}
}
