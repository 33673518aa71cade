//go:build oracle

package pypi

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestInstallWithPip installs the default wheelhouses with the real pip, the
// index out of reach and every hash required, and runs what is in them; with
// the newest pip and with the one of EL 9.
func TestInstallWithPip(t *testing.T) {
	index := oracleIndex(t)
	sets := []struct {
		want, constraints []string
		programs          [][]string
	}{
		{[]string{"patroni[etcd3]>=3.0.3,<4", "psycopg2-binary", "python-etcd", "setuptools", "wheel"}, []string{"urllib3<2.6"},
			[][]string{{"patroni", "--version"}, {"patronictl", "version"}, {"ydiff", "--version"}, {"python", "-c", "import etcd, psycopg2, yaml"}}},
		{[]string{"ansible-core>=2.15,<2.16", "setuptools", "wheel"}, nil, [][]string{{"ansible-playbook", "--version"}}},
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
			for _, version := range []string{"", "21.2.3"} {
				if version != "" && pip.target.Python[:3] != "3.9" {
					continue
				}
				venv := filepath.Join(t.TempDir(), "venv")
				run := func(name string, args ...string) {
					t.Helper()
					cmd := exec.Command(name, args...)
					cmd.Env = append(pipEnv(), "PIP_NO_INDEX=", "PIP_CONFIG_FILE=/dev/null")
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Errorf("%s %v: %v\n%.2000s", name, args, err, out)
					}
				}
				run(interpreter, "-m", "venv", venv)
				python := filepath.Join(venv, "bin", "python")
				if version != "" {
					cmd := exec.Command(python, "-m", "pip", "install", "-q", "pip=="+version)
					cmd.Env = pipEnv()
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
				}
				run(python, "-m", "pip", "install", "--no-index", "--find-links", dir, "--require-hashes", "-r", lock)
				run(python, "-m", "pip", "check")
				for _, program := range set.programs {
					run(filepath.Join(venv, "bin", program[0]), program[1:]...)
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
