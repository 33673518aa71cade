#!/usr/bin/env bash
# bench.sh: measures pgbundle beside the tools that people use today, both in one
# run, in pairs, and writes docs/benchmarks.md. Ratios hold where single times do
# not. Fails when a limit is passed. Wants the real EL 9 metadata (PGBUNDLE_DATA).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh
need openssl openssl
need dnf dnf
data=${PGBUNDLE_DATA:-../shared/data}
[ -d "$data/el9" ] || { echo "bench: needs the EL 9 metadata in $data/el9; PGBUNDLE_DATA names another place" >&2; exit 1; }
data=$(realpath "$data")
make --no-print-directory build
failed=0
{
	echo '# Benchmarks'
	echo
	echo "Made by \`make bench\` on $(nproc) cores. Each row: both commands in turn, the median of each and of the"
	echo 'ratios of the pairs, whole processes. The peak is the resident memory of pgbundle (VmHWM).'
	echo
	echo '## Packing and verifying'
	echo
	echo '400 MB of random files of 10 MB.'
	echo
	scripts/bench-format.sh || failed=1
	echo
	echo '## The closure of haproxy'
	echo
	echo 'CentOS Stream 9, BaseOS and AppStream: 18,774 packages. dnf cold parses the XML and writes its cache; warm it'
	echo 'reads that cache. pgbundle has no cache: every run is cold.'
	echo
	scripts/bench-closure.sh "$data/el9" || failed=1
	echo
	echo 'Medians of ten. The last row is `resolve rpm --each -` with 5,697 names, each a closure of its own; libdnf has its cache.'
	echo
	echo '## Wheelhouses'
	echo
	echo 'The two default sets with setuptools and wheel, for the Python of this host, out of an index on loopback that has all'
	echo 'it is asked for in memory. Cold: no cache, of any side. pgbundle makes wheels of the source archives, and proves the'
	echo 'wheelhouse; uv resolves alone. Warm: the files are in the cache, the pages are asked for again; held against 0.3 s.'
	echo
	scripts/bench-wheels.sh || failed=1
	echo
	echo '## Installing'
	echo
	echo '1 GB of random files, the role target, on one file system. The judgement of the node'"'"'s own dnf is left out.'
	echo
	scripts/bench-install.sh || failed=1
	echo
	# measured by make e2e-faults, on nodes
	sed -n '/^## A cluster that is broken under load/,$p' docs/benchmarks.md
} >docs/benchmarks.md.new
mv docs/benchmarks.md.new docs/benchmarks.md
cat docs/benchmarks.md
exit $failed
