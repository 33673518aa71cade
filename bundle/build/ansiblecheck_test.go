package build

import (
	"strings"
	"testing"
)

func TestControlPython(t *testing.T) {
	const fits = ""
	for name, c := range map[string]struct{ python, ansibleCore, want string }{
		"the default on 3.9":             {"3.9", "", fits},
		"the default on 3.11.7":          {"3.11.7", "", fits},
		"the default on 3.12":            {"3.12", "", `control python "3.12": ansible-core 2.15 runs on 3.9, 3.10 and 3.11`},
		"the default on 3.8":             {"3.8", "", `control python "3.8": ansible-core 2.15 runs on 3.9, 3.10 and 3.11`},
		"the default on no version":      {"three", "", `control python "three": ansible-core 2.15 runs on 3.9`},
		"2.17 on 3.12":                   {"3.12", ">=2.17,<2.18", fits},
		"2.17 on 3.9":                    {"3.9", ">=2.17,<2.18", `control python "3.9": ansible-core 2.17 runs on 3.10, 3.11 and 3.12`},
		"2.17 on 3.9.18":                 {"3.9.18", "==2.17.14", `control python "3.9.18": ansible-core 2.17 runs on`},
		"2.17 on 3.13":                   {"3.13", "~=2.17.0", `ansible-core 2.17 runs on 3.10`},
		"2.16 on 3.12":                   {"3.12", "==2.16.*", fits},
		"2.18 on 3.10":                   {"3.10", ">=2.18,<2.19", `ansible-core 2.18 runs on 3.11, 3.12 and 3.13`},
		"2.19 on 3.13":                   {"3.13", ">=2.19,<2.20", fits},
		"2.20 on 3.14":                   {"3.14", ">=2.20,<2.21", fits},
		"two series, the older runs":     {"3.9", ">=2.15,<2.17", fits},
		"two series, the later runs":     {"3.12", ">=2.15,<2.17", fits},
		"two series, none runs":          {"3.13", ">=2.15,<2.17", `ansible-core 2.15 and 2.16 run on 3.9, 3.10, 3.11 and 3.12`},
		"up to a series":                 {"3.12", ">2.15.13,<2.16.1", fits},
		"a pre-release":                  {"3.9", "==2.17.0rc1", `ansible-core 2.17 runs on`},
		"between two patch levels":       {"3.12", ">2.15.3,<2.15.6", `ansible-core 2.15 runs on`},
		"all but a series":               {"3.9", ">=2.15,<2.17,!=2.15.*", `ansible-core 2.16 runs on`},
		"later ones are not known":       {"3.15", ">=2.15", fits},
		"no later one will go back":      {"3.9", ">=2.16", `run on 3.10, `},
		"a series that is not known":     {"3.15", ">=2.22,<2.24", fits},
		"it, on an old one":              {"3.9", "==2.99.3", fits},
		"a range that ends in it":        {"3.15", ">=2.20,<2.25", fits},
		"the major after":                {"3.15", "==3.0.1", fits},
		"an old series":                  {"3.12", "<2.14", fits},
		"an old series on no version":    {"x", "<2.14", `control python "x": takes a version like 3.9 or 3.11`},
		"older ones do not count beside": {"3.12", "<2.16", `ansible-core 2.14 and 2.15 run on 3.9, 3.10 and 3.11`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Spec{ControlPython: c.python, AnsibleCore: c.ansibleCore}.Check()
			switch {
			case err == nil && c.want != fits:
				t.Errorf("no mistake, want %s", c.want)
			case err != nil && (c.want == fits || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	if err := (Spec{ControlPython: "3.12", AnsibleCore: "abc"}).Check(); err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "2.15 runs on") {
		t.Errorf("both are wrong: %v", err)
	}
}
