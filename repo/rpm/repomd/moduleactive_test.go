package repomd

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgbundle/manifest"
)

// readStreams makes modules of words, one stream each: NAME:STREAM:CONTEXT, then
// what it requires: MODULE, MODULE:STREAM,STREAM or MODULE:-STREAM.
func readStreams(lines ...string) *Modules {
	m := &Modules{Defaults: map[string]string{}}
	for _, line := range lines {
		words := strings.Fields(line)
		if name, stream, ok := strings.Cut(words[0], "="); ok {
			m.setDefault(name, stream)
			continue
		}
		id := strings.Split(words[0], ":")
		s := Stream{Name: id[0], Stream: id[1], Context: id[2]}
		requires := map[string][]string{}
		for _, word := range words[1:] {
			name, streams, some := strings.Cut(word, ":")
			requires[name] = nil
			if some {
				requires[name] = strings.Split(streams, ",")
			}
		}
		s.Requires = append(s.Requires, requires)
		m.Streams = append(m.Streams, s)
	}
	return m
}

// TestActive pins what dnf does; TestDNFModules draws many more.
func TestActive(t *testing.T) {
	lib := []string{"lib:2:a", "lib:3:a", "aux:1:a"}
	for _, c := range []struct {
		name     string
		streams  []string
		enabled  string
		disabled string
		want     string // what is on, or the error
	}{
		{"nothing", []string{"db:5:a"}, "", "", ""},
		{"enabled", []string{"db:5:a", "db:6:a"}, "db:5", "", "db:5:a"},
		{"default", []string{"db:5:a", "db:6:a", "db=6"}, "", "", "db:6:a"},
		{"enabled over the default", []string{"db:5:a", "db:6:a", "db=6"}, "db:5", "", "db:5:a"},
		{"disabled default", []string{"db:5:a", "db:6:a", "db=6"}, "", "db", ""},
		{"two defaults are none", []string{"db:5:a", "db:6:a", "db=6", "db=5"}, "", "", ""},
		{"required stream", append(lib, "db:5:a lib:3"), "db:5", "", "db:5:a lib:3:a"},
		{"required by the required", append(lib, "db:5:a mid", "mid:1:a lib:3"), "db:5", "", "db:5:a lib:3:a mid:1:a"},
		{"any stream: the first of the alphabet", append(lib, "lib:10:a", "db:5:a lib"), "db:5", "", "db:5:a lib:10:a"},
		{"any but one", append(lib, "db:5:a lib:-2"), "db:5", "", "db:5:a lib:3:a"},
		{"one of two", append(lib, "db:5:a lib:3,2"), "db:5", "", "db:5:a lib:2:a"},
		{"the default of what is required", append(lib, "lib=3", "db:5:a lib"), "db:5", "", "db:5:a lib:3:a"},
		{"not the default of what is required", append(lib, "lib=3", "db:5:a lib:2"), "db:5", "", "db:5:a lib:2:a"},
		{"a default that does not go along", append(lib, "db=5", "db:5:a lib:2"), "lib:3", "", "lib:3:a"},
		{"a default that is broken", append(lib, "db=5", "db:5:a lib:7"), "", "", ""},
		{"context by what it requires", append(lib, "db:5:a lib:3", "db:5:b lib:2"), "db:5", "", "db:5:b lib:2:a"},
		{"context that goes along", append(lib, "db:5:a lib:2", "db:5:b lib:3"), "db:5 lib:3", "", "db:5:b lib:3:a"},
		{"contexts that require the same", append(lib, "db:5:a lib:2", "db:5:b lib:2"), "db:5", "", "db:5:a db:5:b lib:2:a"},
		{"second thoughts", append(lib, "db:5:a mid", "mid:1:a lib:7", "mid:2:a lib:3"), "db:5", "", "db:5:a lib:3:a mid:2:a"},
		{"platform", []string{"db:5:a platform:el9"}, "db:5", "", "db:5:a"},
		{"another platform", []string{"db:5:a platform:el8"}, "db:5", "", "enable module db:5: db:5 requires platform:el8, and the target is platform:el9"},
		{"a stream that is not there", append(lib, "db:5:a lib:7"), "db:5", "", "enable module db:5: db:5 requires lib:7, and no repository has that"},
		{"what it requires is disabled", append(lib, "db:5:a lib:2"), "db:5", "lib", "enable module db:5: db:5 requires lib:2, and lib is disabled"},
		{"what it requires is enabled otherwise", append(lib, "db:5:a lib:2"), "db:5 lib:3", "", "enable module db:5, lib:3: db:5 requires lib:2, and lib:3 is on"},
		{"two streams of one", []string{"db:5:a", "db:6:a"}, "db:5 db:6", "", `enable module "db:6": db:5 is enabled too, and a module has one stream`},
		{"enabled and disabled", []string{"db:5:a"}, "db:5", "db", `enable module "db:5": the module is disabled too`},
		{"every mistake", []string{"db:5:a"}, "db:6 x:1", "y", "enable module \"db:6\": no repository has that stream, only 5\n" +
			"enable module \"x:1\": no repository has that module, only db\ndisable module \"y\": no repository has that module, only db"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := readStreams(c.streams...)
			on, err := m.active(ModuleOptions{Enabled: strings.Fields(c.enabled), Disabled: strings.Fields(c.disabled), Platform: "el9"})
			var got []string
			for i, s := range m.Streams {
				if err == nil && on[i] {
					got = append(got, s.Name+":"+s.Stream+":"+s.Context)
				}
			}
			slices.Sort(got)
			if err != nil {
				got = []string{err.Error()}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), c.want)
			}
			if err != nil && !errors.Is(err, manifest.ErrUnsolvable) {
				t.Errorf("class of %v", err)
			}
		})
	}
}

// TestActiveIsBounded holds that modules made to be hard end.
func TestActiveIsBounded(t *testing.T) {
	var lines []string
	for i := range 40 {
		name, next := "m"+string(rune('a'+i/26))+string(rune('a'+i%26)), "m"+string(rune('a'+(i+1)/26))+string(rune('a'+(i+1)%26))
		lines = append(lines, name+":1:a "+next, name+":2:a "+next+" x:1", name+":3:a "+next+" y:1")
	}
	lines = append(lines, "x:1:a", "y:1:a")
	_, err := readStreams(lines...).active(ModuleOptions{Enabled: []string{"maa:1"}})
	if err == nil || !errors.Is(err, manifest.ErrUnsolvable) {
		t.Errorf("got %v", err)
	}
}
