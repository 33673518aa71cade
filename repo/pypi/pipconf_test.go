package pypi

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"pgbundle/manifest"
)

func TestConfigurePip(t *testing.T) {
	help := func(text string) func() ([]byte, error) {
		return func() ([]byte, error) { return []byte(text), nil }
	}
	const usual = "Package Index Options:\n  -i, --index-url <url>       Base URL of the Python Package Index (default\n                              https://index.exam\n                              ple/simple). This should\n"
	tests := []struct {
		name      string
		flag      string
		env       map[string]string
		files     map[string]string
		help      func() ([]byte, error)
		url, from string
		extra     []string
	}{
		{"flag alone", "https://flag.example/simple", map[string]string{"PIP_INDEX_URL": "https://env.example", "PIP_EXTRA_INDEX_URL": "https://x.example"}, nil, nil, "https://flag.example/simple", "--index-url", nil},
		{"environment", "", map[string]string{"PIP_INDEX_URL": "https://env.example", "PIP_EXTRA_INDEX_URL": "https://x.example https://y.example"},
			map[string]string{"/etc/pip.conf": "[global]\nindex-url = https://etc.example\n"}, nil, "https://env.example", "PIP_INDEX_URL", []string{"https://x.example", "https://y.example"}},
		{"files, the last counts", "", map[string]string{"HOME": "/h", "PIP_CONFIG_FILE": "/own.conf"}, map[string]string{
			"/etc/pip.conf": "[global]\nindex-url = https://etc.example\nextra-index-url = \n  https://x.example\n  https://y.example\n", "/h/.config/pip/pip.conf": "[global]\nIndex_URL: https://home.example\n", "/own.conf": "# no index\n[global]\ntimeout=3\n"},
			nil, "https://home.example", "/h/.config/pip/pip.conf", []string{"https://x.example", "https://y.example"}},
		{"section of a command over global", "", nil, map[string]string{"/etc/xdg/pip/pip.conf": "[install]\nindex-url=https://install.example\n", "/etc/pip.conf": "[global]\nindex-url=https://global.example\n"}, nil, "https://install.example", "/etc/xdg/pip/pip.conf", nil},
		{"no files", "", map[string]string{"PIP_CONFIG_FILE": "/dev/null"}, map[string]string{"/etc/pip.conf": "[global]\nindex-url = https://etc.example\n"}, help(usual), "https://index.example/simple", "the default of pip", nil},
		{"virtual environment", "", map[string]string{"VIRTUAL_ENV": "/v"}, map[string]string{"/v/pip.conf": "[global]\nindex-url=https://venv.example"}, nil, "https://venv.example", "/v/pip.conf", nil},
		{"default of pip", "", nil, nil, help(usual), "https://index.example/simple", "the default of pip", nil},
		{"hidden default", "", nil, nil, help("--index-url <url> (default https://u:****@index.example/simple)"), "", "", nil},
		{"no default", "", nil, nil, help("--index-url <url> no default"), "", "", nil},
		{"pip fails", "", nil, nil, func() ([]byte, error) { return nil, errors.New("no pip") }, "", "", nil},
		{"nothing", "", nil, nil, nil, "", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host := PipHost{
				Env: func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok },
				ReadFile: func(name string) ([]byte, error) {
					if text, ok := tt.files[name]; ok {
						return []byte(text), nil
					}
					return nil, fs.ErrNotExist
				},
				Help: tt.help,
			}
			c, err := ConfigurePip(tt.flag, host)
			if tt.url == "" {
				if !errors.Is(err, manifest.ErrUsage) {
					t.Errorf("got %+v, %v", c, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.IndexURL != tt.url || c.From != tt.from || !slices.Equal(c.ExtraIndexURLs, tt.extra) {
				t.Errorf("got %+v", c)
			}
		})
	}
	without := func(env map[string]string) (*PipConfig, error) {
		return ConfigurePip("", PipHost{
			Env:      func(name string) (string, bool) { v, ok := env[name]; return v, ok },
			ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist },
		})
	}
	c, err := without(map[string]string{"PIP_NO_INDEX": "Yes", "PIP_FIND_LINKS": "~/wheels /srv/wheels", "PIP_EXTRA_INDEX_URL": "https://x.example", "HOME": "/h"})
	if err != nil || !c.NoIndex || c.IndexURL != "" || len(c.ExtraIndexURLs) > 0 || !slices.Equal(c.FindLinks, []string{"/h/wheels", "/srv/wheels"}) {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err = without(map[string]string{"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "https://env.example"}); err != nil || c.NoIndex || c.IndexURL == "" {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err = without(map[string]string{"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "https://env.example"}); !errors.Is(err, manifest.ErrUsage) {
		t.Errorf("got %v", err)
	}
	broken := PipHost{Env: func(string) (string, bool) { return "", false }, ReadFile: func(string) ([]byte, error) { return nil, errors.New("disk") }}
	if _, err := ConfigurePip("", broken); err == nil {
		t.Error("a file that cannot be read is passed over")
	}
}
