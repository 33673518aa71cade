package policy

import (
	"errors"
	"io/fs"
	"testing"
)

func TestUnknown(t *testing.T) {
	program, playbook := one+"/pgbundle", one+"/venv/bin/ansible"
	m := newMachine(t)
	m.release(t, one)
	unknown := func(want string) {
		t.Helper()
		if got, err := Unknown(t.Context(), m, program, playbook); err != nil || got != want {
			t.Errorf("unknown %q (%v), want %q", got, err, want)
		}
	}
	unknown(program) // no list yet
	apply(t, m, one)
	unknown("")
	m.write(t, playbook, "venv/bin/ANSIBLE", 0o755) // of the same size
	unknown(playbook)
	m.write(t, TrustFile, "# nothing\n", 0o644)
	unknown(program)
	m.active, m.enabled = "inactive", "disabled"
	unknown("")
	m.active = "active"
	m.write(t, TrustFile, "what is this\n", 0o644)
	if _, err := Unknown(t.Context(), m, program); err == nil {
		t.Error("a list that cannot be read is no list")
	}
	m.write(t, TrustFile, "", 0o644)
	if _, err := Unknown(t.Context(), m, one+"/gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a program that is gone: %v", err)
	}
}
