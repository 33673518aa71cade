#!/usr/bin/env bash
# bench-closure.sh EL9: the closure of haproxy, beside dnf cold and warm; and the
# closures of all names, each alone, beside libdnf through Python.
set -euo pipefail
el9=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
rounds=${ROUNDS:-10}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
ours="$here/../bin/pgbundle resolve rpm --repo baseos=$el9/baseos --repo appstream=$el9/appstream --cache $work/none haproxy"
dnf() {
	# --assumeno exits with 1 when it would have installed.
	echo "dnf -q --noplugins --installroot=$work/root --releasever=9 --setopt=reposdir=/nonexistent --setopt=module_platform_id=platform:el9 \
--setopt=install_weak_deps=False --setopt=best=True --setopt=gpgcheck=0 --setopt=cachedir=$1 --repofrompath=baseos,file://$el9/baseos \
--repofrompath=appstream,file://$el9/appstream --assumeno install haproxy >/dev/null 2>&1 || [ \$? = 1 ]"
}
echo '| | pgbundle | other | ratio | limit | peak memory | holds |'
echo '|---|---|---|---|---|---|---|'
python3 "$here/bench/pairs.py" "$rounds" 0.25 92 'closure of haproxy / dnf, cold' "$ours" "$(dnf "$work/cold")" "rm -rf $work/cold" || failed=1
sh -c "$(dnf "$work/warm")"
python3 "$here/bench/pairs.py" "$rounds" 1.0 92 'closure of haproxy / dnf, warm' "$ours" "$(dnf "$work/warm")" || failed=1
# Every name that is visible to dnf, as the oracle of repo/rpm/solve asks for them.
repos="--repo baseos=$el9/baseos --repo appstream=$el9/appstream"
/usr/bin/python3 "$here/oracle/dnf_goals.py" --repo "baseos=$el9/baseos" --repo "appstream=$el9/appstream" --state "$work/state" --names >"$work/names"
sed 's/.*/{"requests": ["&"], "weak": false, "best": true}/' "$work/names" >"$work/goals"
echo "$(wc -l <"$work/names") names" >&2
python3 "$here/bench/pairs.py" "$rounds" 0.5 256 'closures of all names / libdnf through Python, warm' \
	"$here/../bin/pgbundle resolve rpm $repos --cache $work/none --each - <$work/names >/dev/null" \
	"/usr/bin/python3 $here/oracle/dnf_goals.py $repos --state $work/state <$work/goals >/dev/null" || failed=1
exit $failed
