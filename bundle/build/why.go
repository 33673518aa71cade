package build

import (
	"slices"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/pypi/pep508"
)

// Why returns the chains from each artifact of a name up to a request: first
// the artifact, last what was asked for. Each artifact has one chain, the
// shortest. Names count within one kind and one folder of the bundle, since the
// two wheelhouses are apart. What a delta leaves to the target is the end of a
// chain, too.
func Why(lock *manifest.Lock, name string) [][]string {
	room := func(a manifest.Artifact) string { return string(a.Kind) + " " + folder(a.Path) }
	wants := map[string]map[string][]string{}
	for _, a := range lock.Artifacts {
		if wants[room(a)] == nil {
			wants[room(a)] = map[string][]string{}
		}
		wants[room(a)][a.Name] = a.WantedBy
	}
	requested := func(name string) bool {
		return strings.HasPrefix(name, "@") || slices.ContainsFunc(lock.Requests, func(r manifest.Request) bool { return r.Want == name })
	}
	var chains [][]string
	for _, a := range lock.Artifacts {
		if a.Name != name && a.Path != name && (a.Kind != manifest.Wheel || a.Name != pep508.NormalizeName(name)) {
			continue
		}
		end := theRequest
		if lock.IsDelta() && a.Kind == manifest.RPM {
			end = func(by string) string {
				if _, carried := wants[room(a)][by]; carried || requested(by) {
					return theRequest(by)
				}
				return by + ", which the target has"
			}
		}
		chains = append(chains, append([]string{a.Name + " " + a.Version}, chain(a.Name, wants[room(a)], end)...))
	}
	return chains
}

func theRequest(name string) string { return "the request " + name }

// folder is the part of a bundle's path before its last name.
func folder(path string) string { return path[:strings.LastIndexByte(path, '/')+1] }

// chain walks breadth-first from a name to the nearest request, which is what
// no artifact is named, or what an artifact has in common with its own name; end
// words it.
func chain(name string, wants map[string][]string, end func(by string) string) []string {
	type step struct {
		name string
		from *step
	}
	seen := map[string]bool{name: true}
	for queue := []*step{{name: name}}; len(queue) > 0; queue = queue[1:] {
		here := queue[0]
		for _, by := range wants[here.name] {
			if _, isArtifact := wants[by]; by == here.name || !isArtifact {
				found := []string{end(by)}
				for s := here; s.from != nil; s = s.from {
					found = append(found, s.name)
				}
				slices.Reverse(found)
				return found
			}
			if !seen[by] {
				seen[by] = true
				queue = append(queue, &step{by, here})
			}
		}
	}
	return nil
}
