//go:build e2e

// Package e2e tries the project in the real world: a bundle of real packages is
// built with the program itself and installed with the tools that a site has.
// It knows the test bed (scripts/testbed) by one file, bed.json, and the verbs
// of its nodes, and pgbundle by its command line.
package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// bed is what scripts/testbed made, and where it is served.
type bed struct {
	PG           string             `json:"pg"`           // major: "16"
	Repositories string             `json:"repositories"` // folder of dnf repositories
	Keys         string             `json:"keys"`         // folder of public keys, with the secret ones in gnupg
	Etcd         string             `json:"etcd"`         // folder of releases
	Galaxy       string             `json:"galaxy"`       // folder of collection tarballs
	Hand         string             `json:"hand"`         // network namespace from which nodes are reached
	SSHConfig    string             `json:"sshConfig"`    // by which alice of every node is
	Password     string             `json:"password"`     // that the sudo of bob, the other user of every node, asks for
	Seconds      map[string]float64 `json:"seconds"`      // per stage; 0: taken from the cache

	dir string // the bed's working folder
	url string // where it is served
}

// repoNames are the bed's dnf repositories, in the order of a .repo file.
func (b *bed) repoNames() []string {
	return []string{"baseos", "appstream", "epel", "pgdg-common", "pgdg" + b.PG}
}

// key is the public key that a repository is signed with.
func (b *bed) key(repo string) string {
	if strings.HasPrefix(repo, "pgdg") {
		return filepath.Join(b.Keys, "RPM-GPG-KEY-testbed-pgdg")
	}
	return filepath.Join(b.Keys, "RPM-GPG-KEY-testbed-distribution")
}

// repoFile is the .repo file of the served bed.
func (b *bed) repoFile() string {
	var text strings.Builder
	for _, r := range b.repoNames() {
		fmt.Fprintf(&text, "[%s]\nname=%s of the test bed\nbaseurl=%s/%s\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://%s\n\n", r, r, b.url, r, b.key(r))
	}
	return text.String()
}

// reachBed opens a TCP connection to the served bed.
func (b *bed) reachBed() []string {
	return []string{"bash", "-c", `exec 3<>"/dev/tcp/${0%:*}/${0#*:}"`, strings.TrimPrefix(b.url, "http://")}
}

// openBed is the one bed of a run. A world that is not there is a failure,
// never a pass: nothing here is skipped.
func openBed(t *testing.T) *bed {
	t.Helper()
	b, err := theBed()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// theBed reads what the bed's scripts made and serves it on the loopback for as
// long as the tests run: a bundle remembers where it was made from.
var theBed = sync.OnceValues(func() (*bed, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("needs root: dnf --installroot and network namespaces do; run make e2e as root")
	}
	dir := os.Getenv("PGBUNDLE_TESTBED")
	if dir == "" {
		return nil, errors.New("no test bed: PGBUNDLE_TESTBED is not set; run make e2e, which makes it")
	}
	data, err := os.ReadFile(filepath.Join(dir, "bed.json"))
	if err != nil {
		return nil, fmt.Errorf("no test bed: run make e2e, which makes it: %w", err)
	}
	b := &bed{dir: dir}
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("read bed.json: %w", err)
	}
	galaxy, err := galaxyServer(b.Galaxy)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(b.Repositories)))
	mux.Handle("/etcd/", http.StripPrefix("/etcd/", http.FileServer(http.Dir(b.Etcd))))
	mux.Handle("/galaxy/", http.StripPrefix("/galaxy", galaxy))
	b.url = httptest.NewServer(mux).URL
	return b, nil
})
