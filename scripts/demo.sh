#!/usr/bin/env bash
# demo.sh: a first run without a network and without root. It makes a small
# world of repositories on the loopback, builds a bundle out of it, signs,
# verifies and lists it, unpacks it with plain tar, and installs it into a
# scratch root, as one would into the image of a node.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "demo: needs Go 1.26 or newer: https://go.dev/dl/" >&2; exit 1; }
dir=$(mktemp -d)
trap '[ -z "${server:-}" ] || kill "$server"; rm -rf "$dir"' EXIT

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() { say "$@"; "$@"; }

make --no-print-directory build
go build -o "$dir/serve" ./internal/fixture/serve
"$dir/serve" -repo "$dir/world.repo" >"$dir/url" &
server=$!
for _ in $(seq 100); do [ -s "$dir/url" ] && break; sleep 0.1; done
url=$(cat "$dir/url")
pgbundle=$PWD/bin/pgbundle
export HOME=$dir
unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy NETRC XDG_CACHE_HOME

cd "$dir"
cat >pgbundle.yaml <<EOF
postgresql: "16"
etcd: 3.5.16
target: rhel9.4
repos: [$dir/world.repo]
index_url: $url/simple
galaxy_url: $url/galaxy
etcd_urls: [$url/etcd]
EOF
run "$pgbundle" build
bundle=$(echo patroni-airgap-bundle-*.tar.gz)
run "$pgbundle" keygen --no-password site
run "$pgbundle" sign --key site.key "$bundle"
run sha256sum -c "$bundle.sha256"
run "$pgbundle" verify --pubkey site.pub "$bundle"
run "$pgbundle" inspect "$bundle"
run "$pgbundle" inspect "$bundle" --why glibc
run tar xzf "$bundle"
run ls airgap-bundle airgap-bundle/rpms/repodata airgap-bundle/wheels/target
(cd airgap-bundle && sha256sum -c --quiet SHA256SUMS) && echo "every file is what SHA256SUMS says"
mkdir image
run airgap-bundle/airgap-install.sh --role both --root image --pubkey site.pub
run "$pgbundle" status --root image --verify --pubkey site.pub
run ls image/opt/patroni-airgap/
run cat image/etc/yum.repos.d/patroni-airgap.repo
run "$pgbundle" init --node pg1=10.0.0.11 --node pg2=10.0.0.12 --node pg3=10.0.0.13 --vip 10.0.0.10/24 --base-dir "$dir/image/opt/patroni-airgap" \
	--vault-password-file vault-pass --generate-vault-password site
run cat site/inventory/hosts.yml
