#!/usr/bin/env bash
# host.sh: what the test bed needs of its host, installed where it is missing.
# The host is Debian 12 with root: the bed is made of its packages.
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "testbed: needs root: it makes roots with dnf and cuts the network with namespaces" >&2; exit 1; }
grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release || { echo "testbed: needs Debian 12: its packages become the distribution" >&2; exit 1; }
command -v go >/dev/null || { echo "testbed: needs Go, as the project itself" >&2; exit 1; }

# the command that tells that a package is there, and the package
missing=()
while read -r command package; do
	command -v "$command" >/dev/null || missing+=("$package")
done <<'LIST'
/usr/bin/python3 python3
/usr/bin/pip3 python3-pip
dnf dnf
rpmbuild rpm
createrepo_c createrepo-c
apt-ftparchive apt-utils
mmdebstrap mmdebstrap
gpg gpg
gpgconf gpgconf
gpg-agent gpg-agent
ip iproute2
unshare util-linux
systemd-nspawn systemd-container
ssh openssh-client
useradd passwd
minisign minisign
git git
make make
LIST
[ -e /usr/lib/rpm/elfdeps ] || missing+=(rpm)
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
if [ "${#missing[@]}" -gt 0 ]; then
	echo "testbed: installing ${missing[*]}" >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
