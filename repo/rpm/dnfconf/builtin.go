package dnfconf

import (
	"fmt"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// The hosts of the built-in repositories. Nothing else in this package names one.
const (
	rockyURL      = "https://dl.rockylinux.org/pub/rocky"
	rockyVaultURL = "https://dl.rockylinux.org/vault/rocky"
	almaURL       = "https://repo.almalinux.org/almalinux"
	almaVaultURL  = "https://vault.almalinux.org"
	epelURL       = "https://dl.fedoraproject.org/pub/epel"
	epelOldURL    = "https://dl.fedoraproject.org/pub/archive/epel"
	epelMirrors   = "https://mirrors.fedoraproject.org/metalink"
	pgdgURL       = "https://download.postgresql.org/pub/repos/yum"
	pgdgOldURL    = "https://yum-archive.postgresql.org"
)

// key is a public key that a built-in repository signs with.
type key struct {
	url         string
	fingerprint string
}

var (
	rockyKey    = key{rockyURL + "/RPM-GPG-KEY-Rocky-9", "21CB256AE16FC54C6E652949702D426D350D275D"}
	almaKey     = key{almaURL + "/RPM-GPG-KEY-AlmaLinux-9", "BF18AC2876178908D6E71267D36CB86CB86B3716"}
	epelKey     = key{epelURL + "/RPM-GPG-KEY-EPEL-9", "FF8AD1344597106ECE813B918A3872BF3228467C"}
	pgdgKey     = key{pgdgURL + "/keys/PGDG-RPM-GPG-KEY-RHEL", "D4BF08AE67A0B4C7A1DBCCD240BCA2B408B40D20"}
	pgdgARMKey  = key{pgdgURL + "/keys/PGDG-RPM-GPG-KEY-AARCH64-RHEL", "B031F89FC983E98262906B6E177B343BB9738825"}
	builtinSets = []string{"rocky", "alma"}
)

// BuiltinSets returns the names that BuiltinSet knows.
func BuiltinSets() []string { return slices.Clone(builtinSets) }

// Builtin returns the repositories that a bundle is built from when none are
// named: Rocky Linux with CRB, EPEL, and PGDG with one PostgreSQL major.
func Builtin(target manifest.Target, pgMajor int) ([]Repo, error) {
	return BuiltinSet("rocky", target, pgMajor)
}

// BuiltinSet returns the repositories of a distribution ("rocky" or "alma") with
// EPEL and PGDG, for an EL 9 target. A minor release ("9.4") is looked for where
// the present one is and then in the vault of old ones, so that a lock still finds
// its packages when they have moved there.
func BuiltinSet(set string, target manifest.Target, pgMajor int) ([]Repo, error) {
	if major, _, _ := strings.Cut(target.Release, "."); major != "9" {
		return nil, usage(fmt.Errorf("repositories for release %q are not built in, only those for 9: name others with --repos", target.Release))
	}
	if target.Arch != "x86_64" && target.Arch != "aarch64" {
		return nil, usage(fmt.Errorf("repositories for %q are not built in, only those for x86_64 and aarch64: name others with --repos", target.Arch))
	}
	b := builtin{target.Release, target.Arch}
	switch set {
	case "rocky":
		return append(b.rocky(), b.additions(pgMajor)...), nil
	case "alma":
		return append(b.alma(), b.additions(pgMajor)...), nil
	}
	return nil, usage(fmt.Errorf("the repository set %q is not built in, only %s", set, strings.Join(builtinSets, " and ")))
}

// builtin makes the repositories of one release and architecture.
type builtin struct{ release, arch string }

// minor reports whether a minor release is asked for.
func (b builtin) minor() bool { return strings.Contains(b.release, ".") }

func (b builtin) rocky() []Repo {
	var repos []Repo
	for _, name := range []string{"BaseOS", "AppStream", "CRB"} {
		bases := []string{fmt.Sprintf("%s/%s/%s/%s/os", rockyURL, b.release, name, b.arch)}
		if b.minor() {
			bases = append(bases, fmt.Sprintf("%s/%s/%s/%s/os", rockyVaultURL, b.release, name, b.arch))
		}
		repos = append(repos, newBuiltin(strings.ToLower(name), "Rocky Linux "+b.release+" - "+name, rockyKey, bases...))
	}
	return repos
}

func (b builtin) alma() []Repo {
	var repos []Repo
	for _, name := range []string{"BaseOS", "AppStream", "CRB"} {
		bases := []string{fmt.Sprintf("%s/%s/%s/%s/os", almaURL, b.release, name, b.arch)}
		if b.minor() {
			bases = append(bases, fmt.Sprintf("%s/%s/%s/%s/os", almaVaultURL, b.release, name, b.arch))
		}
		repos = append(repos, newBuiltin(strings.ToLower(name), "AlmaLinux "+b.release+" - "+name, almaKey, bases...))
	}
	return repos
}

// additions are the repositories beside those of the distribution.
func (b builtin) additions(pgMajor int) []Repo {
	major := fmt.Sprint(pgMajor)
	server := b.pgdg("pgdg"+major, "PGDG PostgreSQL "+major, major)
	// A major that is no longer maintained moves.
	server.BaseURLs = append(server.BaseURLs, fmt.Sprintf("%s/%s/redhat/rhel-9-%s", pgdgOldURL, major, b.arch))
	return []Repo{b.epel(), b.pgdg("pgdg-common", "PGDG common", "common"), server}
}

// epel follows the newest minor release; what it was for an older one is archived
// when the next appears. The metalink knows the present one alone.
func (b builtin) epel() Repo {
	present := fmt.Sprintf("%s/9/Everything/%s", epelURL, b.arch)
	if b.minor() {
		return newBuiltin("epel", "EPEL "+b.release, epelKey, fmt.Sprintf("%s/%s/Everything/%s", epelOldURL, b.release, b.arch), present)
	}
	epel := newBuiltin("epel", "EPEL 9", epelKey, present)
	epel.Metalink = fmt.Sprintf("%s?repo=epel-9&arch=%s", epelMirrors, b.arch)
	return epel
}

// pgdg is a repository of the PostgreSQL project. It keeps folders for the
// newest minor releases; any other is served by the one of the major.
func (b builtin) pgdg(id, name, folder string) Repo {
	signed := pgdgKey
	if b.arch == "aarch64" {
		signed = pgdgARMKey
	}
	var bases []string
	if b.minor() {
		bases = append(bases, fmt.Sprintf("%s/%s/redhat/rhel-%s-%s", pgdgURL, folder, b.release, b.arch))
	}
	bases = append(bases, fmt.Sprintf("%s/%s/redhat/rhel-9-%s", pgdgURL, folder, b.arch))
	r := newBuiltin(id, name, signed, bases...)
	r.MetadataSignatures = manifest.SignatureRequired
	return r
}

func newBuiltin(id, name string, k key, bases ...string) Repo {
	return Repo{
		ID: id, Name: name, Enabled: true, BaseURLs: bases,
		GPGKeys: []string{k.url}, Fingerprints: []string{k.fingerprint},
		Signatures: manifest.SignatureRequired, MetadataSignatures: manifest.SignatureOff,
		Priority: 99, Cost: 1000, SSLVerify: true, Role: manifest.Provides,
	}
}
