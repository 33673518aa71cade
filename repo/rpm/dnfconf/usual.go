package dnfconf

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pgbundle/manifest"
	"pgbundle/repo/rpm"
)

// Usual is a well-known repository of EL 9 that a capability is usually found in.
type Usual struct {
	Name string // as people know it: "CRB"
	Add  string // the flags that add it
}

// place is a repository of the table.
type place struct {
	name  string
	marks []string // in the id or an address of a repository that is this one, lower case
	add   func(builtin) string
}

var (
	baseOS     = place{"BaseOS", []string{"baseos"}, inSets}
	appStream  = place{"AppStream", []string{"appstream"}, inSets}
	crb        = place{"CRB (CodeReady Linux Builder)", []string{"crb", "codeready", "powertools"}, inSets}
	epel       = place{"EPEL", []string{"epel"}, func(b builtin) string { return asRepo(b.additions(0)[0]) }}
	ha         = place{"High Availability", []string{"highavailability", "high-availability"}, fromVendor("highavailability")}
	pgdgCommon = place{"PGDG's common repository", []string{"pgdg-common", "/common/redhat/"}, func(b builtin) string { return asRepo(b.additions(0)[1]) }}
	pgdgExtras = place{"PGDG's extras, a repository that is off by default", []string{"pgdg-rhel9-extras"}, func(b builtin) string {
		return asRepo(b.pgdg("pgdg-rhel9-extras", "", "common/pgdg-rhel9-extras"))
	}}
)

// usual says where capabilities are found, the first that matches. The rows of
// BaseOS and AppStream are held to the metadata of CentOS Stream 9 by a test.
// perl(IPC::Run), which postgresqlNN-devel requires, and libmemcached-awesome,
// which pgpool requires, are only in CRB, as libqhull_r is, which gdal requires;
// pgbackrest requires libssh2, only in EPEL. PGDG keeps etcd and consul apart from
// what it has for every release of PostgreSQL.
var usual = []struct {
	place    place
	patterns string
}{
	{crb, "perl(IPC::Run) perl-IPC-Run libmemcached-awesome* libmemcached.so.11* libqhull_r.so.*"},
	{baseOS, `/bin/sh /bin/bash /usr/bin/sh /usr/bin/bash /usr/bin/python3 /usr/sbin/useradd rtld(GNU_HASH)
		libc.so.6* libm.so.6* libgcc_s.so.1* libstdc++.so.6* libcrypto.so.3* libssl.so.3* libz.so.1* libzstd.so.1* liblz4.so.1*
		libxml2.so.2* libreadline.so.8* libsystemd.so.0* libpam.so.0* libgssapi_krb5.so.2* libuuid.so.1* libicu*.so.67* libpython3.9.so*
		bash coreutils glibc openssl-libs shadow-utils systemd python3 python3-libs`},
	{appStream, `perl(*) /usr/bin/perl perl-libs libperl.so.5* libLLVM*.so* libxslt.so.1* haproxy keepalived python3-psycopg2
		python3.11 python3.11-* python3.12 python3.12-* policycoreutils-python-utils /usr/sbin/semanage`},
	{epel, "libssh2 libssh2.so.1*"},
	{ha, "pacemaker* corosync pcs resource-agents fence-agents-all"},
	{pgdgExtras, "etcd consul"},
	{pgdgCommon, "patroni patroni-* pgbouncer pgbackrest python3-etcd python3-ydiff"},
}

// ofMajor is how PGDG names what it builds for one major of PostgreSQL.
var ofMajor = regexp.MustCompile(`^(?:postgresql(1[0-9])(?:-.*)?|[a-z][a-z0-9+-]*_(1[0-9])(?:-llvmjit|-devel)?)(?:\(.*\))?$`)

// UsuallyIn names the repository that usually has a capability, or a package, on
// EL 9. It is false when nothing is known, or when one of the loaded repositories
// is that one.
func UsuallyIn(capability string, target manifest.Target, loaded []Repo) (Usual, bool) {
	p, ok := placeOf(capability)
	if !ok || slices.ContainsFunc(loaded, p.is) {
		return Usual{}, false
	}
	return Usual{p.name, p.add(builtin{target.Release, target.Arch})}, true
}

func placeOf(capability string) (place, bool) {
	name, _, _ := strings.Cut(capability, " ")
	for _, row := range usual {
		if slices.ContainsFunc(strings.Fields(row.patterns), func(pattern string) bool { return rpm.Match(pattern, name) }) {
			return row.place, true
		}
	}
	m := ofMajor.FindStringSubmatch(name)
	if m == nil {
		return place{}, false
	}
	major, _ := strconv.Atoi(m[1] + m[2]) // two digits
	return place{
		fmt.Sprintf("PGDG's repository for PostgreSQL %d", major),
		[]string{fmt.Sprintf("pgdg%d", major), fmt.Sprintf("/%d/redhat/", major)},
		func(b builtin) string { return asRepo(b.additions(major)[2]) },
	}, true
}

// is reports whether a repository is the one of the place.
func (p place) is(r Repo) bool {
	text := strings.ToLower(strings.Join(append(slices.Clone(r.BaseURLs), r.ID, r.Mirrorlist, r.Metalink), " "))
	return slices.ContainsFunc(p.marks, func(mark string) bool { return strings.Contains(text, mark) })
}

// asRepo is the flags that add a built-in repository by itself, with its key. The
// last address that is no archive is the one that has every minor release.
func asRepo(r Repo) string {
	bases := slices.DeleteFunc(slices.Clone(r.BaseURLs), func(u string) bool { return strings.HasPrefix(u, pgdgOldURL) })
	return fmt.Sprintf("--repo %s=%s --key %s#%s", r.ID, bases[len(bases)-1], r.GPGKeys[0], r.Fingerprints[0])
}

// inSets is for what each built-in set has.
func inSets(builtin) string { return "--repos " + strings.Join(builtinSets, " or ") }

// fromVendor is for what each distribution has of its own.
func fromVendor(id string) func(builtin) string {
	return func(builtin) string { return fmt.Sprintf("--repo %s=URL, your distribution's", id) }
}
