package control

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// prove runs what was made: Ansible starts, finds each collection in its
// version, and no package misses another.
func (b *builder) prove(ctx context.Context) error {
	out, err := b.do(ctx, b.Scratch, b.program("ansible-playbook"), "--version")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(out.Stdout, "ansible-playbook [core ") {
		return fmt.Errorf("ansible-playbook --version says %q", tail(out))
	}
	if _, err := b.do(ctx, b.Scratch, b.program("python"), "-m", "pip", "check"); err != nil {
		return err
	}
	return b.findCollections(ctx)
}

func (b *builder) findCollections(ctx context.Context) error {
	want, err := carried(filepath.Join(b.Release, collections))
	if err != nil || len(want) == 0 {
		return err
	}
	out, err := b.do(ctx, b.Scratch, b.program("ansible-galaxy"), "collection", "list", "--format", "json")
	if err != nil {
		return err
	}
	found := map[string]map[string]struct{ Version string }{}
	if err := json.Unmarshal([]byte(out.Stdout), &found); err != nil {
		return fmt.Errorf("read what ansible-galaxy lists: %w", err)
	}
	here := found[filepath.Join(b.packages(), "ansible_collections")]
	var missing []string
	for name, version := range want {
		if got := here[name].Version; got != version {
			missing = append(missing, fmt.Sprintf("%s %s (found: %q)", name, version, got))
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("ansible-galaxy does not find %s", strings.Join(missing, ", "))
	}
	return nil
}

// carried are the collections of the bundle, by name, with their versions. The
// names of the tarballs say both: neither part of a collection's name can have
// a hyphen.
func carried(folder string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.tar.gz"))
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for _, file := range files {
		parts := strings.SplitN(strings.TrimSuffix(filepath.Base(file), ".tar.gz"), "-", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("%s does not name a collection", file)
		}
		versions[parts[0]+"."+parts[1]] = parts[2]
	}
	if _, err := os.Stat(filepath.Join(folder, asked)); len(versions) > 0 && err != nil {
		return nil, fmt.Errorf("collections without a list: %w", err)
	}
	return versions, nil
}
