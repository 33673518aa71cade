//go:build !nosync

package node

import "os"

func syncFile(f *os.File) error { return f.Sync() }
func syncFS(f *os.File) error   { return syncFileSystem(f) }
