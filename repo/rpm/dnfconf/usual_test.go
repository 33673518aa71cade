package dnfconf

import (
	"testing"

	"pgbundle/manifest"
)

func TestUsuallyIn(t *testing.T) {
	const epelFlags = "--repo epel=https://dl.fedoraproject.org/pub/epel/9/Everything/x86_64 " +
		"--key https://dl.fedoraproject.org/pub/epel/RPM-GPG-KEY-EPEL-9#FF8AD1344597106ECE813B918A3872BF3228467C"
	for _, c := range []struct {
		capability, name, add string
		loaded                []Repo
	}{
		{"libssh2.so.1()(64bit)", "EPEL", epelFlags, nil},
		{"libssh2.so.1()(64bit)", "EPEL", epelFlags, []Repo{{ID: "baseos"}}},
		{"libssh2.so.1()(64bit)", "", "", []Repo{{ID: "epel"}}},
		{"libssh2.so.1()(64bit)", "", "", []Repo{{ID: "more", BaseURLs: []string{"https://mirror.example/EPEL/9"}}}},
		{"perl(IPC::Run)", "CRB (CodeReady Linux Builder)", "--repos rocky or alma", []Repo{{ID: "appstream"}}},
		{"perl(IPC::Run) >= 0.9", "", "", []Repo{{ID: "codeready-builder-for-rhel-9-x86_64-rpms"}}},
		{"perl(DBI)", "AppStream", "--repos rocky or alma", []Repo{{ID: "pgdg16"}}},
		{"libcrypto.so.3(OPENSSL_3.4.0)(64bit)", "", "", []Repo{{ID: "rhel-9-for-x86_64-baseos-rpms"}}},
		{"libc.so.6(GLIBC_2.34)(64bit)", "BaseOS", "--repos rocky or alma", nil},
		{"pacemaker", "High Availability", "--repo highavailability=URL, your distribution's", nil},
		{"etcd", "PGDG's extras, a repository that is off by default", "--repo pgdg-rhel9-extras=https://download.postgresql.org/pub/repos/yum/common/pgdg-rhel9-extras/redhat/rhel-9-x86_64 " +
			"--key https://download.postgresql.org/pub/repos/yum/keys/PGDG-RPM-GPG-KEY-RHEL#D4BF08AE67A0B4C7A1DBCCD240BCA2B408B40D20", []Repo{{ID: "pgdg-common"}}},
		{"patroni", "", "", []Repo{{ID: "pgdg-common"}}},
		{"postgresql15-libs(x86-64) = 15.6", "PGDG's repository for PostgreSQL 15", "--repo pgdg15=https://download.postgresql.org/pub/repos/yum/15/redhat/rhel-9-x86_64 " +
			"--key https://download.postgresql.org/pub/repos/yum/keys/PGDG-RPM-GPG-KEY-RHEL#D4BF08AE67A0B4C7A1DBCCD240BCA2B408B40D20", []Repo{{ID: "pgdg16"}}},
		{"pgaudit_16", "", "", []Repo{{ID: "mine", BaseURLs: []string{"https://mirror.example/yum/16/redhat/rhel-9-x86_64"}}}},
		{"unobtainium", "", "", nil},
		{"libnowhere.so.7", "", "", nil},
	} {
		got, ok := UsuallyIn(c.capability, manifest.Target{Release: "9.4", Arch: "x86_64"}, c.loaded)
		if got.Name != c.name || got.Add != c.add || ok != (c.name != "") {
			t.Errorf("%s: %+v, %v, want %q, %q", c.capability, got, ok, c.name, c.add)
		}
	}
}
