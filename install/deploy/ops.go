package deploy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Operation is one playbook of a site with what it is run with.
type Operation struct {
	Name     string // as a person types it: "deploy", "ops switchover"
	Playbook string // relative to the site

	deploys  bool // sets the cluster up, so that it needs all secrets
	unlogged bool // the answer holds passwords
	vars     map[string]any
	check    func(*preparation) // refuses what the hosts say against it
}

// Deploy sets the cluster up, or brings it to what the site says.
func Deploy() Operation { return Operation{Name: "deploy", Playbook: "site.yml", deploys: true} }

func operation(name, playbook string, vars map[string]any) Operation {
	return Operation{Name: "ops " + name, Playbook: "playbooks/" + playbook + ".yml", vars: vars}
}

// ClusterStatus asks who leads and who follows.
func ClusterStatus() Operation { return operation("cluster-status", "cluster-status", nil) }

// VerifyCluster tries the cluster out, from etcd to a row through the VIP.
func VerifyCluster() Operation { return operation("verify-cluster", "verify-cluster", nil) }

// ConnectionInfo tells applications where to connect.
func ConnectionInfo(passwords bool) Operation {
	o := operation("connection-info", "connection-info", nil)
	if passwords {
		o.vars, o.unlogged = map[string]any{"show_passwords": true}, true
	}
	return o
}

// Switchover makes another node the leader, by its patroni_name or its name in
// the inventory.
func Switchover(to string) Operation {
	o := operation("switchover", "switchover", map[string]any{"target_leader": to})
	o.check = func(p *preparation) {
		var names []string
		for _, host := range p.inventory.groups["patroni_cluster"] {
			name, ok := p.inventory.text(host, "patroni_name")
			if !ok {
				name = host
			}
			if to == name || to == host {
				o.vars["target_leader"] = name
				return
			}
			names = append(names, name)
		}
		p.usage("switchover", "there are "+strings.Join(names, ", "), "--to %s: no node of the database is called so", to)
	}
	return o
}

// Tuning is what apply-tuning changes; the zero value applies what the site says.
type Tuning struct {
	Profile        string
	MaxConnections int   // 0: the profile's
	Synchronous    *bool // nil: as the site says
	Restart        bool  // restart what a changed value needs
}

// Profiles are the tuning profiles of the playbook; a site may have others.
var Profiles = []string{"minimal", "small", "medium", "large", "xl"}

// ApplyTuning brings parameters of the site into the running cluster.
func ApplyTuning(t Tuning) Operation {
	vars := map[string]any{}
	if t.Profile != "" {
		vars["postgresql_tuning_profile"] = t.Profile
	}
	if t.MaxConnections > 0 {
		vars["postgresql_max_connections"] = t.MaxConnections
	}
	if t.Synchronous != nil {
		vars["patroni_synchronous_mode"] = *t.Synchronous
	}
	if t.Restart {
		vars["restart_after_apply"] = true
	}
	o := operation("apply-tuning", "apply-tuning", vars)
	o.check = func(p *preparation) {
		known := Profiles
		for _, v := range p.inventory.hosts {
			if own, ok := v["postgresql_tuning_profiles"].(map[string]any); ok {
				known = slices.Sorted(maps.Keys(own))
			}
		}
		if t.Profile != "" && !slices.Contains(known, t.Profile) {
			p.usage("tuning", "there are "+strings.Join(known, ", "), "--profile %s: there is no such profile", t.Profile)
		}
	}
	return o
}

// Restart restarts PostgreSQL node by node, the leader last.
func Restart(onlyPending bool) Operation {
	o := operation("restart", "restart-postgresql", nil)
	if onlyPending {
		o.vars = map[string]any{"only_pending": true}
	}
	return o
}

// Removal is what uninstall leaves alone or takes away too.
type Removal struct {
	Bundle   bool // the bundle on the hosts too
	KeepData bool // the databases stay
}

// Uninstall takes the cluster away from its hosts. Whoever calls it has asked.
func Uninstall(r Removal) Operation {
	vars := map[string]any{"confirm_uninstall": "yes"}
	if r.Bundle {
		vars["uninstall_remove_airgap_bundle"] = true
	}
	if r.KeepData {
		vars["uninstall_remove_data"] = false
	}
	return operation("uninstall", "uninstall", vars)
}

// cluster is the cluster's name: the site's, else the playbook's default.
func (p *preparation) cluster() string {
	for _, host := range p.inventory.names() {
		if name, ok := p.inventory.text(host, "cluster_name"); ok {
			return name
		}
	}
	return p.release.defaults()["cluster_name"]
}

// Text is the playbook's answer for a person; empty when it gave none.
func (r *Result) Text() string {
	var answer struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(r.Answer, &answer) != nil {
		return ""
	}
	return strings.TrimRight(cleaned(answer.Text, maxAnswer), "\n")
}

const maxAnswer = 1 << 20 // characters of an answer
