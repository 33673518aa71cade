package facts

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
)

// rpmNames begins a package: name, epoch, version and release, architecture,
// vendor; "(none)" for what it has not.
const rpmNames = `package %{NAME}\t%{EPOCH}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{VENDOR}\n`

// rpmRelations goes on with a line for each dependency and path. rpm prints
// nothing for a list that the package has not. A path is told as the number of
// its folder and its name, which takes a third of the room: whole paths of a
// large node would be more than is read of a program.
const rpmRelations = `[provides %{PROVIDENEVRS}\n][requires %{REQUIRENEVRS}\n]` +
	`[conflicts %{CONFLICTNEVRS}\n][obsoletes %{OBSOLETENEVRS}\n]` +
	`[recommends %{RECOMMENDNEVRS}\n][suggests %{SUGGESTNEVRS}\n]` +
	`[supplements %{SUPPLEMENTNEVRS}\n][enhances %{ENHANCENEVRS}\n]` +
	`[folder %{DIRNAMES}\n][file %{DIRINDEXES} %{BASENAMES}\n]`

// Bounds on what is kept: a document with more could not be read again. Nodes
// have some 60 texts a package, and 20,000 for each kernel.
const (
	maxTexts  = 400_000 // dependencies and paths of all packages
	maxListed = 100_000 // packages, or texts of one list
)

// installed is a package, and how many of its paths cannot be written down.
type installed struct {
	manifest.Package
	unfit int
}

// parsePackages reads what rpmNames prints, alone or with rpmRelations. The list
// is sorted by name, architecture and EVR. Public keys, which rpm keeps as
// packages without an architecture, are left out. Whatever is not as it ought to
// be is an error: an incomplete list would look like a whole one.
func parsePackages(stdout string) ([]installed, error) {
	r := rpmReader{seen: map[relation]bool{}}
	for line := range strings.Lines(stdout) {
		text, whole := strings.CutSuffix(line, "\n")
		word, rest, ok := strings.Cut(text, " ")
		if !whole || !ok {
			return nil, fmt.Errorf("rpm -qa printed %.80q", line)
		}
		if err := r.line(word, rest); err != nil {
			return nil, err
		}
	}
	r.end()
	slices.SortStableFunc(r.all, func(a, b installed) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch), strings.Compare(a.EVR, b.EVR))
	})
	return r.all, nil
}

// rpmReader reads the lines of one package after the other.
type rpmReader struct {
	all     []installed
	at      *installed // the package that is being read
	folders []string   // its folders, in order
	seen    map[relation]bool
	texts   int
}

// relation is one dependency of a package.
type relation struct{ kind, text string }

func (r *rpmReader) line(word, rest string) error {
	if word == "package" {
		r.end()
		return r.begin(rest)
	}
	if r.at == nil {
		return fmt.Errorf("rpm -qa printed %.80q before any package", word+" "+rest)
	}
	switch word {
	case "folder":
		r.folders = append(r.folders, rest)
		return nil
	case "file":
		return r.file(rest)
	}
	return r.dependency(word, rest)
}

// begin starts a package with what it is.
func (r *rpmReader) begin(text string) error {
	if len(r.all) == maxListed {
		return fmt.Errorf("rpm -qa printed more than %d packages", maxListed)
	}
	fields := strings.Split(text, "\t")
	if len(fields) != 5 || slices.Contains(fields[:4], "") {
		return fmt.Errorf("rpm -qa printed %.80q for a package", text)
	}
	for i, field := range fields {
		if field == "(none)" {
			fields[i] = ""
		}
	}
	r.at = &installed{Package: manifest.Package{Name: fields[0], EVR: fields[2], Arch: fields[3], Vendor: fields[4]}}
	if epoch := fields[1]; epoch != "" && epoch != "0" {
		r.at.EVR = epoch + ":" + r.at.EVR
	}
	return nil
}

// end keeps the package that was read, if it is one.
func (r *rpmReader) end() {
	if r.at != nil && r.at.Name != "" && r.at.Arch != "" {
		r.all = append(r.all, *r.at)
	}
	r.at, r.folders = nil, r.folders[:0]
	clear(r.seen)
}

func (r *rpmReader) dependency(kind, text string) error {
	list := r.list(kind)
	if list == nil {
		return fmt.Errorf("rpm -qa printed %.80q for %s", kind+" "+text, r.at.Name)
	}
	if kind == "requires" && strings.HasPrefix(text, "rpmlib(") || r.seen[relation{kind, text}] {
		return nil // a feature of the rpm that put it there, or the same for another scriptlet
	}
	if text == "" || manifest.CleanText(text) != text {
		return fmt.Errorf("%s %s %.80q, which cannot be written down", r.at.Name, kind, text)
	}
	r.seen[relation{kind, text}] = true
	return r.keep(list, text)
}

// list is where the dependencies of one kind belong, nil when there is no such.
func (r *rpmReader) list(kind string) *[]string {
	for _, list := range r.at.Relations() {
		if list.Kind == kind {
			return list.Texts
		}
	}
	return nil
}

// file keeps a path if others are likely to require it.
func (r *rpmReader) file(text string) error {
	number, name, _ := strings.Cut(text, " ")
	folder, err := strconv.Atoi(number)
	if err != nil || folder < 0 || folder >= len(r.folders) {
		return fmt.Errorf("rpm -qa printed the path %.80q for %s", text, r.at.Name)
	}
	path := r.folders[folder] + name
	if !inPrimary(path) {
		return nil
	}
	if path[0] != '/' || manifest.CleanText(path) != path {
		r.at.unfit++
		return nil
	}
	return r.keep(&r.at.Files, path)
}

func (r *rpmReader) keep(list *[]string, text string) error {
	if r.texts++; r.texts > maxTexts {
		return fmt.Errorf("the packages have more than %d dependencies and paths", maxTexts)
	}
	if len(*list) == maxListed {
		return fmt.Errorf("%s has more than %d dependencies or paths of one kind", r.at.Name, maxListed)
	}
	*list = append(*list, text)
	return nil
}

// inPrimary says whether the primary metadata of a repository lists a path:
// what createrepo_c (src/misc.h, cr_is_primary) takes for likely to be required.
func inPrimary(path string) bool {
	return strings.HasPrefix(path, "/etc/") || strings.Contains(path, "bin/") || path == "/usr/lib/sendmail"
}
