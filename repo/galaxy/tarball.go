package galaxy

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"gopkg.in/yaml.v3"

	"pgbundle/manifest"
)

// Bounds of a collection's tarball, unpacked.
const (
	maxMembers   = 100_000
	maxUnpacked  = 512 << 20 // community.general is 20 MB
	maxJSON      = 32 << 20  // bytes of MANIFEST.json and FILES.json
	maxRuntime   = 8 << 20   // bytes of meta/runtime.yml
	manifestName = "MANIFEST.json"
	filesName    = "FILES.json"
	runtimeName  = "meta/runtime.yml"
)

// Info is what a tarball says of its collection.
type Info struct {
	Name            Name
	Version         string
	Dependencies    map[string]string
	RequiresAnsible string
}

// manifestJSON is MANIFEST.json (format 1).
type manifestJSON struct {
	Info struct {
		Namespace    string            `json:"namespace"`
		Name         string            `json:"name"`
		Version      string            `json:"version"`
		Dependencies map[string]string `json:"dependencies"`
	} `json:"collection_info"`
	Files struct {
		Name   string `json:"name"`
		SHA256 string `json:"chksum_sha256"`
	} `json:"file_manifest_file"`
}

// filesJSON is FILES.json (format 1).
type filesJSON struct {
	Files []struct {
		Name   string `json:"name"`
		Type   string `json:"ftype"`
		SHA256 string `json:"chksum_sha256"`
	} `json:"files"`
}

// CheckTarball reads a collection's tarball: FILES.json must be what
// MANIFEST.json says, and every file what FILES.json says; nothing may lie or
// lead outside. What is wrong is of class manifest.ErrDamaged.
func CheckTarball(r io.Reader) (*Info, error) {
	t, err := readTarball(r)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(t.manifest)
	if err != nil {
		return nil, err
	}
	if m.Files.Name != filesName || t.digests[filesName] != m.Files.SHA256 {
		return nil, damaged("%s is not the one that %s names", filesName, manifestName)
	}
	if err := t.compare(); err != nil {
		return nil, err
	}
	info := &Info{Name: Name{m.Info.Namespace, m.Info.Name}, Version: m.Info.Version, Dependencies: m.Info.Dependencies}
	if info.RequiresAnsible, err = requiresAnsible(t.runtime); err != nil {
		return nil, err
	}
	return info, nil
}

func parseManifest(data []byte) (*manifestJSON, error) {
	var m manifestJSON
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, damaged("read %s: %w", manifestName, err)
	}
	if _, err := ParseName(m.Info.Namespace + "." + m.Info.Name); err != nil {
		return nil, damaged("read %s: %w", manifestName, err)
	}
	if !isVersion(m.Info.Version) {
		return nil, damaged("read %s: version %.140q is no SemVer", manifestName, m.Info.Version)
	}
	return &m, nil
}

// requiresAnsible reads the range out of meta/runtime.yml; a collection need
// not have one.
func requiresAnsible(runtime []byte) (string, error) {
	if runtime == nil {
		return "", nil
	}
	var doc struct {
		Requires string `yaml:"requires_ansible"`
	}
	if err := yaml.Unmarshal(runtime, &doc); err != nil {
		return "", damaged("read %s: %w", runtimeName, err)
	}
	return doc.Requires, nil
}

// tarball is what was read of one.
type tarball struct {
	manifest, files, runtime []byte
	digests                  map[string]string // of regular files, by name
	folders                  map[string]bool
	links                    map[string]string // name → where it leads, both from the top
	detours                  []string          // where links lead, as they write it
}

func readTarball(r io.Reader) (*tarball, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, damaged("not a gzip file: %w", err)
	}
	t := &tarball{digests: map[string]string{}, folders: map[string]bool{".": true}, links: map[string]string{}}
	limited := &io.LimitedReader{R: unzipped, N: maxUnpacked}
	archive := tar.NewReader(limited)
	for n := 0; ; n++ {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && n == maxMembers {
			err = fmt.Errorf("more than %d members", maxMembers)
		}
		if err == nil {
			err = t.member(h, archive)
		}
		if limited.N <= 0 {
			err = fmt.Errorf("more than %d bytes unpacked", int64(maxUnpacked))
		}
		if err != nil {
			return nil, damaged("%w", err)
		}
	}
	if t.manifest == nil || t.files == nil {
		return nil, damaged("no collection: it has no %s or no %s", manifestName, filesName)
	}
	return t, nil
}

func (t *tarball) member(h *tar.Header, r io.Reader) error {
	name := path.Clean(h.Name)
	if path.IsAbs(h.Name) || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(h.Name, "\\\x00") {
		return fmt.Errorf("the member %.200q leads outside", h.Name)
	}
	for key := range h.PAXRecords {
		// As long as it says, whatever the archive holds of it: no bound would bind.
		if strings.HasPrefix(key, "GNU.sparse.") {
			return fmt.Errorf("the member %.200q is sparse", h.Name)
		}
	}
	_, isFile := t.digests[name]
	_, isLink := t.links[name]
	if isFile || isLink || t.folders[name] && h.Typeflag != tar.TypeDir {
		return fmt.Errorf("the member %.200q is there twice", h.Name)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		t.folders[name] = true
		return nil
	case tar.TypeSymlink:
		target := path.Join(path.Dir(name), h.Linkname)
		if path.IsAbs(h.Linkname) || target == ".." || strings.HasPrefix(target, "../") {
			return fmt.Errorf("the link %.200q leads outside", h.Name)
		}
		t.links[name] = target
		t.detours = append(t.detours, path.Dir(name)+"/"+h.Linkname)
		return nil
	case tar.TypeReg:
		return t.regular(name, h.Size, r)
	}
	return fmt.Errorf("the member %.200q is neither a file, a folder nor a link", h.Name)
}

func (t *tarball) regular(name string, size int64, r io.Reader) error {
	hash := sha256.New()
	var kept bytes.Buffer
	into := io.Writer(hash)
	limits := map[string]int64{manifestName: maxJSON, filesName: maxJSON, runtimeName: maxRuntime}
	if limit, keep := limits[name]; keep {
		if size > limit {
			return fmt.Errorf("%s is longer than %d bytes", name, limit)
		}
		into = io.MultiWriter(hash, &kept)
	}
	if _, err := io.Copy(into, r); err != nil {
		return err
	}
	t.digests[name] = hex.EncodeToString(hash.Sum(nil))
	switch name {
	case manifestName:
		t.manifest = kept.Bytes()
	case filesName:
		t.files = kept.Bytes()
	case runtimeName:
		t.runtime = kept.Bytes()
	}
	return nil
}

// compare holds the members against FILES.json. A link has the digest of the
// file that it leads to.
func (t *tarball) compare() error {
	var list filesJSON
	if err := json.Unmarshal(t.files, &list); err != nil {
		return damaged("read %s: %w", filesName, err)
	}
	if err := t.straight(); err != nil {
		return err
	}
	listed := map[string]bool{manifestName: true, filesName: true}
	for _, f := range list.Files {
		name := path.Clean(f.Name)
		listed[name] = true
		target, isLink := t.links[name]
		digest, isFile := t.digests[name]
		if isLink {
			digest, isFile = t.digests[target]
		}
		switch {
		case f.Type == "dir" && (t.folders[name] || isLink && t.folders[target]):
		case f.Type == "file" && isFile && digest == f.SHA256:
		case f.Type == "file" && isFile:
			return damaged("%.200s is not what %s says", name, filesName)
		default:
			return damaged("%.200s is in %s and not in the tarball", name, filesName)
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(t.digests)), slices.Collect(maps.Keys(t.links))) {
		if !listed[name] {
			return damaged("%.200s is in the tarball and not in %s", name, filesName)
		}
	}
	return nil
}

// straight refuses links on the way to anything: ".." behind a link leads
// somewhere else than the text says, and what lies below one lies elsewhere.
func (t *tarball) straight() error {
	if len(t.links) == 0 {
		return nil
	}
	for _, names := range []iter.Seq[string]{maps.Keys(t.digests), maps.Keys(t.folders), maps.Keys(t.links)} {
		for name := range names {
			if link := t.linkOn(path.Dir(name)); link != "" {
				return damaged("%.200s lies below the link %.200s", name, link)
			}
		}
	}
	for _, way := range t.detours {
		if link := t.linkOn(way); link != "" {
			return damaged("the link to %.200s leads over the link %.200s", way, link)
		}
	}
	return nil
}

// linkOn returns the first link that a way passes or ends at, "" for none.
func (t *tarball) linkOn(way string) string {
	at := "."
	for part := range strings.SplitSeq(way, "/") {
		at = path.Join(at, part)
		if _, isLink := t.links[at]; isLink {
			return at
		}
	}
	return ""
}

func damaged(format string, args ...any) error {
	return manifest.Classify(manifest.ErrDamaged, fmt.Errorf(format, args...))
}
