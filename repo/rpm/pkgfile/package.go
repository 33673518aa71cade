package pkgfile

import (
	"encoding/binary"
	"io"
)

// blocks is a package file without its payload.
type blocks struct {
	signature *header
	header    *header
	start     int64 // offset of the header
}

// readBlocks reads lead, signature header with its padding, and header.
func readBlocks(r io.Reader) (*blocks, error) {
	var lead [leadSize]byte
	if _, err := io.ReadFull(r, lead[:]); err != nil {
		return nil, shortRead("lead", err)
	}
	if binary.BigEndian.Uint32(lead[:]) != 0xedabeedb {
		return nil, damaged("lead", "not an RPM package")
	}
	if major := lead[4]; major < 3 || major > 4 {
		return nil, damaged("lead", "format version %d is not known", major)
	}
	if sigType := binary.BigEndian.Uint16(lead[78:]); sigType != 5 {
		return nil, damaged("lead", "signature type %d is not known", sigType)
	}
	signature, err := readHeader(r, "signature header", 0)
	if err != nil {
		return nil, err
	}
	padding := (8 - len(signature.raw)%8) % 8
	if _, err := io.CopyN(io.Discard, r, int64(padding)); err != nil {
		return nil, shortRead("signature header", err)
	}
	h, err := readHeader(r, "header", regionImmutable)
	if err != nil {
		return nil, err
	}
	return &blocks{signature: signature, header: h, start: leadSize + int64(len(signature.raw)+padding)}, nil
}

func newPackage(b *blocks) (*Package, error) {
	h := b.header
	p := &Package{
		Name:        h.text(tagName),
		Version:     h.text(tagVersion),
		Release:     h.text(tagRelease),
		Arch:        h.text(tagArch),
		Summary:     h.text(tagSummary),
		Description: h.text(tagDescription),
		URL:         h.text(tagURL),
		License:     h.text(tagLicense),
		Vendor:      h.text(tagVendor),
		Group:       h.text(tagGroup),
		BuildHost:   h.text(tagBuildHost),
		SourceRPM:   h.text(tagSourceRPM),
		Packager:    h.text(tagPackager),
		HeaderStart: b.start,
		HeaderEnd:   b.start + int64(len(h.raw)),
	}
	if p.Name == "" || p.Version == "" || p.Release == "" || p.Arch == "" {
		return nil, damaged("header", "name, version, release or architecture is missing")
	}
	// rpm tells a source package by either tag; the lead's type is obsolete.
	if p.Source = h.has(tagSourcePackage) || !h.has(tagSourceRPM); p.Source {
		p.Arch = "src"
	}
	epoch, _ := h.number(tagEpoch)
	p.Epoch = uint32(epoch)
	built, _ := h.number(tagBuildTime)
	p.BuildTime = int64(built)
	p.InstalledSize = firstNumber(h, tagLongSize, tagSize)
	p.ArchiveSize = archiveSize(b)
	if err := fillDependencies(p, h); err != nil {
		return nil, err
	}
	var err error
	if p.Files, err = files(h); err != nil {
		return nil, err
	}
	p.Changelogs, err = changelogs(h)
	return p, err
}

// archiveSize finds the size of the uncompressed payload, which rpm writes into
// the signature header and older versions wrote into the header.
func archiveSize(b *blocks) uint64 {
	if n, ok := b.header.number(tagLongArchiveSize); ok {
		return n
	}
	if n, ok := b.signature.number(sigLongArchiveSize); ok {
		return n
	}
	if n, ok := b.header.number(tagArchiveSize); ok {
		return n
	}
	n, _ := b.signature.number(sigPayloadSize)
	return n
}

func firstNumber(h *header, tags ...uint32) uint64 {
	for _, tag := range tags {
		if n, ok := h.number(tag); ok {
			return n
		}
	}
	return 0
}

func fillDependencies(p *Package, h *header) error {
	for _, kind := range []struct {
		into                 *[]Dependency
		name, flags, version uint32
	}{
		{&p.Provides, tagProvideName, tagProvideFlags, tagProvideVersion},
		{&p.Requires, tagRequireName, tagRequireFlags, tagRequireVersion},
		{&p.Conflicts, tagConflictName, tagConflictFlags, tagConflictVersion},
		{&p.Obsoletes, tagObsoleteName, tagObsoleteFlags, tagObsoleteVersion},
		{&p.Recommends, tagRecommendName, tagRecommendFlags, tagRecommendVersion},
		{&p.Suggests, tagSuggestName, tagSuggestFlags, tagSuggestVersion},
		{&p.Supplements, tagSupplementName, tagSupplementFlags, tagSupplementVersion},
		{&p.Enhances, tagEnhanceName, tagEnhanceFlags, tagEnhanceVersion},
	} {
		names, flags, versions := h.texts(kind.name), h.numbers(kind.flags), h.texts(kind.version)
		if flags.len() != len(names) || len(versions) != len(names) {
			return damaged("header", "tag %d has %d names, %d flags and %d versions",
				kind.name, len(names), flags.len(), len(versions))
		}
		if len(names) == 0 {
			continue
		}
		list := make([]Dependency, len(names))
		for i, name := range names {
			list[i] = Dependency{Name: name, Flags: uint32(flags.at(i)), Version: versions[i]}
		}
		*kind.into = list
	}
	return nil
}

func files(h *header) ([]File, error) {
	bases, dirs := h.texts(tagBaseNames), h.texts(tagDirNames)
	indexes, modes, flags := h.numbers(tagDirIndexes), h.numbers(tagFileModes), h.numbers(tagFileFlags)
	if len(bases) == 0 {
		if h.has(tagOldFilenames) {
			return nil, damaged("header", "file names in the form of rpm 3")
		}
		return nil, nil
	}
	if indexes.len() != len(bases) || modes.len() != len(bases) || flags.len() != len(bases) {
		return nil, damaged("header", "%d file names, %d directories, %d modes and %d flags",
			len(bases), indexes.len(), modes.len(), flags.len())
	}
	list := make([]File, len(bases))
	for i, base := range bases {
		dir := indexes.at(i)
		if dir >= uint64(len(dirs)) {
			return nil, damaged("header", "file %d is in directory %d of %d", i, dir, len(dirs))
		}
		list[i] = File{Dir: dirs[dir], Base: base, Mode: uint16(modes.at(i)), Flags: uint32(flags.at(i))}
	}
	return list, nil
}

func changelogs(h *header) ([]Changelog, error) {
	times, authors, texts := h.numbers(tagChangelogTime), h.texts(tagChangelogName), h.texts(tagChangelogText)
	if times.len() != len(authors) || len(texts) != len(authors) {
		return nil, damaged("header", "%d changelog times, %d authors and %d texts",
			times.len(), len(authors), len(texts))
	}
	if len(authors) == 0 {
		return nil, nil
	}
	list := make([]Changelog, len(authors))
	for i, author := range authors {
		list[i] = Changelog{Time: int64(times.at(i)), Author: author, Text: texts[i]}
	}
	return list, nil
}
