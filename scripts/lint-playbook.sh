#!/usr/bin/env bash
# lint-playbook.sh: yamllint and ansible-lint over install/playbook, with the ansible-core of a bundle.
# What it needs is kept below .cache/lint, by version; a tree that passed once is not looked at again.
set -euo pipefail
cd "$(dirname "$0")/.."
core=2.15.13 lint=24.12.2 yamllint=1.35.1 collections=9.13.0 # ansible-lint from 25.1 needs core 2.16, which no Python 3.9 runs

python=
for candidate in python3.11 python3.10 python3.9; do # those that core 2.15 runs on
	if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
		python=$(command -v "$candidate") && break
	fi
done
[ -n "$python" ] || {
	echo "$0: ansible-core $core needs Python 3.9, 3.10 or 3.11 with venv: install python3.11-venv" >&2
	exit 1
}

cache=$PWD/.cache/lint
venv=$cache/core$core-lint$lint-yamllint$yamllint-collections$collections-$(basename "$candidate")
if [ ! -e "$venv/complete" ]; then
	rm -rf "$venv"
	"$python" -m venv "$venv"
	"$venv/bin/pip" install -q --disable-pip-version-check "ansible-core==$core" "ansible-lint==$lint" "yamllint==$yamllint"
	"$venv/bin/pip" install -q --disable-pip-version-check --no-deps --no-compile "ansible==$collections" # for its collections alone
	for collection in "$venv"/lib/python*/site-packages/ansible_collections/*/*/; do
		case $collection in
		*/ansible/posix/ | */community/general/ | */community/postgresql/) ;;
		*) rm -rf "$collection" ;;
		esac
	done
	touch "$venv/complete"
fi

tree=$(git ls-files -co --exclude-standard -z install/playbook scripts/lint-playbook.sh |
	xargs -0 sh -c 'for f; do [ ! -f "$f" ] || sha256sum "$f"; done' sh | sha256sum)
[ "$(cat "$venv/passed" 2>/dev/null)" != "$tree" ] || exit 0

export PATH=$venv/bin:$PATH ANSIBLE_HOME=$venv/home ANSIBLE_ROLES_PATH=$PWD/install/playbook/roles ANSIBLE_NOCOWS=1
cd install/playbook
yamllint --strict .
ansible-lint --strict --nocolor -q
echo "$tree" >"$venv/passed"
