#!/bin/sh
# auth.sh ETCDCTL URL: makes the etcd that serves there ask for passwords, and Patroni's user own its prefix and nothing else.
# Reads, a line each: root's password, Patroni's password, Patroni's user, the prefix. Prints "changed" when it changed something.
set -eu
read -r root_password
read -r patroni_password
read -r patroni_user
read -r prefix
etcdctl=$1
export ETCDCTL_API=3 ETCDCTL_ENDPOINTS="$2"
ctl() { ETCDCTL_USER=root ETCDCTL_PASSWORD=$root_password "$etcdctl" --command-timeout=10s "$@"; }
said() { echo changed; }

enabled=$(ctl auth status | sed -n 's/^Authentication Status: //p')
[ -n "$enabled" ] || { echo "etcdctl auth status says nothing" >&2; exit 1; }

has() { ctl "$1" list | grep -Fxq -- "$2"; }
has user root || { printf '%s\n' "$root_password" | ctl user add root --interactive=false >/dev/null; said; }
has role root || { ctl role add root >/dev/null; said; }
ctl user get root | grep -Eq '^Roles:.* root( |$)' || { ctl user grant-role root root >/dev/null; said; }

role=$patroni_user
has role "$role" || { ctl role add "$role" >/dev/null; said; }
ctl role get "$role" | grep -Fq "$prefix" || { ctl role grant-permission --prefix=true "$role" readwrite "$prefix" >/dev/null; said; }
has user "$patroni_user" || { printf '%s\n' "$patroni_password" | ctl user add "$patroni_user" --interactive=false >/dev/null; said; }
ctl user get "$patroni_user" | grep -Eq "^Roles:.* $role( |\$)" || { ctl user grant-role "$patroni_user" "$role" >/dev/null; said; }

if [ "$enabled" != true ]; then
	ctl auth enable >/dev/null
	said
elif ! ETCDCTL_USER=$patroni_user ETCDCTL_PASSWORD=$patroni_password "$etcdctl" --command-timeout=10s get --keys-only --limit=1 "$prefix" >/dev/null 2>&1; then
	printf '%s\n' "$patroni_password" | ctl user passwd "$patroni_user" --interactive=false >/dev/null
	said
fi
