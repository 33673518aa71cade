package rpm

import (
	"errors"
	"fmt"
	"strings"
)

// maxRichDepth bounds the nesting of a rich dependency; rpm itself stops far
// earlier than its stack would.
const maxRichDepth = 64

var compareOps = map[string]Op{
	"<": LT, "<=": LT | EQ, "=": EQ, "==": EQ, ">=": GT | EQ, ">": GT,
	"=<": LT | EQ, "=>": GT | EQ,
}

// ParseDep reads one dependency: `name`, `name op evr` or a rich dependency in
// parentheses (rpm's docs/manual/boolean_dependencies).
func (p *Pool) ParseDep(s string) (Dep, error) {
	text := strings.TrimFunc(s, isSpace)
	if strings.HasPrefix(text, "(") {
		d, err := p.parseRich(text)
		if err != nil {
			return 0, fmt.Errorf("parse dependency %q: %w", s, err)
		}
		return d, nil
	}
	fields := strings.FieldsFunc(text, isSpace)
	switch len(fields) {
	case 1:
		return Dep(p.InternString(fields[0])), nil
	case 3:
		op, ok := compareOps[fields[1]]
		if !ok {
			return 0, fmt.Errorf("parse dependency %q: %q is not a comparison", s, fields[1])
		}
		return p.versioned(fields[0], op, fields[2]), nil
	case 0:
		return 0, fmt.Errorf("parse dependency %q: it is empty", s)
	}
	return 0, fmt.Errorf("parse dependency %q: want a name, or a name, a comparison and a version", s)
}

// versioned makes `name op evr` with the epoch 0 left out, as in metadata.
func (p *Pool) versioned(name string, op Op, evr string) Dep {
	if rest, ok := strings.CutPrefix(evr, "0:"); ok && rest != "" && !hasEpoch(bytesOf(rest)) {
		evr = rest
	}
	return p.Rel(Dep(p.InternString(name)), op, Dep(p.InternString(evr)))
}

// InternEVR interns epoch, version and release as one text: the epoch left out
// when it is 0 or empty, the release when it is empty.
func (p *Pool) InternEVR(epoch, version, release []byte) Str {
	b := p.evrKey[:0]
	if len(epoch) > 0 && string(epoch) != "0" {
		b = append(append(b, epoch...), ':')
	} else if hasEpoch(version) {
		b = append(b, "0:"...) // a colon in the version would read as an epoch
	}
	b = append(b, version...)
	if len(release) > 0 {
		b = append(append(b, '-'), release...)
	}
	p.evrKey = b
	return p.Intern(b)
}

func hasEpoch(version []byte) bool {
	i := 0
	for i < len(version) && isDigit(version[i]) {
		i++
	}
	return i > 0 && i < len(version) && version[i] == ':'
}

var richWords = map[string]Op{
	"and": OpAnd, "or": OpOr, "if": OpIf, "unless": OpUnless, "else": OpElse, "with": OpWith, "without": OpWithout,
}

// richParser reads a rich dependency.
type richParser struct {
	pool *Pool
	rest string
}

// parseRich reads a whole rich dependency, its parentheses included.
func (p *Pool) parseRich(s string) (Dep, error) {
	rp := richParser{p, s}
	d, err := rp.group(0)
	if err != nil {
		return 0, err
	}
	if strings.TrimLeftFunc(rp.rest, isSpace) != "" {
		return 0, fmt.Errorf("%q follows the closing parenthesis", rp.rest)
	}
	return d, nil
}

var errUnclosed = errors.New("a parenthesis is not closed")

// group reads "(...)".
func (rp *richParser) group(depth int) (Dep, error) {
	if depth > maxRichDepth {
		return 0, errors.New("it nests too deep")
	}
	rp.rest = rp.rest[1:]
	d, err := rp.chain(0, depth)
	if err != nil {
		return 0, err
	}
	if !strings.HasPrefix(rp.rest, ")") {
		return 0, errUnclosed
	}
	rp.rest = rp.rest[1:]
	return d, nil
}

// chain reads an operand and what follows it up to the closing parenthesis. in
// is the operator to the left, 0 at the start.
func (rp *richParser) chain(in Op, depth int) (Dep, error) {
	if depth > 8*maxRichDepth {
		return 0, errors.New("the chain is too long")
	}
	left, err := rp.operand(depth)
	if err != nil {
		return 0, err
	}
	rp.skipSpace()
	if rp.rest == "" {
		return 0, errUnclosed
	}
	if rp.rest[0] == ')' {
		return left, nil
	}
	word := rp.token()
	op, ok := richWords[word]
	if !ok {
		return 0, fmt.Errorf("%q is not an operator", word)
	}
	if err := checkChain(in, op); err != nil {
		return 0, err
	}
	right, err := rp.chain(op, depth+1)
	if err != nil {
		return 0, err
	}
	return rp.pool.Rel(left, op, right), nil
}

// checkChain says whether op may stand to the right of in without parentheses.
func checkChain(in, op Op) error {
	switch {
	case op == OpElse && (in == OpIf || in == OpUnless):
		return nil
	case op == OpElse:
		return errors.New("else without if or unless")
	case in == 0:
		return nil
	case in == op && (op == OpAnd || op == OpOr || op == OpWith):
		return nil
	}
	return fmt.Errorf("%s after %s needs parentheses", op, in)
}

// operand reads a group, a name, or a name with a version.
func (rp *richParser) operand(depth int) (Dep, error) {
	rp.skipSpace()
	if strings.HasPrefix(rp.rest, "(") {
		return rp.group(depth + 1)
	}
	name := rp.token()
	if name == "" {
		return 0, errors.New("a name is missing")
	}
	if strings.Count(name, "(") > strings.Count(name, ")") {
		return 0, errUnclosed
	}
	rp.skipSpace()
	saved := rp.rest
	op, ok := compareOps[rp.token()]
	if !ok {
		rp.rest = saved
		return Dep(rp.pool.InternString(name)), nil
	}
	rp.skipSpace()
	evr := rp.token()
	if evr == "" {
		return 0, fmt.Errorf("a version is missing after %s", op)
	}
	if strings.Count(evr, "(") > strings.Count(evr, ")") {
		return 0, errUnclosed
	}
	return rp.pool.versioned(name, op, evr), nil
}

func (rp *richParser) skipSpace() { rp.rest = strings.TrimLeftFunc(rp.rest, isSpace) }

// isSpace is rpm's idea of a space: those of ASCII.
func isSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// token reads up to a space, a comma, or a parenthesis that the token did not
// open: names such as `libc.so.6()(64bit)` hold pairs of them.
func (rp *richParser) token() string {
	rp.skipSpace()
	depth, i := 0, 0
scan:
	for ; i < len(rp.rest); i++ {
		switch rp.rest[i] {
		case ' ', '\t', '\n', '\v', '\f', '\r', ',':
			break scan
		case '(':
			depth++
		case ')':
			if depth == 0 {
				break scan
			}
			depth--
		}
	}
	t := rp.rest[:i]
	rp.rest = rp.rest[i:]
	return t
}

// Capability interns a dependency as metadata spells it: op is 0 when there is
// no version. A rich dependency that cannot be read becomes a name that nothing
// provides, as in libsolv.
func (p *Pool) Capability(name []byte, op Op, epoch, version, release []byte) Dep {
	if name[0] == '(' && op == 0 {
		if d, err := p.parseRich(string(name)); err == nil {
			return d
		}
	}
	n := Dep(p.Intern(name))
	if op == 0 {
		return n
	}
	return p.rels.intern(Rel{Name: n, Op: op, EVR: Dep(p.InternEVR(epoch, version, release))})
}
