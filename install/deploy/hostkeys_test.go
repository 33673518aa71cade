package deploy

import (
	"strings"
	"testing"
)

const (
	aKey   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAI3BdnmLEyr4Ikn4f9Ei3OfJEbmqHyipe8rNQorKcLA"
	aPrint = "SHA256:3uIaegCzXa+LCvHZyJSpO5LRe9XiBfjauhzYSWHEOK0" // as ssh-keygen -l says
)

func TestParseScan(t *testing.T) {
	keys := parseScan([]byte("# 10.0.0.1:22 SSH-2.0-OpenSSH\n10.0.0.1 "+aKey+"\n10.0.0.1 "+aKey+"\n"+
		"10.0.0.1 ssh-rsa "+strings.Fields(aKey)[1]+"\n10.0.0.1 ssh-rsa !!!\n10.0.0.1 ssh-rsa AAAA\n10.0.0.1 x\x1b[31m AAAAB3NzaC1\nread: refused\n"), "[10.0.0.1]:2222")
	if len(keys) != 1 || keys[0] != (hostKey{"[10.0.0.1]:2222 " + aKey, "ssh-ed25519", aPrint}) {
		t.Errorf("%+v", keys)
	}
}

func TestReadSSH(t *testing.T) {
	for answer, want := range map[string]sshHost{
		"hostname 10.0.0.1\nport 22\nstricthostkeychecking ask\nproxyjump none\nuserknownhostsfile ~/.ssh/known_hosts ~/x\n": {address: "10.0.0.1", port: "22", into: "/h/.ssh/known_hosts"},
		"hostname n\nport 2222\nhostkeyalias a\nstricthostkeychecking true\n":                                                {address: "n", port: "2222", alias: "a"},
		"hostname n\nport 2222\nstricthostkeychecking accept-new\n":                                                          {address: "n", port: "2222", note: "StrictHostKeyChecking is accept-new"},
		"hostname n\nport 22\nstricthostkeychecking false\n":                                                                 {address: "n", port: "22", note: "StrictHostKeyChecking is false"},
		"hostname n\nport 22\nproxyjump bastion\n":                                                                           {address: "n", port: "22", note: "it is reached by proxyjump"},
	} {
		h := sshHost{}
		h.read([]byte(answer), "/h")
		if h.address != want.address || h.port != want.port || h.alias != want.alias || h.note != want.note || h.into != want.into {
			t.Errorf("%q: %+v", answer, h)
		}
	}
	for _, c := range []struct {
		h    sshHost
		want string
	}{{sshHost{address: "n", port: "22"}, "n"}, {sshHost{address: "n", port: "2222"}, "[n]:2222"}, {sshHost{address: "n", port: "2222", alias: "a"}, "a"}} {
		if got := c.h.lookupName(); got != c.want {
			t.Errorf("%+v: %s", c.h, got)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("h " + aKey + "\n# c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, key := range parseScan(data, "name") {
			if strings.ContainsAny(key.line, "\n\x1b") || len(strings.Fields(key.line)) != 3 || !strings.HasPrefix(key.fingerprint, "SHA256:") {
				t.Errorf("%+v", key)
			}
		}
	})
}
