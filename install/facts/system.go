package facts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// system tells what is installed: the distribution, the architecture of its
// programs and the kernel.
func (c *collector) system() {
	data, err := c.read("etc/os-release")
	if err != nil {
		data, err = c.read("usr/lib/os-release")
	}
	if err != nil {
		c.unknown("os", err)
	} else {
		c.node.OS = parseOSRelease(data)
	}
	if c.node.Arch, err = c.arch(); err != nil {
		c.unknown("arch", err)
	}
	if c.booted("kernel") {
		if c.node.Kernel, err = c.word("proc/sys/kernel/osrelease"); err != nil {
			c.unknown("kernel", err)
		}
	}
}

// parseOSRelease reads os-release(5).
func parseOSRelease(data []byte) manifest.NodeOS {
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			values[key] = unquote(value)
		}
	}
	os := manifest.NodeOS{
		ID: values["ID"], Release: values["VERSION_ID"], Name: values["PRETTY_NAME"], Variant: values["VARIANT_ID"],
	}
	like := strings.Fields(values["ID_LIKE"])
	switch {
	// Oracle Linux says it is like Fedora only, but names the platform.
	case os.ID == "rhel", slices.Contains(like, "rhel"), strings.HasPrefix(values["PLATFORM_ID"], "platform:el"):
		os.Family = "rhel"
	case len(like) > 0:
		os.Family = like[0]
	default:
		os.Family = os.ID
	}
	return os
}

// unquote takes the quotes of a shell word off: single ones keep everything,
// between double ones a backslash escapes.
func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] {
		return s
	}
	inner := s[1 : len(s)-1]
	switch s[0] {
	case '\'':
		return inner
	case '"':
		var b strings.Builder
		for i := 0; i < len(inner); i++ {
			if inner[i] == '\\' && i+1 < len(inner) && strings.IndexByte("\"$`\\", inner[i+1]) >= 0 {
				i++
			}
			b.WriteByte(inner[i])
		}
		return b.String()
	}
	return s
}

// arch reads the architecture off a program of the node: that of an image need
// not be the host's, and a kernel may run programs of an older one.
func (c *collector) arch() (string, error) {
	var first error
	for _, name := range []string{"usr/bin/rpm", "usr/bin/bash", "usr/bin/sh", "bin/sh"} {
		arch, err := c.archOf(name)
		if err == nil {
			return arch, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}

func (c *collector) archOf(name string) (string, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return "", renamed(err, name)
	}
	defer f.Close()
	header := make([]byte, 20)
	if _, err := io.ReadFull(f, header); err != nil {
		return "", fmt.Errorf("/%s is no program", name)
	}
	arch, err := elfArch(header)
	if err != nil {
		return "", fmt.Errorf("/%s: %w", name, err)
	}
	return arch, nil
}

// elfArch reads RPM's word for an architecture off the first 20 bytes of a
// program: e_ident and e_machine of the ELF header (System V gABI, chapter 4).
func elfArch(header []byte) (string, error) {
	if len(header) < 20 || string(header[:4]) != "\x7fELF" {
		return "", errors.New("not an ELF file")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if header[5] == 2 {
		order = binary.BigEndian
	}
	switch machine := order.Uint16(header[18:]); machine {
	case 62:
		return "x86_64", nil
	case 183:
		return "aarch64", nil
	case 3:
		return "i686", nil
	case 22:
		return "s390x", nil
	case 21:
		if order == binary.ByteOrder(binary.LittleEndian) {
			return "ppc64le", nil
		}
		return "ppc64", nil
	case 243:
		return "riscv64", nil
	default:
		return "", fmt.Errorf("a program for machine %d, which has no name here", machine)
	}
}
