package facts

import (
	"fmt"
	"net"
	"net/netip"

	"pgbundle/install/node"
	"pgbundle/manifest"
)

// Of is the host that n is, but for who collects and when. Of an image only
// files are read.
func Of(n *node.Node) Host {
	h := Host{
		FS: n.FS(), Addresses: addresses, ClockSet: clockSet,
		Space: func(path string) (manifest.Space, error) {
			real, err := n.Real(path)
			if err != nil {
				return manifest.Space{}, err
			}
			return space(real)
		},
	}
	if n.Booted() {
		h.Run = n
	}
	return h
}

// addresses asks this host's kernel (rtnetlink(7)).
func addresses() (map[string][]netip.Prefix, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	found := map[string][]netip.Prefix{}
	for _, i := range list {
		all, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", i.Name, err)
		}
		for _, a := range all {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				return nil, fmt.Errorf("list addresses of %s: %w", i.Name, err)
			}
			found[i.Name] = append(found[i.Name], p)
		}
	}
	return found, nil
}
