package proof

import (
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// recorded is what the real dnf said, in testdata.
func recorded(t testing.TB, name string) node.Output {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, f := range archive.Files {
		parts[f.Name] = string(f.Data)
	}
	status, err := strconv.Atoi(strings.TrimSpace(parts["status"]))
	if err != nil {
		t.Fatal(err)
	}
	return node.Output{Stdout: parts["stdout"], Stderr: parts["stderr"], Status: status}
}

// short writes the rows of a table, one a line: what would happen, to what,
// and what it would replace.
func short(t *table) []string {
	var list []string
	for _, r := range t.rows {
		line := string(r.action) + " " + r.nevra()
		for _, gone := range r.replaces {
			line += " replaces " + gone.nevra()
		}
		list = append(list, line)
	}
	return list
}

func TestReadTables(t *testing.T) {
	for _, c := range []struct {
		name    string
		rows    int
		has     []string
		present []string
	}{
		{name: "fresh", rows: 67, has: []string{
			"Install haproxy-2.4.22-3.el9_3.x86_64", "Install crypto-policies-scripts-20240202-1.git283706d.el9.noarch",
			"Install ca-certificates-2023.2.60_v7.0.306-90.1.el9.noarch", // in two lines
			"Install bzip2-libs-1.0.8-8.el9.x86_64", "Install net-snmp-libs-1:5.9.1-13.el9.x86_64"}},
		{name: "replaces", rows: 40, has: []string{"Upgrade haproxy-2.4.22-3.el9_3.x86_64",
			"Install fixture-renamed-2.0-1.el9.noarch replaces fixture-former-1.9~rc1-1.el9.noarch"},
			present: []string{"haproxy-2.4.10-1.el9.x86_64", "postgresql16-libs-16.3-1PGDG.rhel9.x86_64"}},
		{name: "downgrade", rows: 12, has: []string{"Downgrade acl-2.3.1-4.el9.x86_64", "Install tzdata-2024a-1.el9.noarch"}},
		{name: "nothing", present: []string{"bash-5.1.8-9.el9.x86_64"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := read(recorded(t, c.name))
			if err != nil {
				t.Fatal(err)
			}
			rows := short(table)
			if len(rows) != c.rows {
				t.Errorf("%d rows, want %d: %q", len(rows), c.rows, rows)
			}
			for _, want := range c.has {
				if !slices.Contains(rows, want) {
					t.Errorf("no %q in %q", want, rows)
				}
			}
			if !slices.Equal(table.present, c.present) {
				t.Errorf("present %q, want %q", table.present, c.present)
			}
		})
	}
}

func TestReadFailures(t *testing.T) {
	for _, c := range []struct {
		name  string
		class error
		has   []string
	}{
		{"nosuch", manifest.ErrUnsolvable, []string{"No match for argument: nosuch\n", "No match for argument: nosuch2"}},
		{"excluded", manifest.ErrUnsolvable, []string{"All matches were filtered out by exclude filtering for argument: haproxy"}},
		{"unmet", manifest.ErrUnsolvable, []string{"Problem: package needs-nothing-there", "nothing provides unobtainium >= 2 needed by needs-the-impossible"}},
		{"norepodata", manifest.ErrDamaged, []string{"Failed to download metadata", "/srv/r5/rpms/repodata/repomd.xml"}},
		{"damaged", manifest.ErrDamaged, []string{"checksum doesn't match"}},
		{"junk", manifest.ErrDamaged, []string{"Document is empty"}},
		{"usage", nil, []string{"unrecognized arguments: --nosuchoption"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := read(recorded(t, c.name))
			if err == nil {
				t.Fatalf("passed with %q", short(table))
			}
			for _, class := range []error{manifest.ErrUnsolvable, manifest.ErrDamaged, manifest.ErrSignature} {
				if errors.Is(err, class) != (class == c.class) {
					t.Errorf("class %v: %v of %v", class, !errors.Is(err, class), err)
				}
			}
			for _, want := range c.has {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %v", want, err)
				}
			}
		})
	}
}

// TestReadDoubt changes good answers into ones that prove nothing.
func TestReadDoubt(t *testing.T) {
	good := recorded(t, "downgrade")
	for name, change := range map[string]func(*node.Output){
		"another status":      func(o *node.Output) { o.Status = 0 },
		"killed":              func(o *node.Output) { o.Status = 137 },
		"no last word":        func(o *node.Output) { o.Stderr = "" },
		"last word elsewhere": func(o *node.Output) { o.Stderr = strings.ReplaceAll(o.Stderr, "Operation", "> Operation") },
		"no table":            func(o *node.Output) { o.Stdout = "Dependencies resolved.\n" },
		"table cut":           func(o *node.Output) { o.Stdout, _, _ = strings.Cut(o.Stdout, "Downgrading") },
		"row lost":            func(o *node.Output) { o.Stdout = strings.Replace(o.Stdout, " acl  ", "", 1) },
		"row without size":    func(o *node.Output) { o.Stdout = strings.Replace(o.Stdout, "patroni-airgap    1.8 k", "", 1) },
		"part not known": func(o *node.Output) {
			o.Stdout = strings.Replace(o.Stdout, "Downgrading:", "Enabling module streams:", 1)
		},
		"part of skipped": func(o *node.Output) {
			o.Stdout = strings.Replace(o.Stdout, "Downgrading:", "Skipping packages with conflicts:", 1)
		},
		"one more in the summary": func(o *node.Output) { o.Stdout = strings.Replace(o.Stdout, "Install    11", "Install    12", 1) },
		"replaced before a row": func(o *node.Output) {
			o.Stdout = strings.Replace(o.Stdout, "Downgrading:\n", "Downgrading:\n     replacing  a.noarch 1-1\n", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := good
			change(&out)
			if out == good {
				t.Fatal("nothing changed")
			}
			if table, err := read(out); err == nil {
				t.Errorf("passed with %q", short(table))
			}
		})
	}
}

// FuzzParseTable: a table that is taken is one whose rows all say something,
// and whose summary counts them.
func FuzzParseTable(f *testing.F) {
	for _, name := range []string{"downgrade", "unmet"} {
		f.Add(recorded(f, name).Stdout)
	}
	f.Add("=\n Package \n=\nInstalling:\n a-very-long-name\n     noarch 1-1 repo 2.9 k\n     replacing  b.noarch 1-1\n\nTransaction Summary\n=\nInstall  1 Package\n")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := parseTable(text)
		if err != nil {
			return
		}
		for _, r := range table.rows {
			if r.action == "" || r.name == "" || r.arch == "" || r.evr == "" {
				t.Errorf("row %+v", r)
			}
			if strings.ContainsAny(r.nevra(), " \n\t") {
				t.Errorf("row %+v", r)
			}
		}
	})
}

// TestOthers holds that a delta for the node's own repositories is proven with
// them, and every other bundle without.
func TestOthers(t *testing.T) {
	for _, others := range []bool{false, true} {
		p := &prover{Options: Options{Scratch: "/s", Others: others, Roots: []string{"haproxy"}}}
		line := strings.Join(p.dnf("/s/repos"), " ")
		if got := strings.Contains(line, "--disablerepo=*"); got == others {
			t.Errorf("others %t: %s", others, line)
		}
		if got := strings.Contains(line, "reposdir=/s/repos,/etc/yum.repos.d "); got != others {
			t.Errorf("others %t: %s", others, line)
		}
		if !strings.HasSuffix(line, "--enablerepo=patroni-airgap --refresh --assumeno install haproxy") {
			t.Errorf("others %t: %s", others, line)
		}
	}
}
