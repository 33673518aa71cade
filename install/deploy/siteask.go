package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// A Person answers questions. Ask returns the answer without the space around
// it, which is empty when the default is taken; Refuse says why an answer was
// not taken, before the question is put again.
type Person interface {
	Ask(ctx context.Context, question, fallback string) (string, error)
	Refuse(reason string)
}

// siteQuestion is one question of init. What it sets is checked by the same
// rules that hold for flags.
type siteQuestion struct {
	flag, text string
	fallback   func(a SiteAnswers) string
	set        func(a *SiteAnswers, answer string) error
	when       func(a SiteAnswers) bool // nil: always
	list       bool                     // asked for one after another, until an empty answer
}

var siteQuestions = []siteQuestion{
	{
		flag: "layout", text: "layout: collocated (etcd runs on the database nodes) or separated (etcd has nodes of its own)",
		fallback: func(a SiteAnswers) string { return a.Layout },
		set:      func(a *SiteAnswers, w string) error { a.Layout = w; return nil },
	},
	{
		flag: "node", text: "database node", list: true,
		set: func(a *SiteAnswers, w string) error { a.Nodes = append(a.Nodes, w); return nil },
	},
	{
		flag: "etcd", text: "node of etcd", list: true,
		set:  func(a *SiteAnswers, w string) error { a.EtcdNodes = append(a.EtcdNodes, w); return nil },
		when: func(a SiteAnswers) bool { return a.Layout == Separated },
	},
	{
		flag: "vip", text: fmt.Sprintf("virtual address that applications connect to, IP or IP/BITS of its network (/%d when not said)", defaultBits),
		fallback: func(SiteAnswers) string { return "" },
		set:      func(a *SiteAnswers, w string) error { a.VIP = w; return nil },
	},
	{
		flag: "vip-interface", text: "network interface of the nodes that it is attached to",
		fallback: func(a SiteAnswers) string { return a.Interface },
		set:      func(a *SiteAnswers, w string) error { a.Interface = w; return nil },
	},
	{
		flag: "cluster-name", text: "name of the cluster",
		fallback: func(a SiteAnswers) string { return a.Cluster },
		set:      func(a *SiteAnswers, w string) error { a.Cluster = w; return nil },
	},
	{
		flag: "user", text: "user that Ansible logs in as, root or one with sudo",
		fallback: func(a SiteAnswers) string { return a.User },
		set:      func(a *SiteAnswers, w string) error { a.User = w; return nil },
	},
	{
		flag: "allow", text: "networks that may connect, with blanks between them",
		fallback: func(a SiteAnswers) string { return a.network() },
		set:      func(a *SiteAnswers, w string) error { a.Allow = strings.Fields(w); return nil },
	},
	{
		flag: "profile", text: "tuning profile by memory: minimal (up to 4 GB), small (16), medium (32), large (64) or xl (128)",
		fallback: func(a SiteAnswers) string { return a.Profile },
		set:      func(a *SiteAnswers, w string) error { a.Profile = w; return nil },
	},
	{
		flag: "pg", text: "PostgreSQL, " + orList(sitePostgres),
		fallback: func(a SiteAnswers) string { return a.Postgres },
		set:      func(a *SiteAnswers, w string) error { a.Postgres = w; return nil },
	},
	{
		flag: "synchronous", text: "synchronous replication, which loses no acknowledged row and makes writes slower: yes or no",
		fallback: func(a SiteAnswers) string { return map[bool]string{true: "yes", false: "no"}[a.Synchronous] },
		set: func(a *SiteAnswers, w string) error {
			if w = strings.ToLower(w); !slices.Contains([]string{"yes", "y", "no", "n"}, w) {
				return fmt.Errorf("%q: takes yes or no", w)
			}
			a.Synchronous = w[0] == 'y'
			return nil
		},
	},
}

// network is what may connect when nobody says anything else; "" when that
// cannot be told yet.
func (a SiteAnswers) network() string {
	c := &siteCheck{answers: a}
	if c.vip(); c.site.VIP.IsValid() {
		return c.site.VIP.Masked().String()
	}
	return ""
}

// Ask puts every question to a person whose flag is not given, and puts it
// again until the answer, together with those before it, is one that can work.
// What was given has to be right already.
func (a SiteAnswers) Ask(ctx context.Context, person Person, given func(flag string) bool, r SiteRelease) (SiteAnswers, error) {
	for _, q := range siteQuestions {
		if given(q.flag) || q.when != nil && !q.when(a.withDefaults(r)) {
			continue
		}
		var err error
		if q.list {
			err = q.askList(ctx, person, &a, r)
		} else {
			err = q.ask(ctx, person, &a, r)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// ask asks for one answer.
func (q *siteQuestion) ask(ctx context.Context, person Person, a *SiteAnswers, r SiteRelease) error {
	fallback := q.fallback(a.withDefaults(r))
	for {
		answer, err := person.Ask(ctx, q.text, fallback)
		if err != nil {
			return err
		}
		next := *a
		if answer = cmp.Or(answer, fallback); answer != "" {
			err = q.set(&next, answer)
		}
		if err != nil {
			person.Refuse(err.Error())
			continue
		}
		if f := q.against(next, r, true); f != nil {
			person.Refuse(f.Text)
			continue
		}
		*a = next
		return nil
	}
}

// askList asks for nodes until an empty answer, and until their number is right.
func (q *siteQuestion) askList(ctx context.Context, person Person, a *SiteAnswers, r SiteRelease) error {
	for n := 1; ; {
		answer, err := person.Ask(ctx, fmt.Sprintf("%s %d, NAME=IP (nothing: no more)", q.text, n), "")
		if err != nil {
			return err
		}
		if answer == "" {
			f := q.against(*a, r, true)
			if f == nil {
				return nil
			}
			person.Refuse(f.Text)
			continue
		}
		for _, word := range strings.Fields(answer) {
			next := *a
			next.Nodes, next.EtcdNodes = slices.Clone(a.Nodes), slices.Clone(a.EtcdNodes)
			if err := q.set(&next, word); err != nil {
				return err
			}
			if f := q.against(next, r, false); f != nil {
				person.Refuse(f.Text)
				break
			}
			*a = next
			n++
		}
	}
}

// against finds what speaks against the answers to this question; of the number
// of nodes only when all have been named.
func (q *siteQuestion) against(a SiteAnswers, r SiteRelease, all bool) *SiteFinding {
	_, findings := a.Site(r)
	for _, f := range findings {
		if f.Flag == q.flag && (all || !f.Open()) {
			return &f
		}
	}
	return nil
}
