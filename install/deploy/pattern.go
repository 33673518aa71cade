package deploy

import (
	"path"
	"slices"
	"strings"
)

// selectHosts returns the hosts that --limit leaves, and the names in it that
// are neither host nor group. What takes more than names and wildcards to
// understand (a regular expression, a file, a range) leaves all hosts.
func (i *inventory) selectHosts(limit string) (hosts, unknown []string) {
	if limit == "" {
		return i.names(), nil
	}
	words := strings.FieldsFunc(limit, func(r rune) bool { return r == ',' || r == ' ' })
	if !strings.ContainsAny(limit, "~[@") {
		words = strings.FieldsFunc(limit, func(r rune) bool { return r == ',' || r == ':' || r == ' ' })
	}
	var add, not []string
	var and [][]string
	plain, any := true, false
	for _, word := range words {
		sign := word[0]
		if sign == '!' || sign == '&' {
			word = word[1:]
		}
		if word == "" || strings.ContainsAny(word, "~[@{") {
			plain = false
			continue
		}
		found := i.match(word)
		if found == nil {
			unknown = append(unknown, word)
		}
		switch sign {
		case '!':
			not = append(not, found...)
		case '&':
			and = append(and, found)
		default:
			add, any = append(add, found...), true
		}
	}
	if !plain {
		return i.names(), unknown
	}
	for _, host := range i.names() {
		out := func(list []string) bool { return !slices.Contains(list, host) }
		if (!any || !out(add)) && !slices.ContainsFunc(and, out) && out(not) {
			hosts = append(hosts, host)
		}
	}
	return hosts, unknown
}

// match returns the hosts of a name or a wildcard; nil when there is neither
// such a host nor such a group.
func (i *inventory) match(word string) []string {
	if word == "localhost" || word == "127.0.0.1" {
		return []string{} // Ansible makes it up
	}
	if word == "*" {
		word = "all"
	}
	var found []string
	for name, hosts := range i.groups {
		if ok, err := path.Match(word, name); ok && err == nil {
			found = append(found, hosts...)
			if found == nil {
				found = []string{}
			}
		}
	}
	for host := range i.hosts {
		if ok, err := path.Match(word, host); ok && err == nil {
			found = append(found, host)
		}
	}
	return found
}
