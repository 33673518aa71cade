package pypi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Place is an index and the id that its files are told apart by.
type Place struct {
	ID    string
	Index Index
}

// Join returns an index that has the files of several places, as pip with
// --extra-index-url and --find-links: all of them are asked for each project,
// and the versions count, not the order. Of two files that are as good as each
// other pip takes the one that it comes to last, so those that no page lists
// come first, and then those of pages in the order of the places.
func Join(places ...Place) Index { return &joined{places: places} }

type joined struct {
	places []Place
	pages  flight[string, *joinedPage]
}

// joinedPage is a page and where each of its files is from.
type joinedPage struct {
	page *Page
	from map[*File]listed
}

// listed is a file as the index of one place lists it.
type listed struct {
	index Index
	file  *File
}

func (j *joined) Project(ctx context.Context, name string) (*Page, error) {
	p, err := j.project(ctx, name)
	if err != nil {
		return nil, err
	}
	return p.page, nil
}

func (j *joined) project(ctx context.Context, name string) (*joinedPage, error) {
	return j.pages.do(name, func() (*joinedPage, error) {
		out := &joinedPage{&Page{Name: name}, map[*File]listed{}}
		known := false
		for _, place := range j.places {
			page, err := place.Index.Project(ctx, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			known = true
			for _, f := range page.Files {
				own := *f
				own.Source = place.ID
				out.from[&own] = listed{place.Index, f}
				out.page.Files = append(out.page.Files, &own)
			}
		}
		if !known {
			return nil, fmt.Errorf("look up %s: none of %d places has it: %w", name, len(j.places), fs.ErrNotExist)
		}
		slices.SortStableFunc(out.page.Files, func(a, b *File) int {
			if a.link == "" || b.link == "" {
				return cmp.Compare(min(len(b.link), 1), min(len(a.link), 1))
			}
			return cmp.Compare(b.link, a.link)
		})
		return out, nil
	})
}

// find returns a file as its own index lists it.
func (j *joined) find(ctx context.Context, f *File) (listed, error) {
	p, err := j.project(ctx, f.Project)
	if err != nil {
		return listed{}, err
	}
	from, ok := p.from[f]
	if !ok {
		return listed{}, fmt.Errorf("look up %s: no place lists it: %w", f.Filename, fs.ErrNotExist)
	}
	return from, nil
}

func (j *joined) Metadata(ctx context.Context, f *File) ([]byte, error) {
	from, err := j.find(ctx, f)
	if err != nil {
		return nil, err
	}
	return from.index.Metadata(ctx, from.file)
}

func (j *joined) Cheap(ctx context.Context, f *File) bool {
	from, err := j.find(ctx, f)
	return err == nil && from.index.Cheap(ctx, from.file)
}

func (j *joined) Digest(ctx context.Context, f *File) (string, int64, error) {
	from, err := j.find(ctx, f)
	if err != nil {
		return "", 0, err
	}
	return from.index.Digest(ctx, from.file)
}

func (j *joined) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	return firstOf(j.places, func(index Index) (io.ReadCloser, error) { return index.Open(ctx, path) })
}

func (j *joined) Locate(ctx context.Context, path string) ([]string, error) {
	return firstOf(j.places, func(index Index) ([]string, error) { return index.Locate(ctx, path) })
}

// firstOf asks one place after the other until one knows the file.
func firstOf[T any](places []Place, ask func(Index) (T, error)) (answer T, err error) {
	err = fs.ErrNotExist
	for _, place := range places {
		if answer, err = ask(place.Index); !errors.Is(err, fs.ErrNotExist) {
			return answer, err
		}
	}
	return answer, err
}
