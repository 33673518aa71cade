#!/usr/bin/env bash
# bench-wheels.sh: the two default wheelhouses beside pip download, and their
# resolution beside uv pip compile, all on one index on loopback that has
# everything in memory. Prints a Markdown table; fails when a limit is passed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
rounds=${ROUNDS:-10}
work=$(mktemp -d)
index_pid=
trap '[ -z "$index_pid" ] || kill "$index_pid"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
python=$(python3 -c 'import platform; print(platform.python_version())')
case $python in
3.9.* | 3.10.* | 3.11.*) ;;
*) echo "bench: ansible-core 2.15 needs python3 to be 3.9, 3.10 or 3.11, not $python" >&2 && exit 1 ;;
esac
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check -U pip uv
(cd "$here/.." && go build -o "$work/serve" ./scripts/bench/index)
mkfifo "$work/address"
"$work/serve" >"$work/address" &
index_pid=$!
read -r index <"$work/address"
# What the host is set up for is not to be measured.
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL
export PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 UV_DEFAULT_INDEX=$index

node="'patroni[etcd3]>=3.0.3,<4' psycopg2-binary python-etcd setuptools wheel"
control="'ansible-core>=2.15,<2.16' setuptools wheel"
echo 'urllib3<2.6' >"$work/constraints"
arch=$(uname -m)
ours() { # WANTS MORE…
	wants=$1
	shift
	echo "$here/../bin/pgbundle resolve wheel --index-url $index --python $python --arch $arch --constraint 'urllib3<2.6' $* -- $wants"
}
pip() { echo "$work/venv/bin/python -m pip --isolated download -q --no-cache-dir --index-url $index -c $work/constraints -d $work/pip $1"; }
uv() {
	eval "printf '%s\\n' $1" >"$work/wants.$2"
	echo "$work/venv/bin/uv pip compile -q --no-cache -c $work/constraints --python $work/venv/bin/python --python-version $python \
--python-platform $arch-manylinux_2_34 $work/wants.$2"
}
# Fills the index, and sees that both bring the same number of files.
for role in node control; do
	wants=${!role}
	sh -c "$(ours "$wants" --cache "$work/cold" -d "$work/ours")" >/dev/null
	sh -c "$(pip "$wants")"
	sh -c "$(uv "$wants" $role)" >/dev/null
	[ "$(find "$work/ours" -name '*.whl' | wc -l)" = "$(find "$work/pip" -type f | wc -l)" ] || { echo "bench: pip brings other files than pgbundle" >&2 && exit 1; }
	rm -rf "$work/ours" "$work/pip" "$work/cold"
done
failed=0
measure() { python3 "$here/bench/pairs.py" "$rounds" "$@" "rm -rf $work/ours $work/pip $work/cold" || failed=1; }
echo '| | pgbundle | other | ratio | limit | peak memory | holds |'
echo '|---|---|---|---|---|---|---|'
measure 0.5 96 'wheelhouse of the nodes / `pip download`' "$(ours "$node" --cache "$work/cold" -d "$work/ours")" "$(pip "$node")"
measure 0.5 96 'wheelhouse of the control node / `pip download`' "$(ours "$control" --cache "$work/cold" -d "$work/ours")" "$(pip "$control")"
measure 1.5 96 'resolution for the nodes / `uv pip compile`' "$(ours "$node" --cache "$work/cold")" "$(uv "$node" node)"
measure 1.5 96 'resolution for the control node / `uv pip compile`' "$(ours "$control" --cache "$work/cold")" "$(uv "$control" control)"
for role in node control; do # fills the cache
	sh -c "$(ours "${!role}" --cache "$work/warm" -d "$work/ours")" >/dev/null
	rm -rf "$work/ours"
done
measure 1.0 96 'wheelhouse of the nodes, warm / `sleep 0.3`' "$(ours "$node" --cache "$work/warm" -d "$work/ours")" 'sleep 0.3'
measure 1.0 96 'wheelhouse of the control node, warm / `sleep 0.3`' "$(ours "$control" --cache "$work/warm" -d "$work/ours")" 'sleep 0.3'
exit $failed
