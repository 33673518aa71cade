package main

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPermute(t *testing.T) {
	app := newApp(host{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	for name, test := range map[string]struct{ in, want []string }{
		"flag after operand":      {[]string{"p", "verify", "B", "--json"}, []string{"p", "verify", "--json", "B"}},
		"flag with value":         {[]string{"p", "verify", "B", "--pubkey", "K"}, []string{"p", "verify", "--pubkey", "K", "B"}},
		"flag with equals":        {[]string{"p", "verify", "B", "--pubkey=K"}, []string{"p", "verify", "--pubkey=K", "B"}},
		"two operands":            {[]string{"p", "inspect", "B", "files", "--json"}, []string{"p", "inspect", "--json", "B", "files"}},
		"subcommand":              {[]string{"p", "resolve", "rpm", "haproxy", "--weak", "tar"}, []string{"p", "resolve", "rpm", "--weak", "haproxy", "tar"}},
		"dash is an operand":      {[]string{"p", "resolve", "rpm", "-", "--each"}, []string{"p", "resolve", "rpm", "--each", "-"}},
		"double dash":             {[]string{"p", "verify", "--json", "--", "--odd"}, []string{"p", "verify", "--json", "--", "--odd"}},
		"operand like a command":  {[]string{"p", "verify", "build", "--json"}, []string{"p", "verify", "--json", "build"}},
		"short flag with value":   {[]string{"p", "build", "-o", "out", "-q"}, []string{"p", "build", "-o", "out", "-q"}},
		"completion stays behind": {[]string{"p", "verify", "--p", "--generate-bash-completion"}, []string{"p", "verify", "--p", "--generate-bash-completion"}},
		"nothing":                 {[]string{"p"}, []string{"p"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, permute(app, test.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
