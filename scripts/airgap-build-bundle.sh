#!/usr/bin/env bash
# Builds the bundle for PostgreSQL PG_VER and etcd ETCD_VER; further arguments
# go to pgbundle build. See pgbundle build --help.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
pgbundle=$(command -v pgbundle || true)
[ -n "$pgbundle" ] || pgbundle=$here/bin/pgbundle
[ -x "$pgbundle" ] || {
	echo "airgap-build-bundle.sh: pgbundle is not here: run make build in $here" >&2
	exit 1
}
exec "$pgbundle" build --pg "${PG_VER:-16}" --etcd "${ETCD_VER:-3.5.16}" "$@"
