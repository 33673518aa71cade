package repomd

import (
	"strconv"

	"pgbundle/repo/rpm"
	"pgbundle/repo/rpm/pkgfile"
)

func writePrimary(w *xmlWriter, p *Packaged, fileTime int64) {
	pkg := p.Package
	w.raw("<package type=\"rpm\">\n")
	w.element("  ", "name", pkg.Name)
	w.element("  ", "arch", pkg.Arch)
	writeVersion(w, pkg)
	w.raw(`  <checksum type="sha256" pkgid="YES">`, p.SHA256, "</checksum>\n")
	w.element("  ", "summary", pkg.Summary)
	w.element("  ", "description", pkg.Description)
	w.element("  ", "packager", pkg.Packager)
	w.element("  ", "url", pkg.URL)
	w.raw("  <time")
	w.number("file", fileTime)
	w.number("build", pkg.BuildTime)
	w.raw("/>\n  <size")
	w.number("package", p.Size)
	w.number("installed", int64(pkg.InstalledSize))
	w.number("archive", int64(pkg.ArchiveSize))
	w.raw("/>\n  <location")
	w.attr("href", p.Location)
	w.raw("/>\n  <format>\n")
	w.element("    ", "rpm:license", pkg.License)
	w.element("    ", "rpm:vendor", pkg.Vendor)
	w.element("    ", "rpm:group", pkg.Group)
	w.element("    ", "rpm:buildhost", pkg.BuildHost)
	w.element("    ", "rpm:sourcerpm", pkg.SourceRPM)
	w.raw("    <rpm:header-range")
	w.number("start", pkg.HeaderStart)
	w.number("end", pkg.HeaderEnd)
	w.raw("/>\n")
	writeDependencies(w, pkg)
	for _, f := range pkg.Files {
		if rpm.InPrimary(f.Path()) {
			writeFile(w, "    ", f)
		}
	}
	w.raw("  </format>\n</package>\n")
}

func writeDependencies(w *xmlWriter, pkg *pkgfile.Package) {
	requires, recommended := writtenRequires(pkg)
	for _, kind := range []struct {
		element string
		entries []writtenDep
	}{
		{"rpm:provides", writtenDeps(pkg.Provides)},
		{"rpm:requires", requires},
		{"rpm:conflicts", writtenDeps(pkg.Conflicts)},
		{"rpm:obsoletes", writtenDeps(pkg.Obsoletes)},
		{"rpm:suggests", writtenDeps(pkg.Suggests)},
		{"rpm:enhances", writtenDeps(pkg.Enhances)},
		{"rpm:recommends", append(recommended, writtenDeps(pkg.Recommends)...)},
		{"rpm:supplements", writtenDeps(pkg.Supplements)},
	} {
		if len(kind.entries) == 0 {
			continue
		}
		w.raw("    <", kind.element, ">\n")
		for _, e := range kind.entries {
			w.raw("      <rpm:entry")
			e.write(w)
			w.raw("/>\n")
		}
		w.raw("    </", kind.element, ">\n")
	}
}

func writeVersion(w *xmlWriter, pkg *pkgfile.Package) {
	w.raw("  <version")
	w.attr("epoch", strconv.FormatUint(uint64(pkg.Epoch), 10))
	w.attr("ver", pkg.Version)
	w.attr("rel", pkg.Release)
	w.raw("/>\n")
}

func writeFile(w *xmlWriter, indent string, f pkgfile.File) {
	w.raw(indent, "<file")
	switch {
	case f.IsDir():
		w.raw(` type="dir"`)
	case f.IsGhost():
		w.raw(` type="ghost"`)
	}
	w.raw(">")
	w.text(f.Path())
	w.raw("</file>\n")
}

// writePackage opens the element that filelists and other have for a package.
func writePackage(w *xmlWriter, p *Packaged) {
	w.raw(`<package pkgid="`, p.SHA256, `"`)
	w.attr("name", p.Package.Name)
	w.attr("arch", p.Package.Arch)
	w.raw(">\n")
	writeVersion(w, p.Package)
}

func writeFilelists(w *xmlWriter, p *Packaged) {
	writePackage(w, p)
	for _, f := range p.Package.Files {
		writeFile(w, "  ", f)
	}
	w.raw("</package>\n")
}

func writeOther(w *xmlWriter, p *Packaged) {
	writePackage(w, p)
	for _, c := range writtenChangelogs(p.Package.Changelogs) {
		w.raw("  <changelog")
		w.attr("author", c.Author)
		w.number("date", c.Time)
		w.raw(">")
		w.text(c.Text)
		w.raw("</changelog>\n")
	}
	w.raw("</package>\n")
}
