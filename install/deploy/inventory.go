package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	maxInventory = 64 << 20 // bytes of ansible-inventory's answer
	maxHosts     = 10_000
)

// inventory is what ansible-inventory --list says of a site: the hosts with
// their variables, not yet templated, and the groups with all of their hosts.
type inventory struct {
	hosts  map[string]map[string]any
	groups map[string][]string // sorted; also those of groups below
}

// parseInventory reads the JSON of ansible-inventory --list.
func parseInventory(data []byte) (*inventory, error) {
	if len(data) > maxInventory {
		return nil, fmt.Errorf("more than %d bytes", maxInventory)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var raw map[string]json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("something follows the inventory")
	}
	var meta struct {
		Hostvars map[string]json.RawMessage `json:"hostvars"`
	}
	if raw["_meta"] == nil {
		return nil, errors.New("no _meta in it")
	}
	if err := json.Unmarshal(raw["_meta"], &meta); err != nil {
		return nil, fmt.Errorf("_meta: %w", err)
	}
	i := &inventory{hosts: map[string]map[string]any{}, groups: map[string][]string{}}
	below := map[string][]string{}
	for name, text := range raw {
		if name == "_meta" {
			continue
		}
		var g struct {
			Hosts    []string `json:"hosts"`
			Children []string `json:"children"`
		}
		if err := json.Unmarshal(text, &g); err != nil {
			return nil, fmt.Errorf("group %q: %w", name, err)
		}
		i.groups[name], below[name] = g.Hosts, g.Children
		for _, host := range g.Hosts {
			i.hosts[host] = map[string]any{}
		}
	}
	if len(i.hosts) > maxHosts {
		return nil, fmt.Errorf("%d hosts: at most %d are read", len(i.hosts), maxHosts)
	}
	for host, text := range meta.Hostvars {
		v := json.NewDecoder(bytes.NewReader(text))
		v.UseNumber()
		var vars map[string]any
		if err := v.Decode(&vars); err != nil {
			return nil, fmt.Errorf("variables of %q: %w", host, err)
		}
		if _, ok := i.hosts[host]; ok && vars != nil {
			i.hosts[host] = vars
		}
	}
	i.flatten(below)
	return i, nil
}

// flatten gives each group the hosts of the groups below it.
func (i *inventory) flatten(below map[string][]string) {
	flat := map[string][]string{}
	for name := range i.groups {
		seen, list := map[string]bool{}, []string{}
		queue := []string{name}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			if seen[at] {
				continue
			}
			seen[at] = true
			list = append(list, i.groups[at]...)
			queue = append(queue, below[at]...)
		}
		slices.Sort(list)
		flat[name] = slices.Compact(list)
	}
	flat["all"] = i.names()
	i.groups = flat
}

// names are all hosts, sorted.
func (i *inventory) names() []string { return slices.Sorted(maps.Keys(i.hosts)) }

// text is a variable of a host as text, when it is a plain one that needs no
// templating but that of one other variable.
func (i *inventory) text(host, name string) (string, bool) {
	for range 5 {
		var text string
		switch v := i.hosts[host][name].(type) {
		case string:
			text = v
		case json.Number:
			text = v.String()
		case bool:
			text = strconv.FormatBool(v)
		default:
			return "", false
		}
		if !strings.Contains(text, "{{") && !strings.Contains(text, "{%") {
			return text, true
		}
		inner, ok := strings.CutPrefix(strings.TrimSpace(text), "{{")
		inner, end := strings.CutSuffix(inner, "}}")
		if name = strings.TrimSpace(inner); !ok || !end {
			return "", false
		}
		if name == "inventory_hostname" {
			return host, true
		}
	}
	return "", false
}

// has says whether a variable of a host is set, to whatever.
func (i *inventory) has(host, name string) bool {
	v, ok := i.hosts[host][name]
	return ok && v != nil
}

// common is a variable that is the same text on every host of the list; empty
// when one of them has none, or another.
func (i *inventory) common(hosts []string, name string) string {
	common := ""
	for n, host := range hosts {
		text, ok := i.text(host, name)
		if !ok || n > 0 && text != common {
			return ""
		}
		common = text
	}
	return common
}
