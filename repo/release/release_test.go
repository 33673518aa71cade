package release

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"pgbundle/manifest"
)

type folder map[string]string

func (f folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	text, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

const (
	one = "1111111111111111111111111111111111111111111111111111111111111111"
	two = "2222222222222222222222222222222222222222222222222222222222222222"
)

// broken is a place that is down.
type broken struct{}

func (broken) Open(context.Context, string) (io.ReadCloser, error) {
	return nil, errors.New("connection refused")
}

func TestResolve(t *testing.T) {
	sums := one + "  etcd-v3.5.16-linux-amd64.tar.gz\n" + strings.ToUpper(two) + " *etcd-v3.5.16-linux-arm64.tar.gz\n"
	good := folder{"v3.5.16/SHA256SUMS": sums}
	other := folder{"v3.5.16/SHA256SUMS": two + "  etcd-v3.5.16-linux-amd64.tar.gz\n"}
	top := folder{"SHA256SUMS": sums}
	const refused = "connection refused"
	for name, test := range map[string]struct {
		version, arch string
		places        []Place
		from          string
		digest        string
		class         error
		fails         bool
		alone         string
	}{
		"amd64":                {version: "3.5.16", arch: "x86_64", places: []Place{{"a", good}, {"b", good}}, digest: one},
		"arm64":                {version: "3.5.16", arch: "aarch64", places: []Place{{"a", good}, {"b", good}}, digest: two},
		"at the top":           {version: "3.5.16", arch: "x86_64", places: []Place{{"a", top}, {"b", good}}, digest: one, from: "etcd-v3.5.16-linux-amd64.tar.gz"},
		"another at the top":   {version: "3.5.17", arch: "x86_64", places: []Place{{"a", top}}, class: manifest.ErrUnsolvable},
		"no checksum file":     {version: "3.5.16", arch: "x86_64", places: []Place{{"a", folder{"SHA256SUMS": "<html>"}}}, class: manifest.ErrDamaged},
		"one place":            {version: "3.5.16", arch: "x86_64", places: []Place{{"a", good}}, digest: one, alone: "no other host is named"},
		"one host twice":       {version: "3.5.16", arch: "x86_64", places: []Place{{"a", good}, {"a", good}}, digest: one, alone: "no other host is named"},
		"missing elsewhere":    {version: "3.5.16", arch: "x86_64", places: []Place{{"a", good}, {"b", folder{}}}, digest: one, alone: "open v3.5.16/SHA256SUMS: file does not exist"},
		"down elsewhere":       {version: "3.5.16", arch: "x86_64", places: []Place{{"a", good}, {"b", broken{}}}, digest: one, alone: refused},
		"the first down":       {version: "3.5.16", arch: "x86_64", places: []Place{{"a", broken{}}, {"b", good}}, digest: one, alone: refused},
		"down, two others":     {version: "3.5.16", arch: "x86_64", places: []Place{{"a", broken{}}, {"b", good}, {"c", good}}, digest: one},
		"down, others differ":  {version: "3.5.16", arch: "x86_64", places: []Place{{"a", broken{}}, {"b", good}, {"c", other}}, class: manifest.ErrDamaged},
		"otherwise elsewhere":  {version: "3.5.16", arch: "x86_64", places: []Place{{"a", good}, {"b", other}}, class: manifest.ErrDamaged},
		"otherwise on a host":  {version: "3.5.16", arch: "x86_64", places: []Place{{"a", good}, {"a", other}}, class: manifest.ErrDamaged},
		"all down":             {version: "3.5.16", arch: "x86_64", places: []Place{{"a", broken{}}, {"b", folder{}}}, fails: true},
		"nowhere":              {version: "3.5.16", arch: "x86_64", fails: true},
		"unknown version":      {version: "3.5.99", arch: "x86_64", places: []Place{{"a", good}}, class: manifest.ErrUnsolvable},
		"unknown architecture": {version: "3.5.16", arch: "s390x", places: []Place{{"a", good}}, class: manifest.ErrUnsolvable},
	} {
		t.Run(name, func(t *testing.T) {
			alone := ""
			r := Request{
				ID: "etcd", Places: test.places, Name: "etcd", Version: test.version,
				Size:  func(context.Context, string, string) (int64, error) { return 42, nil },
				Alone: func(reason string) { alone = reason },
			}
			if test.from == "" {
				test.from = "v" + test.version + "/" + FileName("etcd", test.version, test.arch)
			}
			got, err := r.Resolve(context.Background(), manifest.Target{Arch: test.arch})
			if !errors.Is(err, test.class) && !test.fails || (err == nil) != (test.class == nil && !test.fails) {
				t.Fatalf("error %v, want class %v", err, test.class)
			}
			if test.fails && errors.Is(err, manifest.ErrUnsolvable) {
				t.Errorf("nobody knows whether there is such a release: %v", err)
			}
			if alone != test.alone {
				t.Errorf("alone %q, want %q", alone, test.alone)
			}
			if err == nil && (got[0].SHA256 != test.digest || got[0].Size != 42 || got[0].From.Path != test.from || got[0].Path != "etcd/"+FileName("etcd", test.version, test.arch)) {
				t.Errorf("got %+v", got[0])
			}
		})
	}
}

func tarball(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCheckTarball(t *testing.T) {
	folder := tar.Header{Name: "top/", Typeflag: tar.TypeDir, Mode: 0o755}
	program := tar.Header{Name: "top/etcd", Typeflag: tar.TypeReg, Mode: 0o755, Size: 3}
	plain := tar.Header{Name: "top/etcd", Typeflag: tar.TypeReg, Mode: 0o644, Size: 3}
	for name, test := range map[string]struct {
		data []byte
		good bool
	}{
		"good":           {tarball(t, folder, program), true},
		"not executable": {tarball(t, folder, plain), false},
		"no program":     {tarball(t, folder), false},
		"outside":        {tarball(t, program, tar.Header{Name: "other/x", Typeflag: tar.TypeReg}), false},
		"dots":           {tarball(t, program, tar.Header{Name: "top/../x", Typeflag: tar.TypeReg}), false},
		"absolute":       {tarball(t, program, tar.Header{Name: "/top/x", Typeflag: tar.TypeReg}), false},
		"link":           {tarball(t, program, tar.Header{Name: "top/x", Typeflag: tar.TypeSymlink, Linkname: "/etc"}), false},
		"no archive":     {[]byte("<html>"), false},
		"cut":            {tarball(t, folder, program)[:60], false},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckTarball(bytes.NewReader(test.data), "top", "etcd")
			if (err == nil) != test.good {
				t.Fatalf("error %v", err)
			}
			if err != nil && !errors.Is(err, manifest.ErrDamaged) {
				t.Errorf("class of %v", err)
			}
		})
	}
}

func FuzzParseSums(f *testing.F) {
	f.Add([]byte(one + "  etcd.tar.gz\n"))
	f.Add([]byte(one + " *./etcd.tar.gz\r\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := ParseSums(data)
		if (err == nil) == (len(sums) == 0) {
			t.Fatalf("%d names with error %v", len(sums), err)
		}
		for _, digest := range sums {
			if len(digest) != 64 {
				t.Fatalf("digest %q", digest)
			}
		}
	})
}

// FuzzCheckTarball varies the archive inside the gzip wrapper: a fuzzer does not
// get past that one's checksums.
func FuzzCheckTarball(f *testing.F) {
	var seed bytes.Buffer
	w := tar.NewWriter(&seed)
	_ = w.WriteHeader(&tar.Header{Name: "top/", Typeflag: tar.TypeDir, Mode: 0o755})
	_ = w.WriteHeader(&tar.Header{Name: "top/etcd", Typeflag: tar.TypeReg, Mode: 0o755, Size: 1})
	_, _ = w.Write([]byte("x"))
	_ = w.Close()
	f.Add(seed.Bytes())
	f.Fuzz(func(t *testing.T, archive []byte) {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = z.Write(archive)
		_ = z.Close()
		if err := CheckTarball(&b, "top", "etcd"); err != nil && !errors.Is(err, manifest.ErrDamaged) {
			t.Fatalf("class of %v", err)
		}
	})
}
