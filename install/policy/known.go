package policy

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// Unknown returns the first of these paths, absolute and real, that fapolicyd
// was not told of as it is now: by its path, its size and its digest. It is
// empty when there is none, and where fapolicyd is not in force.
func Unknown(ctx context.Context, m Machine, paths ...string) (string, error) {
	running, enabled, err := fapolicyd(ctx, m)
	if err != nil || !running && !enabled {
		return "", err
	}
	host, err := m.Path(TrustFile)
	if err != nil {
		return "", err
	}
	told, err := load(host)
	if err != nil {
		return "", err
	}
	now := make([]entry, len(paths))
	for i, path := range paths {
		host, err := m.Path(path)
		if err != nil {
			return "", err
		}
		info, err := os.Lstat(host)
		if err != nil {
			return "", fmt.Errorf("look whether fapolicyd knows %s: %w", path, err)
		}
		now[i] = entry{path: path, size: info.Size()}
	}
	if err := digest(ctx, m, now); err != nil {
		return "", err
	}
	for _, e := range now {
		if !slices.Contains(told, e) {
			return e.path, nil
		}
	}
	return "", nil
}
