package pypi

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

func TestJoin(t *testing.T) {
	first, second := newFixture(), newFixture()
	first.wheel("lib-1-py3-none-any.whl")
	first.wheel("app-1-py3-none-any.whl", "Requires-Dist: lib", "Requires-Dist: extra")
	second.wheel("lib-2-py3-none-any.whl")
	second.wheel("lib-1-py3-none-any.whl", "Requires-Dist: extra<2")
	second.wheel("extra-1-py3-none-any.whl")
	index := Join(Place{"first", first.index(t)}, Place{"second", second.index(t)})
	r, err := Resolve(t.Context(), index, []string{"app"}, nil, el9)
	if err != nil || brief(r) != "app==1 extra==1 lib==2" {
		t.Errorf("got %v, %v", r, err)
	}
	if r, err = Resolve(t.Context(), index, []string{"app", "lib<2"}, nil, el9); err != nil || brief(r) != "app==1 extra==1 lib==1" {
		t.Errorf("got %v, %v", r, err)
	}
	// Both have lib 1: pip takes what it comes to last.
	if r.Files[0].Source != "first" || r.Files[2].Source != "second" || r.Files[2].SHA256 != hexSum(second.files["lib"]["lib-1-py3-none-any.whl"].content) {
		t.Errorf("got %+v", r.Files)
	}
	if want := []string{"lib-1-py3-none-any.whl of second is taken, and that of first has other bytes"}; !slices.Equal(r.Warnings, want) {
		t.Errorf("warnings %q, want %q", r.Warnings, want)
	}
	rc, err := index.Open(t.Context(), "lib/lib-2-py3-none-any.whl")
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if data, err := io.ReadAll(rc); err != nil || hexSum(data) != hexSum(second.files["lib"]["lib-2-py3-none-any.whl"].content) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := index.Locate(t.Context(), "lib/lib-3-py3-none-any.whl"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := index.Project(t.Context(), "nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestUnreachablePlace is an error, a 403 too: without the files of a private index
// a stranger's project of the same name would be taken.
func TestUnreachablePlace(t *testing.T) {
	var status atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	extra, err := Open(testClient(t), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	index := small().index(t)
	for code, want := range map[int64]string{404: "", 403: "403 Forbidden", 401: "401 Unauthorized", 500: "500 Internal Server Error"} {
		status.Store(code)
		r, err := Resolve(t.Context(), Join(Place{"main", index}, Place{"extra", extra}), []string{"pre"}, nil, el9)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, %v", code, r, err)
		}
	}
}
