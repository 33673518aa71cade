package manifest

import (
	"strconv"
	"strings"
)

// AnsibleCore is a series of ansible-core and what a control node runs it with:
// CPython from 3.First, which is its Requires-Python, to 3.Last, the newest that its
// classifiers name. Above that pip installs it, and its makers do not support it.
type AnsibleCore struct {
	Series      string // "2.15"
	First, Last int    // minors of Python 3
}

// AnsibleCores are the series that are known here, oldest first. Neither First nor
// Last falls from one to the next.
var AnsibleCores = []AnsibleCore{
	{"2.14", 9, 11}, {"2.15", 9, 11}, {"2.16", 10, 12}, {"2.17", 10, 12}, {"2.18", 11, 13}, {"2.19", 11, 13}, {"2.20", 12, 14}, {"2.21", 12, 14},
}

// AnsibleCoreOf is the series of a version ("2.15.13"), if it is known.
func AnsibleCoreOf(version string) (AnsibleCore, bool) {
	for _, a := range AnsibleCores {
		if strings.HasPrefix(version, a.Series+".") {
			return a, true
		}
	}
	return AnsibleCore{}, false
}

// Pythons are the versions that run it, oldest first: "3.9", "3.10".
func (a AnsibleCore) Pythons() []string {
	var list []string
	for minor := a.First; minor <= a.Last; minor++ {
		list = append(list, "3."+strconv.Itoa(minor))
	}
	return list
}
