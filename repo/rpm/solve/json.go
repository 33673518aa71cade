package solve

import (
	"bytes"
	"encoding/json"

	"pgbundle/repo/rpm"
)

// problemData is a problem in JSON, the ids written out.
type problemData struct {
	Requests   []string     `json:"requests"`
	Cause      string       `json:"cause"`
	Capability string       `json:"capability,omitempty"` // that nothing meets
	Reasons    []reasonData `json:"reasons"`
}

// reasonData is a reason in JSON. A package is its NEVRA.
type reasonData struct {
	Kind       string       `json:"kind"`
	Text       string       `json:"text"`
	Request    string       `json:"request,omitempty"`
	Packages   []string     `json:"packages,omitempty"`
	Alike      []string     `json:"alike,omitempty"`
	Capability string       `json:"capability,omitempty"`
	Offered    []string     `json:"offered,omitempty"`
	Other      string       `json:"other,omitempty"`
	HeldBy     string       `json:"held_by,omitempty"`
	Filter     string       `json:"filter,omitempty"`
	By         string       `json:"by,omitempty"`
	Repository string       `json:"repository,omitempty"` // of packages that are filtered out
	InPart     bool         `json:"in_part,omitempty"`
	Hints      []string     `json:"hints,omitempty"`
	Because    []reasonData `json:"because,omitempty"`
}

// MarshalJSON writes the whole chain, nothing cut: requests, cause, capability
// and reasons; each with its kind (see Kind.String), its text, and what Reason
// holds in words, packages as NEVRAs. docs/formats.md has it for readers.
func (p *Problem) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // as the caller's encoder wants it: what is escaped here stays so
	err := e.Encode(problemData{Requests: p.Requests, Cause: p.Cause(), Capability: p.Requirement(), Reasons: p.data(p.Reasons)})
	return b.Bytes(), err
}

func (p *Problem) data(reasons []*Reason) []reasonData {
	var out []reasonData
	for _, r := range reasons {
		d := reasonData{
			Kind: r.Kind.String(), Text: p.line(r), Request: r.Request, By: r.By, Filter: r.Filter.String(), InPart: r.InPart, Hints: r.Hints,
			Packages: p.nevras(r.Packages), Alike: p.nevras(r.Alike), Offered: p.nevras(r.Offered), Because: p.data(r.Because),
		}
		if r.Dep != 0 {
			d.Capability = p.solver.pool.DepString(r.Dep)
		}
		if r.Other != 0 {
			d.Other = p.solver.pool.NEVRA(r.Other)
		}
		if r.HeldBy != 0 {
			d.HeldBy = p.solver.pool.NEVRA(r.HeldBy)
		}
		if r.Filter != rpm.Visible {
			d.Repository = p.solver.repoOf(r.Packages[0])
		}
		out = append(out, d)
	}
	return out
}

func (p *Problem) nevras(ids []rpm.ID) []string {
	var out []string
	for _, id := range ids {
		out = append(out, p.solver.pool.NEVRA(id))
	}
	return out
}
