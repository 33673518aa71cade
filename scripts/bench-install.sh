#!/bin/sh
# Measure installing the role target from an archive of 1 GB against unpacking
# it, checking it and syncing it, on one file system: pairs in one run, medians
# of seven. The node's own proof is left out: the release goes into an image.
# Prints a Markdown table; fails when a limit is passed. TMPDIR needs 4 GB.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
rounds=${ROUNDS:-7}
work=$(mktemp -d "${TMPDIR:-/tmp}/pgbundle-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

(cd "$here/.." && go build -o "$work/format" ./scripts/bench/format)
cd "$work"
mkdir -p files/rpms/repodata files/rpms/keys files/wheels/target files/etcd
for i in $(seq -w 1 98); do
	head -c 10000000 /dev/urandom >"files/rpms/$i.rpm"
done
head -c 20000000 /dev/urandom >files/etcd/etcd-v3.5.16-linux-amd64.tar.gz
cp "$here/../bin/pgbundle" files/pgbundle
for name in rpms/repodata/repomd.xml rpms/keys/RPM-GPG-KEY-patroni-airgap wheels/target/requirements.lock; do
	echo "$name" >"files/$name"
done
./format manifest files >manifest.yaml
./format pack files manifest.yaml bundle.tar.gz >/dev/null
rm -rf files
sync -f .

echo "| | pgbundle | other | ratio | limit | peak memory | holds |"
echo "|---|---|---|---|---|---|---|"
python3 "$here/bench/pairs.py" "$rounds" 0.4 64 'install, role target / `tar xzf` + `sha256sum -c` + `sync -f`' \
	"mkdir -p out/image && $here/../bin/pgbundle install -q --role target --root out/image --bundle bundle.tar.gz" \
	'mkdir out && tar xzf bundle.tar.gz -C out && (cd out/airgap-bundle && sha256sum --quiet -c SHA256SUMS) && sync -f out' \
	'rm -rf out; sync -f .'
