package facts

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
)

// interfaces lists network interfaces with their addresses. Hardware addresses
// are left out, and so are link-local ones, which are often made from them.
func (c *collector) interfaces() {
	if !c.booted("interfaces") {
		return
	}
	entries, err := fs.ReadDir(c.FS, "sys/class/net")
	if err != nil {
		c.unknown("interfaces", renamed(err, "sys/class/net"))
		return
	}
	addresses, err := c.Addresses()
	if err != nil {
		c.unknown("interfaces", err)
		return
	}
	for _, e := range entries {
		folder := "sys/class/net/" + e.Name() + "/"
		state, err := c.word(folder + "operstate")
		if err != nil || state == "" {
			continue // bonding_masters and the like
		}
		i := manifest.Interface{Name: e.Name(), State: state}
		if mtu, err := c.word(folder + "mtu"); err == nil {
			if n, err := strconv.ParseUint(mtu, 10, 31); err == nil {
				i.MTU = int(n)
			}
		}
		for _, p := range addresses[e.Name()] {
			if !p.Addr().IsLinkLocalUnicast() {
				i.Addresses = append(i.Addresses, p.String())
			}
		}
		c.node.Interfaces = append(c.node.Interfaces, i)
	}
}

// ports lists what is listened on. Which program it is only root may know.
func (c *collector) ports() {
	if !c.booted("ports") {
		return
	}
	for _, table := range []struct{ file, protocol string }{{"tcp", "tcp"}, {"tcp6", "tcp"}, {"udp", "udp"}, {"udp6", "udp"}} {
		data, err := c.read("proc/net/" + table.file)
		if err != nil {
			// Without IPv6 there is no table of it.
			if !errors.Is(err, fs.ErrNotExist) || !strings.HasSuffix(table.file, "6") {
				c.unknown("ports", err)
			}
			continue
		}
		ports, err := parsePorts(data, table.protocol)
		if err != nil {
			c.unknown("ports", fmt.Errorf("/proc/net/%s: %w", table.file, err))
		}
		c.node.Ports = append(c.node.Ports, ports...)
	}
	slices.SortFunc(c.node.Ports, func(a, b manifest.Port) int {
		if a.Protocol != b.Protocol {
			return strings.Compare(a.Protocol, b.Protocol)
		}
		if a.Port != b.Port {
			return a.Port - b.Port
		}
		return strings.Compare(a.Address, b.Address)
	})
	c.node.Ports = slices.Compact(c.node.Ports)
}

// parsePorts reads a table of sockets (proc_net(5)): the local address and port
// of those that wait for a peer. That is TCP's state LISTEN, 0A, and UDP's
// CLOSE, 07, for want of another.
func parsePorts(data []byte, protocol string) ([]manifest.Port, error) {
	state := map[string]string{"tcp": "0A", "udp": "07"}[protocol]
	var ports []manifest.Port
	header := true
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if header || len(words) == 0 {
			header = false
			continue
		}
		if len(words) < 4 {
			return nil, fmt.Errorf("line %.40q: not an entry of a table of sockets", line)
		}
		if words[3] != state {
			continue
		}
		p, err := parseSocket(words[1])
		if err != nil {
			return nil, err
		}
		if p.Port() != 0 {
			ports = append(ports, manifest.Port{Protocol: protocol, Address: p.Addr().String(), Port: int(p.Port())})
		}
	}
	return ports, nil
}

// parseSocket reads "0100007F:0016": an address as words of 32 bits in the
// machine's byte order, which is little-endian on x86_64 and aarch64, and a port.
func parseSocket(s string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(s, ":")
	bytes, err := hex.DecodeString(address)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || (len(bytes) != 4 && len(bytes) != 16) {
		return netip.AddrPort{}, fmt.Errorf("%.80q: not an address and a port", s)
	}
	for at := 0; at < len(bytes); at += 4 {
		slices.Reverse(bytes[at : at+4])
	}
	ip, _ := netip.AddrFromSlice(bytes)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
}
