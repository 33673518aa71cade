//go:build !linux

package facts

import (
	"errors"

	"pgbundle/manifest"
)

// Nodes are Linux machines.
var errNotLinux = errors.New("facts are collected on Linux only")

func space(string) (manifest.Space, error) { return manifest.Space{}, errNotLinux }
func clockSet() (bool, error)              { return false, errNotLinux }
