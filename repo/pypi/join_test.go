package pypi

import (
	"errors"
	"io"
	"io/fs"
	"testing"
)

func TestJoin(t *testing.T) {
	first, second := newFixture(), newFixture()
	first.wheel("lib-1-py3-none-any.whl")
	first.wheel("app-1-py3-none-any.whl", "Requires-Dist: lib", "Requires-Dist: extra")
	second.wheel("lib-2-py3-none-any.whl")
	second.wheel("lib-1-py3-none-any.whl", "Requires-Dist: nowhere")
	second.wheel("extra-1-py3-none-any.whl")
	index := Join(first.index(t), second.index(t))
	r, err := Resolve(t.Context(), index, []string{"app"}, nil, el9)
	if err != nil || brief(r) != "app==1 extra==1 lib==2" {
		t.Errorf("got %v, %v", r, err)
	}
	if r, err = Resolve(t.Context(), index, []string{"app", "lib<2"}, nil, el9); err != nil || brief(r) != "app==1 extra==1 lib==1" {
		t.Errorf("got %v, %v", r, err)
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
