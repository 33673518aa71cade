//go:build oracle

package pypi

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program is what runs in an environment, and what it must say.
type program struct {
	says string
	args []string
}

// TestInstallWithPip installs the default wheelhouses with the real pip, the
// network cut and every hash required, and runs what is in them; with the pip
// of the interpreter, the newest, and for Python 3.9 the one of EL 9.
func TestInstallWithPip(t *testing.T) {
	index := oracleIndex(t)
	sets := []struct {
		want, constraints []string
		programs          []program
	}{
		{[]string{"patroni[etcd3]>=3.0.3,<4", "psycopg2-binary", "python-etcd", "setuptools", "wheel"}, []string{"urllib3<2.6"},
			[]program{{"patroni 3.", []string{"patroni", "--version"}}, {"patronictl version 3.", []string{"patronictl", "version"}},
				{"ydiff 1.", []string{"ydiff", "--version"}}, {"", []string{"python", "-c", "import etcd, psycopg2, yaml"}}}},
		{[]string{"ansible-core>=2.15,<2.16", "setuptools", "wheel"}, nil, []program{{"ansible-playbook [core 2.15.", []string{"ansible-playbook", "--version"}}}},
	}
	for _, interpreter := range interpreters() {
		pip := newPip(t, interpreter)
		for _, set := range sets {
			if pip.target.Python >= "3.12" && set.want[0][0] == 'a' {
				continue // ansible-core 2.15 runs on 3.9 to 3.11
			}
			dir, answer := wheelhouse(t, &Resolver{Index: index, Target: pip.target, Constraints: set.constraints}, set.want...)
			lock := filepath.Join(dir, "requirements.lock")
			if err := os.WriteFile(lock, RequirementsLock(answer), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, upgrade := range []string{"", "pip", "pip==21.2.3"} {
				if upgrade != "pip==21.2.3" || strings.HasPrefix(pip.target.Python, "3.9.") {
					installCut(t, interpreter, upgrade, dir, set.programs)
				}
			}
			again, err := Open(nil, dir)
			if err != nil {
				t.Fatal(err)
			}
			proof := &Resolver{Index: again, Target: pip.target, Constraints: set.constraints}
			if r, err := proof.Resolve(t.Context(), set.want); err != nil || names(r) != names(answer) {
				t.Errorf("from the folder alone: %v, %v", r, err)
			}
		}
		t.Logf("Python %s: installed and run", pip.target.Python)
	}
}

// installCut installs a wheelhouse into a fresh environment, first with another
// pip if upgrade names one. The wheelhouse is installed and run without network.
func installCut(t *testing.T, interpreter, upgrade, dir string, programs []program) {
	t.Helper()
	venv := filepath.Join(t.TempDir(), "venv")
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = pipEnv()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %v\n%.2000s", upgrade, args, err, out)
		}
		return string(out)
	}
	cut := func(name string, args ...string) string {
		t.Helper()
		return run(append([]string{"unshare", "--map-root-user", "--net", filepath.Join(venv, "bin", name)}, args...)...)
	}
	run(interpreter, "-m", "venv", venv)
	if upgrade != "" {
		run(filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "-q", "-U", upgrade)
	}
	cut("python", "-m", "pip", "install", "--no-index", "--find-links", dir, "--require-hashes", "-r", filepath.Join(dir, "requirements.lock"))
	cut("python", "-m", "pip", "check")
	for _, p := range programs {
		if out := cut(p.args[0], p.args[1:]...); !strings.Contains(out, p.says) {
			t.Errorf("%v says %q, not %q", p.args, out, p.says)
		}
	}
}
