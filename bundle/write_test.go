package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgbundle/manifest"
)

// What is packed must be what the manifest says, while it is packed.
func TestWriteRefuses(t *testing.T) {
	large := map[string][]byte{"a": []byte("a"), "large": random(1, 3<<20), "z": []byte("z")}
	disk := errors.New("input/output error")
	for _, c := range []struct {
		name  string
		large func(data []byte) io.Reader
		want  string
		class error
	}{
		{"another byte", func(b []byte) io.Reader {
			other := bytes.Clone(b)
			other[2<<20] ^= 1
			return bytes.NewReader(other)
		}, "file large: sha256", manifest.ErrDamaged},
		{"one byte less", func(b []byte) io.Reader { return bytes.NewReader(b[1:]) }, "file large: 3145727 bytes where the manifest says 3145728", manifest.ErrDamaged},
		{"one byte more", func(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b), strings.NewReader("x")) }, "file large: longer than the 3145728 bytes that the manifest says", manifest.ErrDamaged},
		{"a failing disk", func(b []byte) io.Reader {
			return io.MultiReader(bytes.NewReader(b[:2<<20]), iotest.ErrReader(disk))
		}, "read large: input/output error", disk},
	} {
		for _, jobs := range []int{1, 8} {
			t.Run(c.name, func(t *testing.T) {
				s := &sample{manifest: describe(large), files: large}
				s.raw, _ = s.manifest.Marshal()
				content := s.content()
				inner := content.Open
				content.Open = func(ctx context.Context, path string) (io.ReadCloser, error) {
					if path == "large" {
						return io.NopCloser(c.large(large[path])), nil
					}
					return inner(ctx, path)
				}
				_, err := Write(t.Context(), io.Discard, content, WriteOptions{Jobs: jobs})
				if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("jobs %d: %v", jobs, err)
				}
			})
		}
	}
}

func TestWriteTellsWhereItFailed(t *testing.T) {
	s := &sample{manifest: describe(edgeFiles()), files: smallFiles()}
	s.raw, _ = s.manifest.Marshal()
	for _, jobs := range []int{1, 8} {
		if _, err := Write(t.Context(), io.Discard, s.content(), WriteOptions{Jobs: jobs}); err == nil || !strings.Contains(err.Error(), "open edge/") {
			t.Errorf("an absent file: %v", err)
		}
	}
	s.files = edgeFiles()
	full := errors.New("no space left on device")
	for _, jobs := range []int{1, 8} {
		if _, err := Write(t.Context(), &fullDisk{left: 1 << 20, err: full}, s.content(), WriteOptions{Jobs: jobs}); !errors.Is(err, full) {
			t.Errorf("a full disk: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stop := func(int64) { cancel() }
		if _, err := Write(ctx, io.Discard, s.content(), WriteOptions{Jobs: jobs, Progress: stop}); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
	}
}

// fullDisk takes so many bytes.
type fullDisk struct {
	left int
	err  error
}

func (f *fullDisk) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return f.left, f.err
	}
	f.left -= len(p)
	return len(p), nil
}

func TestNamesThatATarHeaderHolds(t *testing.T) {
	at := func(n int) string { return strings.Repeat("n", n) }
	const top = len(TopFolder) + 1
	for _, c := range []struct {
		path string
		ok   bool
	}{
		{at(nameField - top), true},
		{at(nameField), true}, // the top folder alone goes to the prefix
		{at(nameField + 1), false},
		{at(prefixField-top) + "/" + at(nameField), true},
		{at(prefixField-top+1) + "/" + at(nameField), false},
		{"a/" + at(130) + "/" + at(40), true},
		{"a/" + at(150) + "/" + at(40), false},
		{"a/" + at(110) + "/b/" + at(110), false},
	} {
		s := &sample{manifest: describe(map[string][]byte{c.path: []byte("x")}), files: map[string][]byte{c.path: []byte("x")}}
		var err error
		if s.raw, err = s.manifest.Marshal(); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_, err = Write(t.Context(), &out, s.content(), WriteOptions{})
		if (err == nil) != c.ok {
			t.Errorf("a path of %d bytes: %v", len(c.path), err)
		}
		if err != nil && !strings.Contains(err.Error(), "a tar header (USTAR) cannot hold it") {
			t.Errorf("a path of %d bytes: %v", len(c.path), err)
		}
		if err == nil {
			if err := verify(t, out.Bytes(), VerifyOptions{}).Err(); err != nil {
				t.Error(err)
			}
			h, err := tarHeader(c.path, 1, 0o644, 0)
			if err != nil || headerName(h[:]) != TopFolder+"/"+c.path {
				t.Errorf("%q comes back as %q, %v", c.path, headerName(h[:]), err)
			}
		}
	}
}

func TestFileName(t *testing.T) {
	target := manifest.Target{OS: "rhel", Release: "9.4", Arch: "x86_64"}
	name, err := FileName("16", "3.5.16", target, "full")
	if name != "patroni-airgap-bundle-pg16-etcd3.5.16-rhel9.4-x86_64-full.tar.gz" || err != nil {
		t.Errorf("%s, %v", name, err)
	}
	if _, err := FileName("16/..", "3.5.16", target, "full"); !errors.Is(err, manifest.ErrUsage) {
		t.Errorf("a slash: %v", err)
	}
}
