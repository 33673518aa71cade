package dnfconf

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Main is the section [main] of dnf.conf: what repositories take over from it
// where their own section says nothing. The zero value says nothing.
type Main struct{ values map[string]string }

// inherited are the options that a repository takes over (libdnf's OptionChild).
var inherited = []string{
	"gpgcheck", "repo_gpgcheck", "skip_if_unavailable", "proxy", "proxy_username", "proxy_password", "username", "password",
	"sslverify", "sslcacert", "sslclientcert", "sslclientkey",
}

// filters hold for every repository, beside its own.
var filters = []string{"excludepkgs", "exclude", "includepkgs"}

// ReadMain reads a file such as dnf.conf of a folder. One that is not there
// says nothing.
func ReadMain(dir fs.FS, name string) (Main, error) {
	f, err := dir.Open(name)
	if isNotExist(err) {
		return Main{}, nil
	}
	if err != nil {
		return Main{}, err
	}
	defer f.Close()
	main, err := parseMain(f)
	if err != nil {
		return Main{}, fmt.Errorf("read %s: %w", name, err)
	}
	return main, nil
}

func parseMain(r io.Reader) (Main, error) {
	sections, err := parseINI(r)
	if err != nil {
		return Main{}, usage(err)
	}
	main := Main{values: map[string]string{}}
	for _, s := range sections {
		if s.name != "main" {
			continue
		}
		for key, value := range s.values {
			if slices.Contains(inherited, key) || slices.Contains(filters, key) {
				main.values[key] = value
			}
		}
	}
	return main, nil
}

// under lays the options of a repository over those that it takes over.
func (m Main) under(own map[string]string) map[string]string {
	values := map[string]string{}
	for _, key := range inherited {
		if value, ok := m.values[key]; ok {
			values[key] = value
		}
	}
	for key, value := range own {
		values[key] = value
	}
	for _, key := range filters {
		if value := m.values[key]; value != "" {
			values[key] += " " + value
		}
	}
	return values
}
