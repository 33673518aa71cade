package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgbundle/manifest"
)

// sample is a bundle in memory: what was packed and the archive of it.
type sample struct {
	manifest *manifest.Manifest
	raw      []byte
	files    map[string][]byte
	archive  []byte
	written  Written
}

// content returns what Write packs.
func (s *sample) content() Content {
	return Content{Manifest: s.raw, Open: func(_ context.Context, path string) (io.ReadCloser, error) {
		data, ok := s.files[path]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

// describe makes the manifest of files, in the order of their names.
func describe(files map[string][]byte) *manifest.Manifest {
	m := &manifest.Manifest{
		Version: 1,
		Lock: manifest.Lock{
			Version: 1,
			Spec:    strings.Repeat("5", 64),
			Time:    time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC),
			Target:  manifest.Target{OS: "rhel", Release: "9.4", Arch: "x86_64", ControlPython: "3.9", NodePython: "3.9"},
		},
		Checked: []manifest.Check{{Name: "closure", Result: "closed"}},
	}
	for path, data := range files {
		mode := uint32(0o644)
		if strings.HasSuffix(path, ".sh") {
			mode = 0o755
		}
		m.Files = append(m.Files, manifest.File{Path: path, Size: int64(len(data)), Mode: mode, SHA256: fmt.Sprintf("%x", sha256.Sum256(data))})
	}
	slices.SortFunc(m.Files, func(a, b manifest.File) int { return strings.Compare(a.Path, b.Path) })
	return m
}

// pack makes a sample; edit may change the manifest before it is written.
func pack(t testing.TB, files map[string][]byte, jobs int, edit ...func(*manifest.Manifest)) *sample {
	t.Helper()
	s := &sample{manifest: describe(files), files: files}
	for _, e := range edit {
		e(s.manifest)
	}
	var err error
	if s.raw, err = s.manifest.Marshal(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if s.written, err = Write(t.Context(), &out, s.content(), WriteOptions{Jobs: jobs}); err != nil {
		t.Fatal(err)
	}
	s.archive = out.Bytes()
	return s
}

// smallFiles reach every edge of the framing that fits in a small bundle.
func smallFiles() map[string][]byte {
	return map[string][]byte{
		"airgap-install.sh":          []byte("#!/bin/sh\nexec ./pgbundle install \"$@\"\n"),
		"rpms/empty":                 {},
		"rpms/one-block":             bytes.Repeat([]byte{7}, 512),
		"rpms/haproxy-2.4.el9.rpm":   []byte("rpm"),
		"wheels/target/a b+c~d^1.py": []byte("x"),
	}
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(key).Read(b)
	return b
}

// edgeFiles have sizes around the edges of stored blocks and of spans.
func edgeFiles() map[string][]byte {
	files := smallFiles()
	for i, size := range []int{
		blockSize - tarBlock - 1, blockSize - tarBlock, blockSize - tarBlock + 1, blockSize, 2*blockSize - tarBlock,
		128 * tarBlock, 127 * tarBlock, 127*tarBlock + 1,
		frameBlocks*blockSize - tarBlock, frameBlocks*blockSize - tarBlock + 1, frameBlocks * blockSize, 3<<20 + 17,
	} {
		files[fmt.Sprintf("edge/%02d-%d", i, size)] = random(uint64(i), size)
	}
	return files
}

func verify(t testing.TB, archive []byte, opts VerifyOptions) *Report {
	t.Helper()
	report, err := VerifyArchive(context.Background(), bytes.NewReader(archive), int64(len(archive)), opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestWriteOpenVerify(t *testing.T) {
	for _, jobs := range []int{1, 8} {
		s := pack(t, edgeFiles(), jobs)
		if sum := fmt.Sprintf("%x", sha256.Sum256(s.archive)); sum != s.written.SHA256 || s.written.Size != int64(len(s.archive)) {
			t.Errorf("jobs %d: Written says %+v of %d bytes with sha256 %s", jobs, s.written, len(s.archive), sum)
		}
		if total := s.content().Total(); total != int64(len(s.archive)) {
			t.Errorf("Total: %d; want %d", total, len(s.archive))
		}
		var told int64
		report := verify(t, s.archive, VerifyOptions{Jobs: jobs, Progress: func(n int64) { told += n }})
		if err := report.Err(); err != nil {
			t.Fatalf("jobs %d: %v", jobs, err)
		}
		if report.ID != s.written.ID || report.Signed || report.Authenticated || report.Files != len(s.files) || told == 0 {
			t.Errorf("report %+v, progress %d", report, told)
		}
		b, err := New(bytes.NewReader(s.archive), int64(len(s.archive)))
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range s.files {
			r, err := b.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(r, want); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := b.Open(t.Context(), "rpms/absent"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("an absent file: %v", err)
		}
	}
}

// The bytes depend on the content alone.
func TestSameBytesWithAnyJobs(t *testing.T) {
	files := edgeFiles()
	one, eight := pack(t, files, 1), pack(t, files, 8)
	if !bytes.Equal(one.archive, eight.archive) {
		t.Error("jobs 1 and jobs 8 gave different archives")
	}
	if one.written != eight.written {
		t.Errorf("%+v and %+v", one.written, eight.written)
	}
}
