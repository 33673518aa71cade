//go:build oracle

package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOracleModularityLabel holds that dnf installs a package of a module stream
// out of a repository without modules.yaml, as a bundle's is: module_hotfixes=1
// lifts the fail-safe that refuses it otherwise.
func TestOracleModularityLabel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("dnf installs as root alone")
	}
	folder := t.TempDir()
	spec := filepath.Join(folder, "labelled.spec")
	text := "Name: labelled\nVersion: 1\nRelease: 1.module+el9\nSummary: of a stream\nLicense: MIT\nBuildArch: noarch\n" +
		"ModularityLabel: labelled:1:9040020240301120000:rhel9\n%description\nMade for tests.\n%files\n"
	if err := os.WriteFile(spec, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	repository := filepath.Join(folder, "rpms")
	if out, err := run("rpmbuild", "-bb", "--define", "_topdir "+folder, "--define", "_rpmdir "+repository, spec); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := run("createrepo_c", repository); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, test := range []struct{ hotfixes, want string }{
		{"0", "No available modular metadata for modular package"},
		{"1", "Installed:\n  labelled-1-1.module+el9.noarch"},
	} {
		root := t.TempDir()
		out, err := run("dnf", "--installroot", root, "--setopt=reposdir=/dev/null", "--setopt=cachedir="+filepath.Join(root, "cache"), "--setopt=module_platform_id=platform:el9",
			"--setopt=pluginpath=/dev/null", "--releasever=9", "--nogpgcheck", "--repofrompath=bundle,"+repository, "--repo=bundle",
			"--setopt=bundle.module_hotfixes="+test.hotfixes, "-y", "install", "labelled")
		if !strings.Contains(out, test.want) || (err == nil) != (test.hotfixes == "1") {
			t.Errorf("module_hotfixes=%s: %v\n%s", test.hotfixes, err, out)
		}
	}
}
