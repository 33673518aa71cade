package pypi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Join returns an index that has the files of several, as pip's
// --extra-index-url and --find-links: all of them are asked for each project,
// and the versions count, not the order. Of two files of one name the first
// index's is taken.
func Join(indexes ...Index) Index {
	if len(indexes) == 1 {
		return indexes[0]
	}
	return &joined{indexes: indexes}
}

type joined struct {
	indexes []Index
	pages   flight[string, *joinedPage]
}

// joinedPage is a page and which index each of its files is of.
type joinedPage struct {
	page *Page
	from map[*File]Index
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
		out := &joinedPage{&Page{Name: name}, map[*File]Index{}}
		seen := map[string]bool{}
		known := false
		for _, index := range j.indexes {
			page, err := index.Project(ctx, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			known = true
			for _, f := range page.Files {
				if !seen[f.Filename] {
					seen[f.Filename], out.from[f] = true, index
					out.page.Files = append(out.page.Files, f)
				}
			}
		}
		if !known {
			return nil, fmt.Errorf("look up %s: none of %d indexes has it: %w", name, len(j.indexes), fs.ErrNotExist)
		}
		return out, nil
	})
}

// of returns the index that a file is of.
func (j *joined) of(ctx context.Context, f *File) (Index, error) {
	p, err := j.project(ctx, f.Project)
	if err != nil {
		return nil, err
	}
	index := p.from[f]
	if index == nil {
		return nil, fmt.Errorf("look up %s: no index lists it: %w", f.Filename, fs.ErrNotExist)
	}
	return index, nil
}

func (j *joined) Metadata(ctx context.Context, f *File) ([]byte, error) {
	index, err := j.of(ctx, f)
	if err != nil {
		return nil, err
	}
	return index.Metadata(ctx, f)
}

func (j *joined) Digest(ctx context.Context, f *File) (string, int64, error) {
	index, err := j.of(ctx, f)
	if err != nil {
		return "", 0, err
	}
	return index.Digest(ctx, f)
}

func (j *joined) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	return firstOf(j.indexes, func(index Index) (io.ReadCloser, error) { return index.Open(ctx, path) })
}

func (j *joined) Locate(ctx context.Context, path string) ([]string, error) {
	return firstOf(j.indexes, func(index Index) ([]string, error) { return index.Locate(ctx, path) })
}

// firstOf asks one index after the other until one knows the file.
func firstOf[T any](indexes []Index, ask func(Index) (T, error)) (answer T, err error) {
	err = fs.ErrNotExist
	for _, index := range indexes {
		if answer, err = ask(index); !errors.Is(err, fs.ErrNotExist) {
			return answer, err
		}
	}
	return answer, err
}
