package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/pypi"
	"pgbundle/repo/pypi/pep440"
)

// A wheelhouse is one for all nodes of a role, and each version of a project is in it
// once. So it is resolved for each patch level that their interpreters have, and the
// answers must be the same.

// answer finds what the wheelhouse needs on every interpreter of the target.
func (r wheelhouseRequest) answer(ctx context.Context, target manifest.Target) (*pypi.Resolution, error) {
	interpreters := pythonTargets(target, r.role)
	answers, err := r.each(ctx, interpreters)
	if err != nil {
		return nil, err
	}
	if differ := differing(answers); len(differ) > 0 {
		return nil, r.differ(ctx, interpreters, answers, differ)
	}
	return merged(answers), nil
}

// each resolves for each interpreter. All failures are returned, but one that is the
// same on several once.
func (r wheelhouseRequest) each(ctx context.Context, interpreters []pypi.Target) ([]*pypi.Resolution, error) {
	var answers []*pypi.Resolution
	var errs []error
	told := map[string]bool{}
	for _, python := range interpreters {
		resolver := pypi.Resolver{Index: r.index, Target: python, Constraints: r.constraints, Before: r.before}
		res, err := resolver.Resolve(ctx, r.wants)
		if err != nil {
			if text := strings.ReplaceAll(err.Error(), python.Python, ""); !told[text] {
				told[text] = true
				errs = append(errs, err)
			}
			continue
		}
		answers = append(answers, res)
	}
	return answers, errors.Join(errs...)
}

// find is the file of a project in an answer, or nil.
func find(res *pypi.Resolution, name string) *pypi.Chosen {
	i := slices.IndexFunc(res.Files, func(c pypi.Chosen) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &res.Files[i]
}

// differing lists the projects of which not every answer has the same file, sorted.
func differing(answers []*pypi.Resolution) []string {
	files := map[string]map[string]int{} // by project, how many answers have which file
	for _, res := range answers {
		for _, c := range res.Files {
			if files[c.Name] == nil {
				files[c.Name] = map[string]int{}
			}
			files[c.Name][c.Filename]++
		}
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, n := range files[name] {
			if n != len(answers) {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// merged makes one of answers that have the same files: who wants a file may still
// depend on the interpreter.
func merged(answers []*pypi.Resolution) *pypi.Resolution {
	one := *answers[0]
	one.Files = slices.Clone(one.Files)
	for _, res := range answers[1:] {
		for i, c := range res.Files {
			one.Files[i].WantedBy = union(one.Files[i].WantedBy, c.WantedBy)
		}
		one.Warnings = union(one.Warnings, res.Warnings)
	}
	return &one
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// differ says which projects keep the interpreters from having one wheelhouse, and
// what would give them one: tried, not guessed.
func (r wheelhouseRequest) differ(ctx context.Context, interpreters []pypi.Target, answers []*pypi.Resolution, names []string) error {
	var b strings.Builder
	b.WriteString("no one set of wheels fits every Python of the nodes:")
	for _, name := range names {
		var parts []string
		for i, res := range answers {
			what := "none"
			if c := find(res, name); c != nil {
				what = c.Version
			}
			parts = append(parts, fmt.Sprintf("%s on Python %s (%s)", what, interpreters[i].Python, r.whose(interpreters[i].Python)))
		}
		fmt.Fprintf(&b, "\n  %s: %s", name, strings.Join(parts, ", "))
	}
	constraints, wheels, err := r.wayOut(ctx, interpreters, answers, names)
	if err != nil {
		return err
	}
	switch {
	case len(constraints)+len(wheels) == 0:
		b.WriteString("\n  no older version of these fits all: bring the nodes' Python to one patch level, or build a bundle for each")
	case len(wheels) == 0:
		fmt.Fprintf(&b, "\n  what fits all: --constraint %s", quoted(constraints, " --constraint "))
	case len(constraints) == 0:
		fmt.Fprintf(&b, "\n  what fits all: wheels: [%s] in pgbundle.yaml", quoted(wheels, ", "))
	default:
		fmt.Fprintf(&b, "\n  what fits all: constraints: [%s] and wheels: [%s] in pgbundle.yaml", quoted(constraints, ", "), quoted(wheels, ", "))
	}
	return manifest.Classify(manifest.ErrUnsolvable, errors.New(b.String()))
}

func quoted(words []string, separator string) string {
	return "'" + strings.Join(words, "'"+separator+"'") + "'"
}

// wayOut tries the oldest of the versions that the answers have for each project that
// differs, asking for it where only some need it. It returns what to add to the spec;
// nothing, if even so the answers differ or there are none.
func (r wheelhouseRequest) wayOut(ctx context.Context, interpreters []pypi.Target, answers []*pypi.Resolution, names []string) (constraints, wheels []string, err error) {
	for _, name := range names {
		oldest, everywhere := "", true
		for _, res := range answers {
			c := find(res, name)
			if everywhere = everywhere && c != nil; c != nil && (oldest == "" || older(c.Version, oldest)) {
				oldest = c.Version
			}
		}
		if pin := name + "==" + oldest; everywhere {
			constraints = append(constraints, pin)
		} else {
			wheels = append(wheels, pin)
		}
	}
	r.constraints, r.wants = slices.Concat(r.constraints, constraints), slices.Concat(r.wants, wheels)
	answers, err = r.each(ctx, interpreters)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if err != nil || len(differing(answers)) > 0 {
		return nil, nil, nil
	}
	return constraints, wheels, nil
}

// older compares versions in normal form.
func older(a, b string) bool {
	v, err := pep440.Parse(a)
	w, err2 := pep440.Parse(b)
	return err == nil && err2 == nil && v.Compare(w) < 0
}
