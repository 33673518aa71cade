package deploy

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// errJoin keeps set-up in one line.
func errJoin(errs ...error) error { return errors.Join(errs...) }

// script is a person who gives answers in order, and remembers what was said.
type script struct {
	answers []string
	said    []string
}

func (s *script) Ask(_ context.Context, question, fallback string) (string, error) {
	s.said = append(s.said, question+" ["+fallback+"]")
	if len(s.answers) == 0 {
		return "", io.EOF
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return answer, nil
}

func (s *script) Refuse(reason string) { s.said = append(s.said, "NO "+reason) }

func none(string) bool { return false }

func TestAskDefaults(t *testing.T) {
	p := &script{answers: []string{"", "pg1=10.0.0.11", "pg2=10.0.0.12", "pg3=10.0.0.13", "", "10.0.0.10", "", "", "", "", "", "", ""}}
	got, err := SiteAnswers{}.Ask(context.Background(), p, none, SiteRelease{Postgres: "15"})
	if err != nil || len(p.answers) > 0 {
		t.Fatalf("%v, left %q, said:\n%s", err, p.answers, strings.Join(p.said, "\n"))
	}
	want := SiteAnswers{
		Layout: "collocated", Nodes: []string{"pg1=10.0.0.11", "pg2=10.0.0.12", "pg3=10.0.0.13"}, VIP: "10.0.0.10", Interface: "eth0", Cluster: "pg-ha-cluster",
		User: "root", Allow: []string{"10.0.0.0/24"}, Profile: "minimal", Postgres: "15",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, findings := got.Site(SiteRelease{}); len(findings) > 0 {
		t.Errorf("what was answered is refused: %v", findings)
	}
}

// TestAskAgain gives a wrong answer to every question first.
func TestAskAgain(t *testing.T) {
	p := &script{answers: []string{
		"both", "separated",
		"", "pg1", "pg1=10.0.0.11", "pg1=10.0.0.12", "", "pg2=10.0.0.12 pg3=10.0.0.12", "pg3=10.0.0.13", "",
		"pg1=10.0.0.21", "e1=10.0.0.21 e2=10.0.0.22", "", "e3=10.0.0.23", "",
		"", "10.0.0.13", "10.0.1.1", "10.0.0.10",
		"eth 0", "eth1", "my cluster", "mine", "a b", "deploy", "10.0.0.1/8", "10.0.0.0/8 192.0.2.0/24", "oltp", "medium", "13", "17", "perhaps", "Y",
	}}
	got, err := SiteAnswers{}.Ask(context.Background(), p, none, SiteRelease{})
	said := strings.Join(p.said, "\n")
	if err != nil || len(p.answers) > 0 {
		t.Fatalf("%v, left %q, said:\n%s", err, p.answers, said)
	}
	want := SiteAnswers{
		Layout: "separated", Nodes: []string{"pg1=10.0.0.11", "pg2=10.0.0.12", "pg3=10.0.0.13"}, EtcdNodes: []string{"e1=10.0.0.21", "e2=10.0.0.22", "e3=10.0.0.23"},
		VIP: "10.0.0.10", Interface: "eth1", Cluster: "mine", User: "deploy", Allow: []string{"10.0.0.0/8", "192.0.2.0/24"}, Profile: "medium", Postgres: "17",
		Synchronous: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, reason := range []string{
		`"both": takes collocated or separated`, "takes NAME=IP, once for each database node", `"pg1": takes NAME=IP`, "the name is that of --node pg1=10.0.0.11",
		"names 1 node: there is nobody to take over", "the address is that of --node pg2=10.0.0.12", "the name is that of --node pg1", "names 2 nodes: etcd takes an odd number",
		"takes the address that applications connect to", "it is the address of pg3", "outside of its network 10.0.1.0/24", `"eth 0": takes`, `"my cluster": takes`, `"a b": takes`,
		"has bits behind its length", `"oltp": takes`, `"13": takes`, `"perhaps": takes yes or no`,
	} {
		if !strings.Contains(said, "NO ") || !strings.Contains(said, reason) {
			t.Errorf("%q was not said:\n%s", reason, said)
		}
	}
	if n := strings.Count(said, "NO "); n != 18 {
		t.Errorf("refused %d times, want 18:\n%s", n, said)
	}
}

// TestAskOnlyTheRest: what a flag says is not asked for.
func TestAskOnlyTheRest(t *testing.T) {
	p := &script{answers: []string{"10.0.0.10"}}
	a := three()
	a.VIP = ""
	if _, err := a.Ask(context.Background(), p, func(flag string) bool { return flag != "vip" }, SiteRelease{}); err != nil || len(p.said) != 1 {
		t.Errorf("%v, said %q", err, p.said)
	}
	if _, err := a.Ask(context.Background(), p, none, SiteRelease{}); !errors.Is(err, io.EOF) {
		t.Errorf("at the end of the input: %v", err)
	}
}
