#!/bin/sh
# airgap-install.sh: puts this unpacked bundle on the node that it lies on.
#
#   ./airgap-install.sh --role target        or control, or both; see ./pgbundle install --help
#
# It runs the pgbundle beside it. Where programs cannot be run from this folder
# (noexec, as /home and /tmp on hardened nodes) it checks pgbundle against
# SHA256SUMS, copies it to where releases lie, and runs it there.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
if "$here/pgbundle" --version >/dev/null 2>&1; then
	exec "$here/pgbundle" install --bundle "$here" "$@"
fi

base=/opt/patroni-airgap
before=
for word in "$@"; do
	[ "$before" = --base-dir ] && base=$word
	case $word in --base-dir=*) base=${word#--base-dir=} ;; esac
	before=$word
done
base=${base%/}

fail() {
	echo "airgap-install.sh: $1" >&2
	echo "hint: $2" >&2
	exit 1
}
[ "$(id -u)" = 0 ] || fail "programs cannot be run from $here, and only root can copy pgbundle elsewhere" "sudo sh $here/airgap-install.sh $*"
want=$(sed -n 's/^\([0-9a-f]\{64\}\)  pgbundle$/\1/p' "$here/SHA256SUMS")
[ -n "$want" ] || fail "SHA256SUMS does not name pgbundle" "unpack the bundle again"

umask 022
made=
[ -d "$base.d" ] || { mkdir -p "$base.d" && made=yes; }
run=$(mktemp -d "$base.d/.pgbundle-install-run-XXXXXX")
trap 'rm -rf "$run"; [ -z "$made" ] || rmdir "$base.d" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP
cp -- "$here/pgbundle" "$run/pgbundle"
chmod 0700 "$run/pgbundle"
got=$(sha256sum <"$run/pgbundle")
[ "${got%% *}" = "$want" ] || fail "pgbundle is not the file that SHA256SUMS names" "unpack the bundle again; if it stays so, do not use it"
"$run/pgbundle" --version >/dev/null 2>&1 || fail "pgbundle cannot be run from $base.d either" \
	"is $base.d noexec? then --base-dir DIR; is fapolicyd active? then: fapolicyd-cli --file add $here/pgbundle && fapolicyd-cli --update, or trust a copy of it as your site does"
status=0
"$run/pgbundle" install --bundle "$here" "$@" || status=$?
exit "$status"
