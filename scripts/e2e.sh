#!/usr/bin/env bash
# e2e.sh: the real world. Makes the test bed (a real RPM distribution, a release
# of etcd, real collections), builds a bundle out of it and installs the bundle
# with the real tools and no network, also on nodes. Needs root on Debian 12. The bed and the
# evidence lie in PGBUNDLE_TESTBED (default: .testbed); a second run is fast.
# Words for go test can follow: e2e.sh -run TestPower
set -euo pipefail
cd "$(dirname "$0")/.."

export PGBUNDLE_TESTBED=${PGBUNDLE_TESTBED:-$PWD/.testbed}
mkdir -p "$PGBUNDLE_TESTBED"
bed() { PYTHONPATH=scripts/testbed /usr/bin/python3 -B -m bed --dir "$PGBUNDLE_TESTBED" "$@"; }
sweep() { bed sweep && rm -rf "$PGBUNDLE_TESTBED/tmp"; }

exec 9>"$PGBUNDLE_TESTBED/lock"
flock 9 # one run at a time, so that what lies there is of a run that was killed
scripts/testbed/host.sh
sweep
trap sweep EXIT
mkdir "$PGBUNDLE_TESTBED/tmp"
make --no-print-directory build
bed prepare >/dev/null
TMPDIR=$PGBUNDLE_TESTBED/tmp go test -tags e2e -count 1 -timeout 60m -v "$@" ./e2e
