package proof

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// action is what dnf would do with a package.
type action string

const (
	installed   action = "Install"
	upgraded    action = "Upgrade"
	reinstalled action = "Reinstall"
	downgraded  action = "Downgrade"
	removed     action = "Remove"
)

// headings are the parts of dnf 4's transaction table. A part that is not among
// them (streams that would be enabled, packages that would be skipped) is no
// part of a proof, and the table is refused.
var headings = map[string]action{
	"Installing:":                       installed,
	"Installing dependencies:":          installed,
	"Installing weak dependencies:":     installed,
	"Installing group/module packages:": installed,
	"Installing group packages:":        installed,
	"Upgrading:":                        upgraded,
	"Reinstalling:":                     reinstalled,
	"Downgrading:":                      downgraded,
	"Removing:":                         removed,
	"Removing dependent packages:":      removed,
	"Removing unused dependencies:":     removed,
}

// row is one package of the table.
type row struct {
	action          action
	name, arch, evr string
	repo            string
	replaces        []header // packages of the node that this one obsoletes
}

func (r row) nevra() string { return r.name + "-" + r.evr + "." + r.arch }

// table is what dnf would do.
type table struct {
	rows    []row
	present []string
}

// parseTable reads the transaction table out of what dnf printed. The numbers
// in dnf's summary have to be those of the rows.
func parseTable(text string) (*table, error) {
	body, summary, ok := strings.Cut(text, "\nTransaction Summary\n")
	if !ok {
		return nil, fmt.Errorf("no summary in %q", tail(text))
	}
	rule := regexp.MustCompile(`(?m)^=+\n Package .*\n=+\n`).FindStringIndex(body)
	if rule == nil {
		return nil, fmt.Errorf("no table in %q", tail(text))
	}
	rows, err := parseRows(body[rule[1]:])
	if err != nil {
		return nil, err
	}
	return &table{rows: rows}, compare(rows, summary)
}

func tail(text string) string { return text[max(0, len(text)-200):] }

// parseRows reads the lines below the head of the table. A value that is wider
// than its column is followed by a line break, and the row goes on further in.
func parseRows(body string) ([]row, error) {
	var rows []row
	var now action
	var fields []string
	var replaces []header
	end := func() error {
		if fields == nil {
			return nil
		}
		// name, architecture, EVR, repository, size: a number and mostly a unit
		if now == "" || len(fields) < 5 || len(fields) > 6 {
			return fmt.Errorf("a row of %q", fields)
		}
		rows = append(rows, row{action: now, name: fields[0], arch: fields[1], evr: fields[2], repo: fields[3], replaces: replaces})
		fields, replaces = nil, nil
		return nil
	}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case line[0] != ' ':
			if err := end(); err != nil {
				return nil, err
			}
			if now = headings[line]; now == "" {
				return nil, fmt.Errorf("the part %q is not expected", line)
			}
		case len(line) > 1 && line[1] != ' ':
			if err := end(); err != nil {
				return nil, err
			}
			fields = words
		case words[0] == "replacing":
			gone, err := parseReplaced(words)
			if err != nil || fields == nil {
				return nil, fmt.Errorf("the line %q is not expected", line)
			}
			replaces = append(replaces, gone)
		case fields == nil:
			return nil, fmt.Errorf("the line %q is not expected", line)
		default:
			fields = append(fields, words...)
		}
	}
	return rows, end()
}

// parseReplaced reads "replacing  name.arch evr".
func parseReplaced(words []string) (header, error) {
	if len(words) == 3 {
		if dot := strings.LastIndexByte(words[1], '.'); dot > 0 {
			return header{name: words[1][:dot], arch: words[1][dot+1:], evr: words[2]}, nil
		}
	}
	return header{}, fmt.Errorf("%q", words)
}

var count = regexp.MustCompile(`(?m)^(Install|Upgrade|Remove|Downgrade|Skip) +([0-9]+) Packages?$`)

// compare holds the rows against the summary, which does not count what is
// reinstalled.
func compare(rows []row, summary string) error {
	want := map[action]int{}
	for _, m := range count.FindAllStringSubmatch(summary, -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return fmt.Errorf("the summary has %q", m[0])
		}
		want[action(m[1])] = n
	}
	got := map[action]int{}
	for _, r := range rows {
		got[r.action]++
	}
	for _, a := range []action{installed, upgraded, downgraded, removed, "Skip"} {
		if got[a] != want[a] {
			return fmt.Errorf("%s: %d rows, and the summary has %d", a, got[a], want[a])
		}
	}
	return nil
}

var already = regexp.MustCompile(`(?m)^Package (\S+) is already installed\.$`)

// present lists the roots that the node has.
func present(text string) []string {
	var list []string
	for _, m := range already.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}
