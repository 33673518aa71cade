package deploy

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	scanSeconds = "5"     // that ssh-keyscan waits for an answer
	maxScan     = 1 << 20 // bytes of its answer
	scansAtOnce = 8
)

// sshHost is one host as ssh would reach it.
type sshHost struct {
	name, address, port string
	alias               string   // name in known_hosts when it is not the address
	files               []string // known_hosts that are there
	into                string   // the user's known_hosts, there or not
	note                string   // why its key is not looked at; empty: it is
	known               bool
	keys                []hostKey
	silent              string // why there are no keys
}

// hostKey is one public key that a host showed.
type hostKey struct{ line, kind, fingerprint string }

// lookupName is the name under which known_hosts has a host (sshd(8)).
func (h *sshHost) lookupName() string {
	name := cmp.Or(h.alias, h.address)
	if h.port != "22" && h.alias == "" {
		return "[" + name + "]:" + h.port
	}
	return name
}

// checkHostKeys refuses hosts whose ssh key nobody has accepted yet, all in one
// with the fingerprints to compare. Ansible would ask for each on the terminal,
// or fail.
func (p *preparation) checkHostKeys(ctx context.Context, hosts []string) {
	var list []*sshHost
	for _, name := range hosts {
		if p.overSSH(name) {
			list = append(list, &sshHost{name: name})
		}
	}
	if len(list) == 0 {
		return
	}
	for _, program := range []string{"ssh", "ssh-keygen", "ssh-keyscan"} {
		if lookPath(p.o.Environ, program) == "" {
			p.unfit("ssh", "install openssh-clients", "%s is not on this node", program)
			return
		}
	}
	if yes, known := truth(p.folder.config["defaults"]["host_key_checking"]); known && !yes {
		p.o.Observer.Note("host keys are not looked at: ansible.cfg sets host_key_checking = False")
		return
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, scansAtOnce)
	for _, h := range list {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			p.lookAt(ctx, h)
		})
	}
	wait.Wait()
	p.judgeKeys(list)
}

// overSSH says whether Ansible reaches a host by ssh.
func (p *preparation) overSSH(host string) bool {
	way := cmp.Or(last(values(p.options, "--connection")), p.folder.config["defaults"]["transport"], "ssh")
	if text, ok := p.inventory.text(host, "ansible_connection"); ok {
		way = text
	}
	return slices.Contains([]string{"ssh", "smart", "paramiko", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh"}, way)
}

func last(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// sshArguments are what Ansible gives to ssh for a host, as far as it bears on
// host keys.
func (p *preparation) sshArguments(host string) ([]string, bool) {
	var args []string
	for _, v := range []string{"ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"} {
		text, ok := p.inventory.text(host, v)
		if !ok && p.inventory.has(host, v) {
			return nil, false
		}
		if section := p.folder.config["ssh_connection"]; !ok && v != "ansible_ssh_extra_args" {
			text = section[strings.TrimPrefix(v, "ansible_")]
		}
		args = append(args, splitWords(text)...)
	}
	for _, name := range []string{"--ssh-common-args", "--ssh-extra-args"} {
		args = append(args, splitWords(last(values(p.options, name)))...)
	}
	return args, true
}

// lookAt finds out how ssh would reach a host, whether its key is known, and
// if not which keys it has.
func (p *preparation) lookAt(ctx context.Context, h *sshHost) {
	address, ok := p.inventory.text(h.name, "ansible_host")
	if !ok {
		if p.inventory.has(h.name, "ansible_host") {
			h.note = "its ansible_host is a template"
			return
		}
		address = h.name
	}
	args, ok := p.sshArguments(h.name)
	if !ok {
		h.note = "its ssh arguments are a template"
		return
	}
	args = append([]string{"-G"}, args...)
	for _, v := range []string{"ansible_port", "ansible_ssh_port"} {
		if port, ok := p.inventory.text(h.name, v); ok {
			args = append(args, "-p", port)
		}
	}
	if user := p.userOf(h.name); user != "" {
		args = append(args, "-l", user)
	}
	out, err := p.tool(ctx, maxScan, "ssh", append(args, "--", address)...)
	if err != nil {
		h.note = fmt.Sprintf("ssh -G: %v", err)
		return
	}
	h.read(out, lookup(p.o.Environ, "HOME"))
	h.address = cmp.Or(h.address, address)
	h.port = cmp.Or(h.port, "22")
	if h.note != "" {
		return
	}
	for _, file := range h.files {
		if _, err := p.tool(ctx, maxScan, "ssh-keygen", "-F", h.lookupName(), "-f", file); err == nil {
			h.known = true
			return
		}
	}
	out, err = p.tool(ctx, maxScan, "ssh-keyscan", "-T", scanSeconds, "-p", h.port, "--", h.address)
	if h.keys = parseScan(out, h.lookupName()); len(h.keys) > 0 {
		return
	}
	h.silent = "no ssh key is shown there"
	if failed, ok := errors.AsType[*toolError](err); ok && failed.text != "" {
		h.silent = failed.text
	}
}

// read takes what matters from the answer of ssh -G.
func (h *sshHost) read(answer []byte, home string) {
	lines := bufio.NewScanner(bytes.NewReader(answer))
	lines.Buffer(nil, maxScan)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		switch key {
		case "hostname":
			h.address = value
		case "port":
			h.port = value
		case "hostkeyalias":
			h.alias = value
		case "userknownhostsfile", "globalknownhostsfile":
			for _, file := range splitWords(value) {
				if rest, ok := strings.CutPrefix(file, "~/"); ok {
					file = filepath.Join(home, rest)
				}
				if h.into == "" && key == "userknownhostsfile" {
					h.into = file
				}
				if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
					h.files = append(h.files, file)
				}
			}
		case "stricthostkeychecking":
			if value != "true" && value != "yes" && value != "ask" {
				h.note = "StrictHostKeyChecking is " + value
			}
		case "proxyjump", "proxycommand", "knownhostscommand":
			if value != "none" && value != "" {
				h.note = "it is reached by " + key
			}
		}
	}
}

// parseScan reads what ssh-keyscan prints: a name, the kind of the key and the
// key in base64. A line that is anything else is passed over, and so is a key
// that is not of the kind that its line says (RFC 4253 section 6.6). Lines are
// written anew, under the name that ssh will look for.
func parseScan(data []byte, name string) []hostKey {
	var keys []hostKey
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxScan)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 3 || strings.HasPrefix(words[0], "#") || !plainWord.MatchString(words[1]) {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(words[2])
		if err != nil || len(blob) < 4 {
			continue
		}
		size := binary.BigEndian.Uint32(blob)
		if uint64(size) > uint64(len(blob)-4) || string(blob[4:4+size]) != words[1] {
			continue
		}
		sum := sha256.Sum256(blob)
		keys = append(keys, hostKey{
			line: name + " " + words[1] + " " + base64.StdEncoding.EncodeToString(blob),
			kind: words[1], fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]),
		})
	}
	slices.SortFunc(keys, func(a, b hostKey) int { return strings.Compare(a.line, b.line) })
	return slices.CompactFunc(keys, func(a, b hostKey) bool { return a.line == b.line })
}

// judgeKeys refuses what is unknown. The keys that were shown are kept in a
// file, so that what is accepted is what was compared.
func (p *preparation) judgeKeys(list []*sshHost) {
	var lines, file, silent []string
	unknown, into := 0, ""
	notes := map[string][]string{}
	for _, h := range list {
		switch {
		case h.note != "":
			notes[h.note] = append(notes[h.note], h.name)
		case h.known:
		case h.silent != "":
			silent = append(silent, fmt.Sprintf("%s (%s port %s): %s", h.name, h.address, h.port, h.silent))
		default:
			unknown, into = unknown+1, cmp.Or(into, h.into)
			for _, key := range h.keys {
				lines = append(lines, fmt.Sprintf("  %s  %s  %s  %s", h.name, h.address, key.kind, key.fingerprint))
				file = append(file, key.line)
			}
		}
	}
	for _, note := range slices.Sorted(maps.Keys(notes)) {
		p.o.Observer.Note("host keys of " + strings.Join(notes[note], ", ") + " are not looked at: " + note)
	}
	if len(silent) > 0 {
		p.unfit("ssh", "look whether they are up and reachable from here", "no answer from %s:\n  %s", count(len(silent), "host"), strings.Join(silent, "\n  "))
	}
	if unknown == 0 {
		return
	}
	into = cmp.Or(into, filepath.Join(lookup(p.o.Environ, "HOME"), ".ssh", "known_hosts"))
	way := "accept them with ssh-keyscan once they are compared"
	if path, err := p.keep("hostkeys", strings.Join(file, "\n")+"\n"); err == nil {
		way = "compare them with what the hosts' consoles say (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then accept them:\n" +
			"    mkdir -p -m 700 " + quoted(filepath.Dir(into)) + " && cat " + quoted(path) + " >> " + quoted(into)
	}
	p.unfit("host keys", way, "ssh does not know %s yet:\n%s", count(unknown, "host"), strings.Join(lines, "\n"))
}
