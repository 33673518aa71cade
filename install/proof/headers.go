package proof

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// header is what rpm says of a package, in a file or on the node.
type header struct{ name, evr, arch, vendor string }

func (h header) nevra() string { return h.name + "-" + h.evr + "." + h.arch }

// headerFormat gives one line a package, the vendor last: it is free text.
const headerFormat = `%{NAME}\t%{EPOCHNUM}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{VENDOR}\n`

func parseHeaders(text string) ([]header, error) {
	var list []header
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 5)
		if len(f) != 5 {
			return nil, fmt.Errorf("read what rpm says: %q", line)
		}
		h := header{name: f[0], evr: f[2], arch: f[3], vendor: f[4]}
		if f[1] != "0" {
			h.evr = f[1] + ":" + h.evr
		}
		list = append(list, h)
	}
	return list, nil
}

// headers are the packages of the folder, by NEVRA.
func (p *prover) headers(ctx context.Context, files []string) (map[string]header, error) {
	// Digests and signatures were tried already, with the right keys.
	said, err := p.each(ctx, files, []string{"rpm", "--query", "--nosignature", "--nodigest", "--queryformat", headerFormat, "--package"})
	if err != nil {
		return nil, err
	}
	carried := map[string]header{}
	for _, out := range said {
		if out.Status != 0 {
			return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read the headers in %s: %s", p.Folder, out.Text()))
		}
		list, err := parseHeaders(out.Stdout)
		if err != nil {
			return nil, err
		}
		for _, h := range list {
			carried[h.nevra()] = h
		}
	}
	if len(carried) != len(files) {
		return nil, manifest.Classify(manifest.ErrDamaged, fmt.Errorf("read the headers in %s: %d files hold %d packages", p.Folder, len(files), len(carried)))
	}
	return carried, nil
}

// there are packages of the node.
type there []header

// installed asks for the packages of the node that the table changes.
func (p *prover) installed(ctx context.Context, t *table) (there, error) {
	var names []string
	for _, row := range t.rows {
		if row.action != installed && row.action != removed && !slices.Contains(names, row.name) {
			names = append(names, row.name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	var all there
	for _, part := range batch(names) {
		out, err := p.run.Run(ctx, p.command(append([]string{"rpm", "--query", "--queryformat", headerFormat}, part...)...))
		if err != nil {
			return nil, fmt.Errorf("ask for the node's packages: %w", err)
		}
		if out.Status != 0 {
			return nil, fmt.Errorf("ask for the node's packages: exit status %d: %s", out.Status, out.Text())
		}
		list, err := parseHeaders(out.Stdout)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// find returns the package of that name, of that architecture where there are
// several: a package can change its architecture to and from noarch.
func (t there) find(name, arch string) (header, error) {
	var found header
	for _, h := range t {
		if h.name == name && (found.name == "" || h.arch == arch) {
			found = h
		}
	}
	if found.name == "" {
		return header{}, fmt.Errorf("prove the packages: dnf would change %s.%s, which rpm does not have", name, arch)
	}
	return found, nil
}
