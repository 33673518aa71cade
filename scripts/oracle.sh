#!/usr/bin/env bash
# oracle.sh: every test that compares us with a real tool. Installs the tools on
# a Debian as root, else says what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh
need dnf dnf
need rpm rpm
need rpmbuild rpm
need createrepo_c createrepo-c
need testsolv libsolv-tools
need bsdtar libarchive-tools
need busybox busybox
need minisign minisign
need gpg gpg
need zstd zstd
need ansible-galaxy ansible-core
# Python's bindings come with dnf itself, for the system's interpreter.
/usr/bin/python3 -c 'import hawkey'
go test -tags oracle -count 1 -timeout 60m ./...
