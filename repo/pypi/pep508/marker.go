package pep508

import (
	"fmt"
	"slices"
	"strings"

	"pgbundle/repo/pypi/pep440"
)

// Environment holds the variables that markers test (PEP 508, "Environment
// Markers"), except extra.
type Environment struct {
	OSName                       string // os_name
	SysPlatform                  string // sys_platform
	PlatformMachine              string
	PlatformPythonImplementation string
	PlatformRelease              string
	PlatformSystem               string
	PlatformVersion              string
	PythonVersion                string // "3.9"
	PythonFullVersion            string // "3.9.18"
	ImplementationName           string
	ImplementationVersion        string
}

// variable names what a marker may test. Names with a dot are old spellings.
type variable string

const extraVariable variable = "extra"

func (e *Environment) value(v variable) (string, bool) {
	switch v {
	case "os_name", "os.name":
		return e.OSName, true
	case "sys_platform", "sys.platform":
		return e.SysPlatform, true
	case "platform_machine", "platform.machine":
		return e.PlatformMachine, true
	case "platform_python_implementation", "platform.python_implementation", "python_implementation":
		return e.PlatformPythonImplementation, true
	case "platform_release":
		return e.PlatformRelease, true
	case "platform_system":
		return e.PlatformSystem, true
	case "platform_version", "platform.version":
		return e.PlatformVersion, true
	case "python_version":
		return e.PythonVersion, true
	case "python_full_version":
		return e.PythonFullVersion, true
	case "implementation_name":
		return e.ImplementationName, true
	case "implementation_version":
		return e.ImplementationVersion, true
	}
	return "", false
}

// versioned says whether the values of a variable compare as versions.
func (v variable) versioned() bool {
	switch v {
	case "python_version", "python_full_version", "implementation_version", "platform_release":
		return true
	}
	return false
}

// Marker is a condition on the environment.
type Marker struct {
	text string
	root expression
}

// expression is an alternative of conjunctions.
type expression struct {
	any  [][]expression
	test *test // a leaf, when not nil
}

// test compares a variable with a literal. When reversed, the literal stands
// on the left.
type test struct {
	variable  variable
	op        string
	literal   string
	reversed  bool
	specifier *pep440.Specifier // "op literal", when that is a version clause
}

// ParseMarker reads a marker, without the ";" before it.
func ParseMarker(text string) (*Marker, error) {
	if len(text) > maxRequirement {
		return nil, fmt.Errorf("parse marker: longer than %d bytes", maxRequirement)
	}
	p := &markerParser{rest: skip(text)}
	root, err := p.alternatives(0)
	if err == nil && p.rest != "" {
		err = fmt.Errorf("unexpected %q", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("parse marker %q: %w", strings.TrimSpace(text), err)
	}
	return &Marker{text: strings.TrimSpace(text), root: root}, nil
}

// String returns the marker as it was written.
func (m *Marker) String() string { return m.text }

// Eval says whether the marker holds in an environment when extra is asked
// for; "" for none. A nil marker always holds.
func (m *Marker) Eval(env *Environment, extra string) bool {
	return m == nil || m.root.eval(env, NormalizeName(extra))
}

// Extras returns the names that the marker compares extra with, normalised.
func (m *Marker) Extras() []string {
	var out []string
	if m != nil {
		m.root.extras(&out)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (e expression) extras(out *[]string) {
	if e.test != nil && e.test.variable == extraVariable {
		*out = append(*out, e.test.literal)
	}
	for _, all := range e.any {
		for _, x := range all {
			x.extras(out)
		}
	}
}

func (e expression) eval(env *Environment, extra string) bool {
	if e.test != nil {
		return e.test.eval(env, extra)
	}
	return slices.ContainsFunc(e.any, func(all []expression) bool {
		return !slices.ContainsFunc(all, func(x expression) bool { return !x.eval(env, extra) })
	})
}

func (t *test) eval(env *Environment, extra string) bool {
	value := extra
	if t.variable != extraVariable {
		value, _ = env.value(t.variable)
	}
	left, right := value, t.literal
	if t.reversed {
		left, right = right, left
	}
	if t.variable.versioned() {
		s := t.specifier
		if t.reversed {
			if parsed, err := pep440.ParseSpecifier(t.op + right); err == nil {
				s = &parsed
			}
		}
		if s != nil && s.Op == "===" {
			return strings.EqualFold(left, s.Text)
		}
		if s != nil {
			v, err := pep440.Parse(left)
			return err == nil && s.Contains(v)
		}
	}
	switch t.op {
	case "in":
		return strings.Contains(right, left)
	case "not in":
		return !strings.Contains(right, left)
	case "==", "===", "<=", ">=", "~=":
		// What is not a version has no order.
		return left == right
	case "!=":
		return left != right
	}
	return false
}

type markerParser struct{ rest string }

func (p *markerParser) alternatives(depth int) (expression, error) {
	if depth > maxDepth {
		return expression{}, fmt.Errorf("more than %d nested parentheses", maxDepth)
	}
	e := expression{any: [][]expression{nil}}
	for {
		x, err := p.atom(depth)
		if err != nil {
			return e, err
		}
		last := len(e.any) - 1
		e.any[last] = append(e.any[last], x)
		switch {
		case p.word("and"):
		case p.word("or"):
			e.any = append(e.any, nil)
		default:
			return e, nil
		}
	}
}

func (p *markerParser) atom(depth int) (expression, error) {
	if !p.token("(") {
		t, err := p.test()
		return expression{test: t}, err
	}
	e, err := p.alternatives(depth + 1)
	if err == nil && !p.token(")") {
		err = fmt.Errorf("no ) at %q", p.rest)
	}
	return e, err
}

func (p *markerParser) test() (*test, error) {
	leftName, left, err := p.operand()
	if err != nil {
		return nil, err
	}
	op, err := p.operator()
	if err != nil {
		return nil, err
	}
	rightName, right, err := p.operand()
	if err != nil {
		return nil, err
	}
	t := &test{variable: leftName, op: op, literal: right}
	switch {
	case leftName != "" && rightName != "":
		return nil, fmt.Errorf("%s and %s: a variable compares with a quoted string", leftName, rightName)
	case leftName == "" && rightName == "":
		return nil, fmt.Errorf("%q and %q: a quoted string compares with a variable", left, right)
	case leftName == "":
		t.variable, t.literal, t.reversed = rightName, left, true
	}
	if t.variable == extraVariable {
		t.literal = NormalizeName(t.literal)
	}
	if t.variable.versioned() && !t.reversed {
		if s, err := pep440.ParseSpecifier(op + t.literal); err == nil {
			t.specifier = &s
		}
	}
	return t, nil
}

// operand reads a quoted string or the name of a variable.
func (p *markerParser) operand() (variable, string, error) {
	if p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"') {
		literal, after, ok := strings.Cut(p.rest[1:], p.rest[:1])
		if !ok {
			return "", "", fmt.Errorf("no closing quote at %q", p.rest)
		}
		p.rest = skip(after)
		return "", literal, nil
	}
	n := identifier(p.rest)
	name := variable(p.rest[:n])
	if _, known := (&Environment{}).value(name); !known && name != extraVariable {
		return "", "", fmt.Errorf("expected a variable or a quoted string at %q", p.rest)
	}
	p.rest = skip(p.rest[n:])
	return name, "", nil
}

func (p *markerParser) operator() (string, error) {
	for _, op := range []string{"===", "==", "~=", "!=", "<=", ">=", "<", ">"} {
		if p.token(op) {
			return op, nil
		}
	}
	if p.word("in") {
		return "in", nil
	}
	if p.word("not") && p.word("in") {
		return "not in", nil
	}
	return "", fmt.Errorf("expected an operator at %q", p.rest)
}

func (p *markerParser) token(token string) bool {
	after, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = skip(after)
	}
	return ok
}

// word reads a word that no letter, digit or underscore continues.
func (p *markerParser) word(word string) bool {
	after, ok := strings.CutPrefix(p.rest, word)
	if !ok || after != "" && (after[0] == '_' || identifier(after) > 0) {
		return false
	}
	p.rest = skip(after)
	return true
}
