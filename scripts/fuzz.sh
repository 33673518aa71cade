#!/usr/bin/env bash
# fuzz.sh TIME: every fuzz target of the project for TIME, one on each core.
set -euo pipefail
cd "$(dirname "$0")/.."
time=$1
targets=$(grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do
	grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed "s|^func |$(dirname "$file") |"
done | sort -u)
echo "$targets" | wc -l | sed 's/$/ targets/'
echo "$targets" | xargs -P "$(nproc)" -L 1 sh -c '
	out=$(go test -run "^\$" -fuzz "^$2\$" -fuzztime "$0" -parallel 1 "$1" 2>&1) || { echo "$out"; echo "FAILED $1 $2"; exit 255; }
	echo "$1 $2: $(echo "$out" | grep -oE "execs: [0-9]+" | tail -1)"' "$time"
