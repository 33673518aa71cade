package pypi

import (
	"bytes"
	"fmt"
)

// Built puts the wheel that was made of a source archive in its place.
func (r *Resolution) Built(name, filename, sha256 string, size int64) {
	for i := range r.Files {
		if f := &r.Files[i]; f.Name == name {
			f.Filename, f.SHA256, f.Size, f.URL, f.Sdist = filename, sha256, size, "", false
		}
	}
}

// RequirementsLock writes an answer as pip's --require-hashes reads it
// (requirements file format): every project pinned, with the sha256 of the one
// file that may be installed. Source archives of which wheels were made are to
// be replaced by Built before.
func RequirementsLock(r *Resolution) []byte {
	var b bytes.Buffer
	for _, f := range r.Files {
		fmt.Fprintf(&b, "%s==%s \\\n    --hash=sha256:%s\n", f.Name, f.Version, f.SHA256)
	}
	return b.Bytes()
}
