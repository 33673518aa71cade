package install

import (
	"slices"
	"strings"

	"pgbundle/manifest"
)

func (p *preflight) selinux() {
	switch mode := p.n.Security.SELinux.Mode; {
	case p.w.Image && p.n.Security.SELinux.Configured == "disabled", mode == "disabled":
	case mode == "":
		p.unknown("selinux", "security.selinux.mode")
	default:
		p.add(SeverityNote, "selinux", "", "SELinux is %s: the release gets the labels of its place (restorecon)", mode)
	}
}

// fips tells what a FIPS site has to know; psycopg2-binary brings an OpenSSL of
// its own that nobody validated (psycopg2#1170).
func (p *preflight) fips() {
	switch p.n.Security.FIPS {
	case "":
		p.unknown("fips", "security.fips")
		return
	case "disabled":
		return
	}
	p.add(SeverityNote, "fips", "", "FIPS mode: a bundle's minisign signature (Ed25519, BLAKE2b) is no FIPS algorithm; its digests (SHA-256) and the RPMs' signatures are checked beside it")
	if !p.w.has(manifest.TargetNode) {
		return
	}
	for _, a := range p.m.Lock.Artifacts {
		name := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(a.Name))
		if a.Kind == manifest.Wheel && name == "psycopg2-binary" && slices.Contains(a.Roles, manifest.TargetNode) {
			p.add(SeverityWarning, "fips", "build the bundle with --psycopg rpm: Patroni then uses "+pythonPackage(p.m.Lock.Target.Python(manifest.TargetNode))+"-psycopg2 and the system's OpenSSL",
				"FIPS mode: psycopg2-binary %s brings an OpenSSL of its own", a.Version)
		}
	}
}

func (p *preflight) cryptoPolicy() {
	if !p.w.has(manifest.TargetNode) {
		return
	}
	switch policy := p.n.Security.CryptoPolicy; policy {
	case "":
		p.unknown("crypto-policy", "security.crypto_policy")
	case "DEFAULT":
	default:
		p.add(SeverityNote, "crypto-policy", "", "the crypto policy is %s: whether it takes the packages' keys is tried with rpmkeys", policy)
	}
}

func (p *preflight) fapolicyd() {
	switch p.n.Security.Fapolicyd {
	case "active":
		p.add(SeverityNote, "fapolicyd", "", "fapolicyd is active: the release's programs go into /etc/fapolicyd/trust.d")
	case "inactive":
		p.add(SeverityNote, "fapolicyd", "pgbundle install again once it is switched on", "fapolicyd is installed and not active: it is told of nothing")
	case "installed", "":
		p.unknown("fapolicyd", "security.fapolicyd")
	}
}
