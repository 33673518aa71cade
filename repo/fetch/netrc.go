package fetch

import (
	"fmt"
	"strings"
)

// netrc is a .netrc file: the machines in their order, the one named by
// "default" with an empty name.
type netrc []netrcMachine

type netrcMachine struct {
	name, login, password string
}

const (
	netrcMaxBytes    = 1 << 20
	netrcMaxMachines = 10_000
)

// find gives the first entry for a host; with a user, the first of that login.
func (n netrc) find(host, user string) (netrcMachine, bool) {
	for _, m := range n {
		if m.name != "" && !strings.EqualFold(m.name, host) {
			continue
		}
		if user != "" && m.login != user {
			continue
		}
		return m, m.login != "" || m.password != ""
	}
	return netrcMachine{}, false
}

// parseNetrc reads the format of .netrc as curl does: words apart by blanks, a
// word in double quotes with \", \\, \n, \r and \t, comments from a "#" that
// begins a line, macro definitions up to an empty line (skipped). Errors name
// the line and nothing that stands in it.
func parseNetrc(data []byte) (netrc, error) {
	if len(data) > netrcMaxBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", netrcMaxBytes)
	}
	p := netrcParser{data: data, line: 1}
	var machines netrc
	for {
		word, ok, err := p.word()
		if err != nil {
			return nil, err
		}
		if !ok {
			return machines, nil
		}
		if err := p.keyword(word, &machines); err != nil {
			return nil, err
		}
		if len(machines) > netrcMaxMachines {
			return nil, fmt.Errorf("it names more than %d machines", netrcMaxMachines)
		}
	}
}

type netrcParser struct {
	data []byte
	pos  int
	line int // of pos, from 1
}

// keyword handles one keyword and its value.
func (p *netrcParser) keyword(word string, machines *netrc) error {
	switch word {
	case "default":
		*machines = append(*machines, netrcMachine{})
		return nil
	case "macdef":
		p.skipMacro()
		return nil
	case "machine", "login", "password", "account":
	default:
		return fmt.Errorf("line %d: a word that is no keyword (a password with a blank or a quote stands in double quotes)", p.line)
	}
	value, ok, err := p.word()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("line %d: %s without a value", p.line, word)
	}
	if word == "machine" {
		if value == "" {
			return fmt.Errorf("line %d: machine with an empty name", p.line)
		}
		*machines = append(*machines, netrcMachine{name: value})
		return nil
	}
	if len(*machines) == 0 {
		return fmt.Errorf("line %d: %s before any machine", p.line, word)
	}
	last := &(*machines)[len(*machines)-1]
	switch word {
	case "login":
		last.login = value
	case "password":
		last.password = value
	}
	return nil
}

// word gives the next word; ok is false at the end.
func (p *netrcParser) word() (word string, ok bool, err error) {
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '\n':
			p.line++
			p.pos++
		case isBlank(c):
			p.pos++
		case c == '#' && p.atLineStart():
			p.skipLine()
		case c == '"':
			word, err = p.quoted()
			return word, err == nil, err
		default:
			start := p.pos
			for p.pos < len(p.data) && p.data[p.pos] != '\n' && !isBlank(p.data[p.pos]) {
				p.pos++
			}
			return string(p.data[start:p.pos]), true, nil
		}
	}
	return "", false, nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' }

// atLineStart tells whether only blanks stand before the position. Elsewhere a
// "#" begins a word: passwords do.
func (p *netrcParser) atLineStart() bool {
	for i := p.pos - 1; i >= 0 && p.data[i] != '\n'; i-- {
		if !isBlank(p.data[i]) {
			return false
		}
	}
	return true
}

func (p *netrcParser) skipLine() {
	for p.pos < len(p.data) && p.data[p.pos] != '\n' {
		p.pos++
	}
}

// skipMacro skips a macro definition: up to an empty line.
func (p *netrcParser) skipMacro() {
	p.skipLine()
	for p.pos < len(p.data) {
		p.pos++ // the line's end
		p.line++
		start := p.pos
		p.skipLine()
		if p.pos == start || p.pos == start+1 && p.data[start] == '\r' {
			return
		}
	}
}

// quoted reads a word in double quotes; the position is on the first.
func (p *netrcParser) quoted() (string, error) {
	var b strings.Builder
	for p.pos++; p.pos < len(p.data) && p.data[p.pos] != '\n'; p.pos++ {
		switch c := p.data[p.pos]; {
		case c == '"':
			p.pos++
			return b.String(), nil
		case c == '\\' && p.pos+1 < len(p.data) && p.data[p.pos+1] != '\n':
			p.pos++
			b.WriteByte(unescape(p.data[p.pos]))
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("line %d: a quote is not closed", p.line)
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}
