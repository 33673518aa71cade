#!/usr/bin/env bash
# e2e.sh: the real world. Makes the test bed (a real RPM distribution, a release
# of etcd, real collections), builds a bundle out of it and installs the bundle
# with the real tools and no network. Needs root. Evidence lies in
# .testbed/evidence.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh
[ "$(id -u)" = 0 ] || { echo "e2e: needs root: it makes roots with dnf and cuts the network with namespaces" >&2; exit 1; }
need dnf dnf
need rpmbuild rpm
need createrepo_c createrepo-c
need mmdebstrap mmdebstrap
need gpg gpg
need gpgconf gpg-agent
need ip iproute2
need unshare util-linux
need bsdtar libarchive-tools
need minisign minisign
need zstd zstd
need unzip unzip
need patchelf patchelf

export PGBUNDLE_TESTBED=${PGBUNDLE_TESTBED:-$PWD/.testbed}
mkdir -p "$PGBUNDLE_TESTBED"
make --no-print-directory build
echo "e2e: the test bed, in $PGBUNDLE_TESTBED"
PYTHONPATH=scripts/testbed python3 -m bed prepare --dir "$PGBUNDLE_TESTBED" >"$PGBUNDLE_TESTBED/bed.json" || {
	cat "$PGBUNDLE_TESTBED/bed.json"
	exit 1
}
PGBUNDLE_BED=$PGBUNDLE_TESTBED/bed.json go test -tags e2e -count 1 -timeout 30m -v ./e2e
