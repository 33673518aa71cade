package bundle

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"pgbundle/manifest"
	"pgbundle/manifest/sign"
)

// A Status is a finding in one word.
type Status string

const (
	Damaged    Status = "damaged"    // its bytes or their framing are not what the manifest makes them
	Missing    Status = "missing"    // not there
	Truncated  Status = "truncated"  // the archive ends within it
	Extra      Status = "extra"      // there, and not in the manifest
	Mode       Status = "mode"       // permissions that the manifest does not give
	Type       Status = "type"       // a link, a device or a folder where a file belongs
	Unreadable Status = "unreadable" // the disk or the permissions do not let it be read
	Unsigned   Status = "unsigned"   // no signature, and there are trusted keys
	Forged     Status = "signature"  // a signature that no trusted key made over these bytes
)

// A Finding is one thing that is wrong with a bundle.
type Finding struct {
	Status Status `json:"status"`
	Path   string `json:"path"` // in the bundle, or EndName
	Detail string `json:"detail"`
}

// VerifyOptions say what Verify trusts and how it works.
type VerifyOptions struct {
	// Keys are the trusted keys. Without any, a bundle that is whole is "not
	// authenticated"; with some, one that none of them signed is refused.
	Keys []sign.PublicKey
	Jobs int // goroutines that read and hash; 0: one for each processor
	// Progress is told of n more bytes checked, never from two goroutines at
	// once; nil: nobody.
	Progress func(n int64)
	// Place, when it is not nil, is asked for each file that the manifest lists
	// where its bytes go while they are checked: what is placed is what was
	// proven, not what is read later. It returns nil for a file that is not
	// wanted, and is called from several goroutines. Its error, and that of a
	// Write or Close, ends Verify. The bytes of a file with a finding were
	// placed in part or wrongly.
	Place func(f manifest.File) (io.WriteCloser, error)
}

// A Report is all that Verify found.
type Report struct {
	ID            string    `json:"id"`            // empty when the manifest could not be read
	Signed        bool      `json:"signed"`        // there is a signature, whoever made it
	Authenticated bool      `json:"authenticated"` // a trusted key made it over this manifest
	By            string    `json:"by,omitempty"`  // id of the key that the signature names; proven only when Authenticated
	Comment       string    `json:"comment,omitempty"`
	Files         int       `json:"files"` // that the manifest lists
	Bytes         int64     `json:"bytes"` // of them
	Findings      []Finding `json:"findings"`
	// Incomplete says why what follows the findings was not checked; empty when
	// everything was.
	Incomplete string `json:"incomplete,omitempty"`

	raw      []byte
	manifest *manifest.Manifest
	refused  error // why it is not authentic
}

// RawManifest returns the bytes of the manifest that everything was compared
// with. They must not be changed.
func (r *Report) RawManifest() []byte { return r.raw }

// Manifest returns the manifest that everything was compared with, nil when it
// could not be read. It must not be changed.
func (r *Report) Manifest() *manifest.Manifest { return r.manifest }

func (r *Report) add(status Status, path, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{status, path, fmt.Sprintf(format, args...)})
}

// Err returns nil for a bundle without findings, otherwise an error that sums
// them up: of class manifest.ErrSignature when it is about who signed it (and
// sign.ErrUntrusted when it was a stranger or nobody), of manifest.ErrDamaged
// else.
func (r *Report) Err() error {
	for _, f := range r.Findings {
		if f.authenticity() {
			return r.sum(cmp.Or(r.refused, manifest.ErrSignature), r.Findings)
		}
	}
	return r.Damage()
}

// Damage is Err for what is wrong with the bytes alone, whoever signed them.
func (r *Report) Damage() error {
	var damage []Finding
	for _, f := range r.Findings {
		if !f.authenticity() {
			damage = append(damage, f)
		}
	}
	return r.sum(manifest.ErrDamaged, damage)
}

// authenticity says whether a finding is about who signed the bundle.
func (f Finding) authenticity() bool { return f.Status == Unsigned || f.Status == Forged }

func (r *Report) sum(class error, findings []Finding) error {
	if len(findings) == 0 {
		return nil
	}
	var words []string
	for i, f := range findings {
		if i == 3 {
			words = append(words, fmt.Sprintf("and %d more", len(findings)-i))
			break
		}
		words = append(words, fmt.Sprintf("%s %s (%s)", f.Status, f.Path, f.Detail))
	}
	if r.Incomplete != "" {
		words = append(words, r.Incomplete)
	}
	name := "bundle"
	if r.ID != "" {
		name += " " + r.ID
	}
	return manifest.Classify(class, fmt.Errorf("verify %s: %s", name, strings.Join(words, "; ")))
}
