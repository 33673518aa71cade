package build

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/pypi/pep440"
)

// wrongControlPython says why no ansible-core of a range runs on a Python; "" when
// one does, or when the range holds series that nobody here knows and that may.
func wrongControlPython(python, ansibleCore string) string {
	set, err := pep440.ParseSpecifiers(ansibleCore)
	if err != nil || len(set) == 0 {
		set, err = pep440.ParseSpecifiers(defaultAnsibleCore) // what is wrong with the range is said elsewhere
	}
	form := fmt.Sprintf("control python %q: takes a version like 3.9 or 3.11", python)
	if err != nil {
		return form
	}
	n, named := minor(python), versionForm.FindAllString(ansibleCore, -1)
	var names, runs []string
	first := 0 // of the newest series in the range: later ones ask for no less
	for _, series := range manifest.AnsibleCores {
		if !admits(set, series.Series, named) {
			continue
		}
		if n >= series.First && n <= series.Last {
			return ""
		}
		names, first = append(names, series.Series), series.First
		runs = append(runs, series.Pythons()...)
	}
	switch {
	case n < 0 && len(names) == 0:
		return form
	case n >= first && (len(names) == 0 || admitsLater(set, named)):
		return ""
	}
	slices.SortFunc(runs, func(a, b string) int { return minor(a) - minor(b) })
	verb := "runs"
	if len(names) > 1 {
		verb = "run"
	}
	return fmt.Sprintf("control python %q: ansible-core %s %s on %s", python, inWords(names), verb, inWords(slices.Compact(runs)))
}

// admits reports whether a range holds a release of a series. One that does holds a
// usual one, or one that the range itself names.
func admits(set pep440.Specifiers, series string, named []string) bool {
	tries := slices.DeleteFunc(slices.Clone(named), func(text string) bool { return !strings.HasPrefix(text, series+".") })
	for patch := range 100 {
		tries = append(tries, series+"."+strconv.Itoa(patch))
	}
	return slices.ContainsFunc(tries, func(text string) bool {
		v, err := pep440.Parse(text)
		return err == nil && set.Contains(v)
	})
}

// admitsLater reports whether a range holds a series after the newest that is known.
func admitsLater(set pep440.Specifiers, named []string) bool {
	newest, err := pep440.Parse(manifest.AnsibleCores[len(manifest.AnsibleCores)-1].Series + ".9999")
	if err != nil {
		return false
	}
	tries := append(slices.Clone(named), "9999")
	for minor := range 100 {
		tries = append(tries, fmt.Sprintf("2.%d.1", minor))
	}
	return slices.ContainsFunc(tries, func(text string) bool {
		v, err := pep440.Parse(text)
		return err == nil && v.Compare(newest) > 0 && set.Contains(v)
	})
}

// inWords is "a", "a and b", "a, b and c".
func inWords(list []string) string {
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
	return strings.Join(list, "")
}
