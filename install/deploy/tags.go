package deploy

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// special are the tags that Ansible itself knows.
var special = []string{"all", "always", "never", "tagged", "untagged"}

// checkTags refuses tags that nothing in the playbook has: Ansible would do
// nothing and call it done.
func checkTags(o *RunOptions, base string, r *refusals) {
	opts := o.options()
	asked := append(values(opts, "--tags"), values(opts, "--skip-tags")...)
	if len(asked) == 0 {
		return
	}
	known := knownTags(filepath.Join(base, "playbook"), o.Site)
	if len(known) == 0 {
		return
	}
	for _, list := range asked {
		for _, tag := range strings.Split(list, ",") {
			tag = strings.TrimSpace(tag)
			if tag != "" && !known[tag] && !slices.Contains(special, tag) {
				r.usage("tags", "it has "+strings.Join(slices.Sorted(maps.Keys(known)), ", "), "nothing in %s has the tag %q", o.Operation.Playbook, tag)
			}
		}
	}
}

// knownTags are all tags in the YAML files of the playbook and of the site's
// own plays. A file that is no YAML is Ansible's to tell of.
func knownTags(playbook, site string) map[string]bool {
	known := map[string]bool{}
	read := func(path string) {
		data, err := readFile(path, maxConfig)
		var doc yaml.Node
		if err == nil && yaml.Unmarshal(data, &doc) == nil {
			collectTags(&doc, known, 0)
		}
	}
	_ = filepath.WalkDir(playbook, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasSuffix(path, ".yml") || strings.HasSuffix(path, ".yaml")) {
			read(path)
		}
		return nil
	})
	if entries, err := os.ReadDir(site); err == nil {
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".yml") {
				read(filepath.Join(site, e.Name()))
			}
		}
	}
	return known
}

// collectTags gathers what stands below keys of the name tags.
func collectTags(n *yaml.Node, known map[string]bool, depth int) {
	if depth > 50 {
		return
	}
	if n.Kind == yaml.MappingNode {
		for at := 0; at+1 < len(n.Content); at += 2 {
			if n.Content[at].Value == "tags" {
				addTags(n.Content[at+1], known)
			}
		}
	}
	for _, below := range n.Content {
		collectTags(below, known, depth+1)
	}
}

func addTags(n *yaml.Node, known map[string]bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		for _, tag := range strings.Split(n.Value, ",") {
			if tag = strings.TrimSpace(tag); tag != "" && !slices.Contains(special, tag) && !strings.Contains(tag, "{{") {
				known[tag] = true
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if item.Kind == yaml.ScalarNode {
				addTags(item, known)
			}
		}
	}
}
