package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// Verify proves the archive or the unpacked folder at path byte by byte
// against its manifest, and the manifest against the trusted keys. It reports
// all findings; the error is only for what kept it from running at all.
//
// The order is: the signature over the manifest's raw bytes, then the manifest,
// then every member. A manifest that cannot be read, or that is not
// authentic though there are keys, ends it (Report.Incomplete says so).
func Verify(ctx context.Context, path string, opts VerifyOptions) (*Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("verify bundle: %w", err)
	}
	if info.IsDir() {
		return verifyFolder(ctx, path, opts)
	}
	f, err := openRegular(path)
	if err != nil {
		return nil, fmt.Errorf("verify bundle: %w", err)
	}
	defer f.Close()
	info, err = f.Stat()
	if err != nil {
		return nil, fmt.Errorf("verify bundle: %w", err)
	}
	return VerifyArchive(ctx, f, info.Size(), opts)
}

// Verify proves the bundle through the descriptor that it was opened with.
func (b *Bundle) Verify(ctx context.Context, opts VerifyOptions) (*Report, error) {
	if b.archive != nil {
		return VerifyArchive(ctx, b.archive, b.size, opts)
	}
	return verifyRoot(ctx, b.root, opts)
}

// VerifyArchive proves an archive of size bytes that r reads, see Verify.
func VerifyArchive(ctx context.Context, r io.ReaderAt, size int64, opts VerifyOptions) (*Report, error) {
	report := &Report{Findings: []Finding{}}
	h, err := readHead(r, size)
	if err != nil {
		status, err := reason(err)
		report.add(status, manifest.ManifestName, "%s", trimName(err))
		report.Incomplete = manifestUnread
		return report, ctx.Err()
	}
	report.raw, report.ID, report.Signed = h.raw, manifest.BundleID(h.raw), h.signed
	if h.signatureErr != nil {
		status, err := reason(h.signatureErr)
		report.add(status, manifest.SignatureName, "%s", err)
	} else if !report.authenticate(h.raw, h.signature, opts.Keys) {
		return report, ctx.Err()
	}
	m, l, err := h.parse(size)
	if err != nil {
		report.add(Damaged, manifest.ManifestName, "%s", trimName(err))
		report.Incomplete = manifestUnread
		return report, ctx.Err()
	}
	report.listed(m)
	v := &verifier{r: r, size: size, layout: l, progress: opts.Progress, placer: placerOf(m, opts)}
	found, err := v.run(ctx, opts.Jobs, h.signatureErr != nil)
	if err != nil {
		return nil, fmt.Errorf("verify bundle: %w", err)
	}
	report.Findings = append(report.Findings, found...)
	return report, nil
}

const manifestUnread = "without its manifest nothing else could be checked"

// listed notes what the manifest lists.
func (r *Report) listed(m *manifest.Manifest) {
	r.manifest, r.Files = m, len(m.Files)
	for _, f := range m.Files {
		r.Bytes += f.Size
	}
}

// authenticate checks the signature over the manifest's raw bytes. It returns
// false when the bundle is refused: then no parser may see the manifest.
func (r *Report) authenticate(raw, signature []byte, keys []sign.PublicKey) bool {
	const refused = "what is not authentic was not looked into"
	if !r.Signed {
		if len(keys) == 0 {
			return true
		}
		r.add(Unsigned, manifest.SignatureName, "it is not signed: %s", sign.Trusted(keys))
		r.Incomplete, r.refused = refused, sign.ErrUntrusted
		return false
	}
	s, err := sign.ParseSignature(signature)
	if err != nil {
		r.add(Damaged, manifest.SignatureName, "%s", err)
		return true // as when it is damaged: the manifest is not trusted for it
	}
	r.By, r.Comment = s.KeyID, s.TrustedComment
	if len(keys) == 0 {
		return true
	}
	if _, _, err := sign.Verify(keys, raw, signature); err != nil {
		r.add(Forged, manifest.SignatureName, "%s", err)
		r.Incomplete, r.refused = refused, err
		return false
	}
	r.Authenticated = true
	return true
}

// A verifier checks the members of an archive, each by itself.
type verifier struct {
	r      io.ReaderAt
	size   int64
	layout *layout
	placer placer

	mu       sync.Mutex // holds progress
	progress func(n int64)
}

// run checks every member in jobs goroutines. The signature is left out when
// it was found damaged already.
func (v *verifier) run(ctx context.Context, jobs int, skipSignature bool) ([]Finding, error) {
	members := v.layout.members
	// The largest first: no goroutine is left alone with one at the end.
	order := make([]int, 0, len(members))
	for i, m := range members {
		if m.path == manifest.SignatureName && skipSignature {
			continue
		}
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareSize(members[b], members[a]) })

	found := make([]*Finding, len(members))
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	group, inner := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(jobs, len(order)) {
		group.Go(func() error {
			s, digest := &scanner{r: v.r}, sha256.New()
			for {
				i := int(next.Add(1) - 1)
				if i >= len(order) {
					return nil
				}
				m := members[order[i]]
				finding, err := v.member(inner, s, digest, m)
				if err != nil {
					return err
				}
				found[order[i]] = finding
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []Finding
	for _, f := range found {
		if f != nil {
			all = append(all, *f)
		}
	}
	return append(all, v.ending()...), nil
}

func compareSize(a, b member) int {
	switch {
	case a.size < b.size:
		return -1
	case a.size > b.size:
		return 1
	}
	return 0
}

// member checks one member: framing, tar header, payload and padding. The
// payload goes to its place meanwhile. The error is for what ends the run.
func (v *verifier) member(ctx context.Context, s *scanner, digest hash.Hash, m member) (*Finding, error) {
	if m.off >= v.size {
		return &Finding{Missing, m.path, "the archive ends before it"}, nil
	}
	if m.off+m.length() > v.size {
		return &Finding{Truncated, m.path, errTruncated.Error()}, nil
	}
	want, err := m.header()
	if err != nil {
		return &Finding{Damaged, m.path, err.Error()}, nil
	}
	place, err := v.placer.open(m.path)
	if err != nil {
		return nil, err
	}
	digest.Reset()
	err = s.scan(m.off, rawLength(m.size), func(at int64, data []byte) error {
		begin, end := payloadOf(m, at, len(data))
		if at == 0 && string(data[:tarBlock]) != string(want[:]) {
			return wrongHeader(data[:tarBlock], want[:])
		}
		digest.Write(data[begin:end])
		if err := place.write(data[begin:end]); err != nil {
			return err
		}
		for _, b := range data[end:] {
			if b != 0 {
				return errors.New("its padding is not zero")
			}
		}
		v.count(int64(len(data)))
		return ctx.Err()
	})
	if err := errors.Join(place.close(), ctx.Err()); err != nil {
		return nil, err
	}
	if err == nil || errors.Is(err, errChecksum) {
		// A wrong digest says more than a wrong checksum does.
		if m.sha256 != "" && !sameDigest(digest.Sum(nil), m.sha256) {
			err = errors.New("its sha256 is not the manifest's")
		}
	}
	if err != nil {
		status, err := reason(err)
		return &Finding{status, m.path, err.Error()}, nil
	}
	return nil, nil
}

// wrongHeader says how a tar header differs: by the name, when it has another.
func wrongHeader(got, want []byte) error {
	if name := headerName(got); name != headerName(want) {
		return fmt.Errorf("the entry in its place is named %q", name)
	}
	return errors.New("its tar header is not the one that the manifest makes")
}

// ending checks the end member and that nothing follows it.
func (v *verifier) ending() []Finding {
	want := endMember()
	end := v.layout.end
	if end+int64(len(want)) > v.size {
		detail := fmt.Sprintf("the archive has %d bytes of %d", v.size, v.layout.total)
		if end >= v.size {
			return []Finding{{Missing, EndName, detail}}
		}
		return []Finding{{Truncated, EndName, detail}}
	}
	got := make([]byte, len(want))
	if err := readFull(v.r, got, end); err != nil {
		status, err := reason(err)
		return []Finding{{status, EndName, err.Error()}}
	}
	var found []Finding
	if string(got) != string(want) {
		found = append(found, Finding{Damaged, EndName, "it is not one gzip member of two zero blocks"})
	}
	if more := v.size - v.layout.total; more > 0 {
		found = append(found, Finding{Extra, EndName, fmt.Sprintf("%d bytes where the archive should have ended", more)})
	}
	return found
}

func (v *verifier) count(n int64) {
	if v.progress == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.progress(n)
}

// reason turns an error of reading a member into a finding's words.
func reason(err error) (Status, error) {
	var disk *readError
	switch {
	case errors.As(err, &disk):
		return Unreadable, err
	case errors.Is(err, errTruncated):
		return Truncated, err
	}
	return Damaged, err
}

// trimName drops what a finding says in its own column: the name of the file
// that an error is about.
func trimName(err error) string {
	text := err.Error()
	for _, prefix := range []string{"read manifest: ", "read " + manifest.ManifestName + ": ", "read " + manifest.SignatureName + ": ", manifest.ManifestName + ": "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
