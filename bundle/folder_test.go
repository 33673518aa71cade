package bundle

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// unpack puts a sample into a folder, as tar would, and returns its top folder.
func (s *sample) unpack(t *testing.T) string {
	t.Helper()
	b, err := New(bytes.NewReader(s.archive), int64(len(s.archive)))
	if err != nil {
		t.Fatal(err)
	}
	top := filepath.Join(t.TempDir(), TopFolder)
	for _, m := range b.layout.members {
		r, err := b.Open(t.Context(), m.path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(top, filepath.FromSlash(m.path))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o600), os.Chmod(path, fs.FileMode(m.mode))); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

func TestVerifyFolder(t *testing.T) {
	const victim = "rpms/haproxy-2.4.el9.rpm"
	ours := secret(t, 1)
	s := pack(t, smallFiles(), 1).signed(t, ours)
	for _, c := range []struct {
		name string
		edit func(top, file string) error
		want []Finding // without details
	}{
		{"untouched", func(string, string) error { return nil }, nil},
		{"a stricter umask", func(_, file string) error { return os.Chmod(file, 0o600) }, nil},
		{"another byte", func(_, file string) error { return os.WriteFile(file, []byte("rpn"), 0) }, []Finding{{Damaged, victim, ""}}},
		{"another size", func(_, file string) error { return os.WriteFile(file, []byte("rpms"), 0) }, []Finding{{Damaged, victim, ""}}},
		{"missing", func(_, file string) error { return os.Remove(file) }, []Finding{{Missing, victim, ""}}},
		{"world-writable", func(_, file string) error { return os.Chmod(file, 0o666) }, []Finding{{Mode, victim, ""}}},
		{"executable", func(_, file string) error { return os.Chmod(file, 0o755) }, []Finding{{Mode, victim, ""}}},
		{"setuid", func(_, file string) error { return os.Chmod(file, 0o644|fs.ModeSetuid) }, []Finding{{Mode, victim, ""}}},
		{"no longer executable", func(top, _ string) error { return os.Chmod(filepath.Join(top, "airgap-install.sh"), 0o644) }, []Finding{{Mode, "airgap-install.sh", ""}}},
		{"a link in its place", func(top, file string) error {
			return errors.Join(os.Rename(file, file+"2"), os.Symlink(file+"2", file))
		}, []Finding{{Type, victim, ""}, {Extra, victim + "2", ""}}},
		{"a pipe in its place", func(_, file string) error {
			return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o644))
		}, []Finding{{Type, victim, ""}}},
		{"a folder in its place", func(_, file string) error {
			return errors.Join(os.Remove(file), os.MkdirAll(file+"/x", 0o755))
		}, []Finding{{Type, victim, ""}}},
		{"a folder that is a link", func(top, _ string) error {
			return errors.Join(os.Rename(top+"/rpms", top+"/../rpms"), os.Symlink("../rpms", top+"/rpms"))
		}, []Finding{{Unreadable, "rpms/empty", ""}, {Unreadable, victim, ""}, {Unreadable, "rpms/one-block", ""}, {Type, "rpms", ""}}},
		{"more files", func(top, _ string) error {
			return errors.Join(os.WriteFile(top+"/rpms/.hidden", nil, 0o644), os.MkdirAll(top+"/more/deep", 0o755), os.Symlink("/", top+"/root"))
		}, []Finding{{Extra, "more", ""}, {Extra, "root", ""}, {Extra, "rpms/.hidden", ""}}},
		{"other sums", func(top, _ string) error { return os.WriteFile(top+"/SHA256SUMS", []byte("x"), 0o644) }, []Finding{{Damaged, manifest.SumsName, ""}}},
		{"another manifest", func(top, _ string) error {
			return os.WriteFile(top+"/manifest.yaml", append(bytes.Clone(s.raw), '#'), 0o644)
		}, []Finding{{Forged, manifest.SignatureName, ""}}},
		{"no signature", func(top, _ string) error { return os.Remove(top + "/" + manifest.SignatureName) }, []Finding{{Unsigned, manifest.SignatureName, ""}}},
		{"no manifest", func(top, _ string) error { return os.Remove(top + "/manifest.yaml") }, []Finding{{Missing, manifest.ManifestName, ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := s.unpack(t)
			if err := c.edit(top, filepath.Join(top, victim)); err != nil {
				t.Fatal(err)
			}
			report, err := Verify(t.Context(), top, VerifyOptions{Keys: []sign.PublicKey{ours.Public()}})
			if err != nil {
				t.Fatal(err)
			}
			var got []Finding
			for _, f := range report.Findings {
				if f.Detail == "" {
					t.Errorf("no detail: %+v", f)
				}
				got = append(got, Finding{f.Status, f.Path, ""})
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("findings %+v", report.Findings)
			}
		})
	}
}

func TestOpenFolder(t *testing.T) {
	s := pack(t, smallFiles(), 1)
	top := s.unpack(t)
	for _, path := range []string{top, filepath.Dir(top)} {
		b, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if b.Archive() || b.ID() != s.written.ID || !bytes.Equal(b.RawManifest(), s.raw) || b.Signature() != nil {
			t.Errorf("%+v", b)
		}
		for name, want := range s.files {
			r, err := b.Open(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v", name, err)
			}
			r.Close()
		}
		if _, err := b.Open(t.Context(), "../x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a path outside: %v", err)
		}
		if report, err := b.Verify(t.Context(), VerifyOptions{}); err != nil || report.Err() != nil {
			t.Errorf("%v, %v", report.Err(), err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// An open archive is held by descriptor: it stays what it was.
func TestOpenArchiveByDescriptor(t *testing.T) {
	s := pack(t, smallFiles(), 1)
	path := filepath.Join(t.TempDir(), "b.tar.gz")
	if err := os.WriteFile(path, s.archive, 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("other"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if report, err := b.Verify(t.Context(), VerifyOptions{}); err != nil || report.Err() != nil {
		t.Errorf("%v, %v", report.Err(), err)
	}
}

// A reader of a damaged file fails at its end at the latest.
func TestReadDamagedFile(t *testing.T) {
	s := pack(t, smallFiles(), 1)
	members, _ := s.parts(t)
	m := members[slices.IndexFunc(members, func(m member) bool { return m.path == "rpms/haproxy-2.4.el9.rpm" })]
	for at, want := range map[int64]string{11: "framing", 20: "tar header", 15 + tarBlock: "sha256"} {
		r := flipped{s.archive, m.off + at, 1}
		b, err := New(r, int64(len(s.archive)))
		if err != nil {
			t.Fatal(err)
		}
		f, err := b.Open(t.Context(), m.path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(f); !errors.Is(err, manifest.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s, byte %d: %v", m.path, at, err)
		}
	}
}

// A pipe is refused, not waited for.
func TestOpenPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "neither a file nor a folder") {
		t.Errorf("open: %v", err)
	}
	if _, err := Verify(t.Context(), path, VerifyOptions{}); err == nil || !strings.Contains(err.Error(), "neither a file nor a folder") {
		t.Errorf("verify: %v", err)
	}
}

func TestSignFolder(t *testing.T) {
	ours := secret(t, 1)
	top := pack(t, smallFiles(), 1).unpack(t)
	signer := func(raw []byte) ([]byte, error) { return sign.Manifest(ours, raw) }
	if _, err := SignFile(t.Context(), top, top+"2", signer); !errors.Is(err, manifest.ErrUsage) {
		t.Errorf("to another place: %v", err)
	}
	if _, err := SignFile(t.Context(), top, top, signer); err != nil {
		t.Fatal(err)
	}
	report, err := Verify(t.Context(), top, VerifyOptions{Keys: []sign.PublicKey{ours.Public()}})
	if err != nil || report.Err() != nil || !report.Authenticated {
		t.Errorf("%+v, %v", report, err)
	}
}
