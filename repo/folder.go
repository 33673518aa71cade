package repo

import (
	"context"
	"io"
	"os"
)

// Folder is the Tree that a folder of the file system is. No path leads out of
// it, not through links either.
type Folder string

// Open opens one file of the folder.
func (f Folder) Open(_ context.Context, path string) (io.ReadCloser, error) {
	return os.OpenInRoot(string(f), path)
}
