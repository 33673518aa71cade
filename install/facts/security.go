package facts

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// security tells what hardening has set, but for sudo and the services.
func (c *collector) security() {
	c.selinux()
	s := &c.node.Security
	var err error
	if c.booted("security.fips") {
		if s.FIPS, err = c.fips(); err != nil {
			c.unknown("security.fips", err)
		}
	}
	// "current" is what was applied last, "config" what was asked for.
	if s.CryptoPolicy, err = c.word("etc/crypto-policies/state/current"); err != nil {
		c.unknown("security.crypto_policy", err)
	}
	data, err := c.read("etc/login.defs")
	if err == nil {
		s.Umask, err = parseUmask(data)
	}
	if err != nil {
		c.unknown("security.umask", err)
	}
}

// selinux tells the mode of the kernel, and what is configured.
func (c *collector) selinux() {
	s := &c.node.Security.SELinux
	if c.booted("security.selinux.mode") {
		switch enforce, err := c.word("sys/fs/selinux/enforce"); {
		case enforce == "1":
			s.Mode = "enforcing"
		case enforce == "0":
			s.Mode = "permissive"
		case errors.Is(err, fs.ErrNotExist):
			s.Mode = "disabled" // selinuxfs is there whenever SELinux is
		case err != nil:
			c.unknown("security.selinux.mode", err)
		default:
			c.unknown("security.selinux.mode", fmt.Errorf("/sys/fs/selinux/enforce holds %.40q", enforce))
		}
	}
	data, err := c.read("etc/selinux/config")
	switch {
	case err == nil:
		s.Configured, s.Policy = parseSELinux(data)
	case errors.Is(err, fs.ErrNotExist):
		s.Configured = "disabled"
	default:
		c.unknown("security.selinux.configured", err)
	}
}

// parseSELinux reads selinux_config(5): the mode and the policy for the next
// boot; a mode that is none is left out.
func parseSELinux(data []byte) (mode, policy string) {
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "SELINUX":
			switch strings.ToLower(value) {
			case "enforcing", "permissive", "disabled":
				mode = strings.ToLower(value)
			}
		case "SELINUXTYPE":
			policy = value
		}
	}
	return mode, policy
}

// fips tells whether the kernel is in FIPS mode. One that was built without it
// has no such file.
func (c *collector) fips() (string, error) {
	switch enabled, err := c.word("proc/sys/crypto/fips_enabled"); {
	case enabled == "1":
		return "enabled", nil
	case enabled == "0", errors.Is(err, fs.ErrNotExist) && c.has("proc/sys/kernel"):
		return "disabled", nil
	case err != nil:
		return "", err
	default:
		return "", fmt.Errorf("/proc/sys/crypto/fips_enabled holds %.40q", enabled)
	}
}

// parseUmask reads UMASK of login.defs(5); the last one counts, and none means
// 022.
func parseUmask(data []byte) (string, error) {
	umask := "022"
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) >= 2 && words[0] == "UMASK" {
			umask = words[1]
		}
	}
	if len(umask) > 4 || strings.Trim(umask, "01234567") != "" {
		return "", fmt.Errorf("UMASK %.40q of /etc/login.defs: not an octal mode", umask)
	}
	return umask, nil
}

// units are the services that are asked about, clocks in the order in which
// one that runs is believed to be the one that counts.
var (
	clocks = []string{"chronyd", "ntpd", "systemd-timesyncd"}
	units  = append([]string{"fapolicyd"}, clocks...)
)

// services tells who may forbid our program to run, and who sets the clock.
func (c *collector) services() {
	s, t := &c.node.Security, &c.node.TimeSync
	s.Fapolicyd = "absent"
	if c.has("usr/sbin/fapolicyd") {
		s.Fapolicyd = "installed"
	}
	if !c.booted("time_sync") {
		if s.Fapolicyd == "installed" {
			c.unknown("security.fapolicyd", errImage)
		}
		return
	}
	active, err := c.active(units)
	if err != nil {
		c.unknown("time_sync.service", err)
		if s.Fapolicyd == "installed" {
			c.unknown("security.fapolicyd", err)
		}
	} else {
		t.Service = "none"
		for _, name := range clocks {
			if active[name] {
				t.Service = name
				break
			}
		}
		if active["fapolicyd"] {
			s.Fapolicyd = "active"
		} else if s.Fapolicyd == "installed" {
			s.Fapolicyd = "inactive"
		}
	}
	switch set, err := c.ClockSet(); {
	case err != nil:
		c.unknown("time_sync.state", err)
	case set:
		t.State = "synchronised"
	default:
		t.State = "unsynchronised"
	}
}

// active asks systemd which of some units run.
func (c *collector) active(units []string) (map[string]bool, error) {
	out, err := c.run(append([]string{"systemctl", "is-active", "--"}, units...)...)
	if err != nil {
		return nil, err
	}
	states := parseActive(out.Stdout)
	if len(states) != len(units) {
		return nil, failure("systemctl is-active", out)
	}
	active := map[string]bool{}
	for i, unit := range units {
		active[unit] = states[i]
	}
	return active, nil
}

// parseActive reads what systemctl is-active says: one state a line. A unit
// that is about to run or to read its files anew counts as running.
func parseActive(stdout string) []bool {
	var states []bool
	for line := range strings.Lines(stdout) {
		switch strings.TrimSpace(line) {
		case "active", "reloading", "activating", "refreshing":
			states = append(states, true)
		case "inactive", "failed", "deactivating", "maintenance", "unknown":
			states = append(states, false)
		}
	}
	return states
}
