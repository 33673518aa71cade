package pypi

import (
	"fmt"
	"slices"

	"pgbundle/repo/backtrack"
	"pgbundle/repo/pypi/pep440"
)

// pythonID is the identifier of the interpreter: what METADATA says of it, and the
// index does not, is a requirement as any other, which can be to blame for a
// conflict. It has one candidate, and no project has such a name.
const pythonID = "<Python>"

// interpreter is the candidate of the target's interpreter.
func interpreter(m *machine) *candidate {
	return &candidate{id: pythonID, name: pythonID, version: m.python, known: true}
}

// requiresPython is the want of the interpreter that a field is for. A field that
// cannot be read asks for nothing, as in pip: old packages have such.
func requiresPython(field string) []*want {
	specifiers, err := pep440.ParseSpecifiers(field)
	if err != nil || len(specifiers) == 0 {
		return nil
	}
	return []*want{{id: pythonID, name: pythonID, specifiers: specifiers, text: "Python " + field}}
}

// interpreters lists the candidate for the interpreter, if it is what is wanted.
func (s *session) interpreters(wants []*want, incompatible []*candidate) []*candidate {
	for _, w := range wants {
		if !s.Satisfied(w, s.python) {
			return nil
		}
	}
	return without([]*candidate{s.python}, incompatible)
}

// otherPythons says which projects have no version for the interpreter, but
// versions that only their METADATA tells to be for others.
func (s *session) otherPythons(wanted []backtrack.Information[*want, *candidate]) (problems []Problem) {
	told := map[string]bool{}
	for _, info := range wanted {
		name := info.Parent.name
		if told[name] || s.Satisfied(info.Requirement, s.python) {
			continue
		}
		told[name] = true
		lines := []string{fmt.Sprintf("%s: no version that fits runs on Python %s", name, s.machine.python), s.chain(info.Parent.plain())}
		for _, c := range slices.Concat(s.listed[name], []*candidate{info.Parent}) {
			if c := c.plain(); c.meta != nil && !s.machine.runs(c.meta.RequiresPython) {
				lines = append(lines, fmt.Sprintf("%s: needs Python %s", c.file.Filename, c.meta.RequiresPython))
			}
		}
		problems = append(problems, Problem{name, compact(lines)})
	}
	return problems
}
