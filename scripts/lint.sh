#!/usr/bin/env bash
# lint.sh STATICCHECK: the house rules that a machine can check.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh
need shellcheck shellcheck

unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
	printf 'gofmt would change:\n%s\n' "$unformatted"
	exit 1
fi
for tags in '' oracle e2e; do
	go vet -tags "$tags" ./...
done
GOOS=darwin go vet ./...
go run "$1" -tags oracle,e2e ./...
git ls-files -co --exclude-standard '*.sh' .ci/run | xargs shellcheck -x -e SC2016 # single quotes are meant: another shell expands
scripts/lint-playbook.sh
