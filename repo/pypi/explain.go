package pypi

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/backtrack"
	"pgbundle/repo/pypi/pep440"
)

// Unsolvable is the error of requirements that no set of versions meets. Each
// problem is a few lines: what is wanted, by whom, and what there is.
type Unsolvable struct {
	Target   Target
	Problems []Problem
}

// Problem is one reason why there is no solution.
type Problem struct {
	Project string
	Lines   []string // the first says what is wrong, the others why
}

func (e *Unsolvable) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no solution for %s", e.Target)
	for _, p := range e.Problems {
		for i, line := range p.Lines {
			b.WriteString("\n  " + strings.Repeat("  ", min(i, 1)) + line)
		}
	}
	return b.String()
}

// Unwrap classes the error.
func (e *Unsolvable) Unwrap() error { return manifest.ErrUnsolvable }

// Unbuildable is the error of an answer that holds source archives which cannot
// become wheels without running their code.
type Unbuildable struct {
	Target   Target
	Archives []Refusal
}

func (e *Unbuildable) add(r Refusal) { e.Archives = append(e.Archives, r) }

func (e *Unbuildable) sort() {
	slices.SortFunc(e.Archives, func(a, b Refusal) int { return cmp.Compare(a.Name, b.Name) })
}

func (e *Unbuildable) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no wheel for %s, and the source archive cannot be made one", e.Target)
	for _, r := range e.Archives {
		fmt.Fprintf(&b, "\n  %s: %s\n    %s", r.Filename, r.Why.Reason, r.Chain)
		if r.Wheel != "" {
			fmt.Fprintf(&b, "\n    the newest version with a wheel is %s: constrain %s<=%s", r.Wheel, r.Name, r.Wheel)
		} else {
			fmt.Fprintf(&b, "\n    no version that would do has a wheel: build one and serve it from a folder or an index")
		}
	}
	return b.String()
}

// Unwrap classes the error.
func (e *Unbuildable) Unwrap() error { return manifest.ErrUnsolvable }

// missing finds what the user asks for that cannot be had at all, all of it at
// once, before the search. What one requirement alone leaves nothing of, another
// of the same project may allow: a pin its yanked version.
func (s *session) missing(ctx context.Context, roots []*want) error {
	out := &Unsolvable{Target: s.resolver.Target}
	asked := map[string]pep440.Specifiers{}
	for _, w := range roots {
		asked[w.name] = append(asked[w.name], w.specifiers...)
	}
	for _, w := range roots {
		found, err := s.find(ctx, w.id, w, slices.Concat(s.limits[w.name], w.specifiers))
		if err == nil && len(found) == 0 {
			found, err = s.find(ctx, w.id, w, slices.Concat(s.limits[w.name], asked[w.name]))
		}
		if err != nil {
			return err
		}
		if len(found) == 0 && !slices.ContainsFunc(out.Problems, func(p Problem) bool { return p.Project == w.name }) {
			out.Problems = append(out.Problems, s.problem(ctx, w.name, []backtrack.Information[*want, *candidate]{{Requirement: w}}))
		}
	}
	if len(out.Problems) > 0 {
		return out
	}
	return nil
}

// explain turns the causes of a failed search into problems, one per project.
func (s *session) explain(ctx context.Context, impossible *backtrack.Impossible[*want, *candidate]) error {
	byProject := map[string][]backtrack.Information[*want, *candidate]{}
	for _, cause := range impossible.Causes {
		byProject[cause.Requirement.name] = append(byProject[cause.Requirement.name], cause)
	}
	out := &Unsolvable{Target: s.resolver.Target}
	out.Problems = s.otherPythons(byProject[pythonID])
	delete(byProject, pythonID)
	for _, name := range slices.Sorted(maps.Keys(byProject)) {
		out.Problems = append(out.Problems, s.problem(ctx, name, byProject[name]))
	}
	if !impossible.Proven {
		out.Problems = append(out.Problems, Problem{Lines: []string{"not every combination was tried: narrow the requirements"}})
	}
	return out
}

// problem says what is wanted of a project, by whom, and what there is.
func (s *session) problem(ctx context.Context, name string, wanted []backtrack.Information[*want, *candidate]) Problem {
	p, err := s.project(ctx, name)
	var specifiers pep440.Specifiers
	for _, info := range wanted {
		specifiers = append(specifiers, info.Requirement.specifiers...)
	}
	lines := s.wishes(wanted)
	if limit := s.limits[name]; len(limit) > 0 {
		specifiers = append(specifiers, limit...)
		lines = append(lines, fmt.Sprintf("%s%s is a constraint", name, limit))
	}
	lines = compact(lines)
	switch {
	case err != nil:
		lines = append(lines, err.Error())
	case p == nil:
		return Problem{name, append([]string{fmt.Sprintf("%s: the index has no such project", name)}, lines...)}
	default:
		lines = append(lines, p.whatThereIs(specifiers, s.machine)...)
	}
	head := fmt.Sprintf("%s: no version fits", name)
	if p != nil && len(p.allowed(specifiers, false)) > 0 {
		head = fmt.Sprintf("%s: no version that fits can be used", name)
	}
	return Problem{name, append([]string{head}, lines...)}
}

// maxWishes bounds how many versions of one project a message lists the wishes
// of.
const maxWishes = 3

// wishes says who wants what. Of the versions of one project, which may be
// thousands, the first few stand for all.
func (s *session) wishes(wanted []backtrack.Information[*want, *candidate]) (lines []string) {
	versions := map[string]map[*candidate]bool{} // by identifier of who wants
	for _, info := range wanted {
		if info.Root() {
			lines = append(lines, info.Requirement.text+" is wanted by you")
			continue
		}
		tried := versions[info.Parent.id]
		if tried == nil {
			tried = map[*candidate]bool{}
			versions[info.Parent.id] = tried
		}
		if told := tried[info.Parent]; told || len(tried) < maxWishes {
			tried[info.Parent] = true
			lines = append(lines, fmt.Sprintf("%s is wanted by %s", info.Requirement.text, s.chain(info.Parent)))
		} else {
			tried[info.Parent] = false
		}
	}
	for _, id := range slices.Sorted(maps.Keys(versions)) {
		if more := len(versions[id]) - maxWishes; more > 0 {
			lines = append(lines, fmt.Sprintf("and so want %d more versions of %s", more, id))
		}
	}
	return lines
}

// compact drops repeated lines and keeps the order.
func compact(lines []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(lines, func(line string) bool {
		before := seen[line]
		seen[line] = true
		return before
	})
}

// chain names a candidate and who wants it, up to the user.
func (s *session) chain(c *candidate) string {
	names := []string{c.String()}
	seen := map[string]bool{c.id: true}
	for at := c; ; {
		if _, asked := s.order[at.id]; asked {
			break
		}
		i := slices.IndexFunc(s.parents[at.id], func(p *candidate) bool { return !seen[p.id] })
		if i < 0 {
			break
		}
		at = s.parents[at.id][i]
		seen[at.id] = true
		if at.name != c.name {
			names = append(names, at.String())
		}
	}
	return strings.Join(append(names, "you"), ", wanted by ")
}

// maxListed bounds how many versions or wheels a message lists.
const maxListed = 8

// whatThereIs lists the versions of a project and why others were left out.
func (p *project) whatThereIs(specifiers pep440.Specifiers, m *machine) []string {
	var out []string
	if versions := p.versions(func(l *link) bool { return !l.file.Yanked }); len(versions) > 0 {
		out = append(out, "there is "+list(versions))
	}
	for _, group := range p.allowed(specifiers, false) {
		if c := group[0].base; c != nil && c.depErr != nil {
			out = append(out, c.depErr.Error())
		}
	}
	if yanked := p.versions(func(l *link) bool { return l.file.Yanked && specifiers.Contains(l.version) }); len(yanked) > 0 {
		out = append(out, "yanked, so taken only when pinned with ==: "+list(yanked))
	}
	var pythons, platforms, others, late []string
	skippedFiles := slices.Clone(p.skipped)
	slices.SortStableFunc(skippedFiles, func(a, b skippedFile) int { return b.version.Compare(a.version) })
	for _, skipped := range skippedFiles {
		if !specifiers.Contains(skipped.version) {
			continue
		}
		switch skipped.why {
		case otherPython:
			pythons = append(pythons, fmt.Sprintf("%s (%s)", skipped.version, skipped.file.RequiresPython))
		case otherPlatform:
			if strings.Contains(skipped.file.Filename, "linux") && strings.Contains(skipped.file.Filename, m.target.Arch) {
				platforms = append(platforms, skipped.file.Filename)
			} else {
				others = append(others, skipped.file.Filename)
			}
		case tooNew:
			late = append(late, skipped.version.String())
		}
	}
	if len(pythons) > 0 {
		out = append(out, fmt.Sprintf("not for Python %s: %s", m.python, list(compact(pythons))))
	}
	if len(platforms) == 0 {
		platforms = others // wheels of other systems tell nothing beside those
	}
	if len(platforms) > 0 {
		out = append(out, fmt.Sprintf("not for %s: %s", m.target, list(compact(platforms))))
	}
	if len(late) > 0 {
		out = append(out, "uploaded too late: "+list(compact(late)))
	}
	if len(p.links)+len(p.skipped) == 0 {
		out = append(out, "the index lists no file of it")
	}
	return out
}

// versions lists the versions of some links, the newest first.
func (p *project) versions(which func(*link) bool) []string {
	var out []string
	for _, l := range p.links {
		if which(l) {
			out = append(out, l.version.String())
		}
	}
	return compact(out)
}

func list(items []string) string {
	if len(items) > maxListed {
		return fmt.Sprintf("%s and %d more", strings.Join(items[:maxListed], ", "), len(items)-maxListed)
	}
	return strings.Join(items, ", ")
}
