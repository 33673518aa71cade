#!/bin/sh
# Measure packing and verifying a bundle against the tools that people have:
# 400 MB of random files of 10 MB, pairs in one run, medians of seven. Prints a
# Markdown table; fails when a limit is passed. TMPDIR needs 2 GB.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
rounds=${ROUNDS:-7}
work=$(mktemp -d "${TMPDIR:-/tmp}/pgbundle-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

(cd "$here/.." && go build -o "$work/format" ./scripts/bench/format)
cd "$work"
mkdir files
for i in $(seq -w 1 40); do
	head -c 10000000 /dev/urandom >"files/$i.bin"
done
./format manifest files >manifest.yaml
./format pack files manifest.yaml bundle.tar.gz >/dev/null

failed=0
compare() { python3 "$here/bench/pairs.py" "$rounds" "$@" || failed=1; }

echo "| | pgbundle | other | ratio | limit | peak memory | holds |"
echo "|---|---|---|---|---|---|---|"
compare 0.125 64 'pack with both digests / `tar cf - \| gzip -6`' \
	'./format pack files manifest.yaml ours.tar.gz' \
	'tar cf - files | gzip -6 >theirs.tar.gz' \
	'rm -f ours.tar.gz theirs.tar.gz'
compare 0.100 64 'verify / `tar xzf` + `sha256sum -c`' \
	'./format verify bundle.tar.gz' \
	'mkdir out && tar xzf bundle.tar.gz -C out && cd out/airgap-bundle && sha256sum --quiet -c SHA256SUMS' \
	'rm -rf out'
compare 0.700 64 'verify / `openssl dgst -sha256`' \
	'./format verify bundle.tar.gz' \
	'openssl dgst -sha256 bundle.tar.gz'
exit $failed
