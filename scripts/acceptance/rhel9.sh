#!/usr/bin/env bash
# rhel9.sh BUNDLE [OLDER-BUNDLE]: tries pgbundle on this node, which should be a
# RHEL 9 (or Rocky, Alma) that nobody needs: it installs, rolls back and
# uninstalls. Repeats what make e2e asserts on the test bed, where RHEL, SELinux
# and FIPS mode cannot run, and writes the same kind of evidence.
#
#   --packages     also install the cluster's packages with dnf (they stay)
#   --user NAME    an ordinary user to run Ansible as (default: nobody)
#   --evidence F   where the evidence goes (default: ./evidence-rhel9.json)
#
# Needs root, and nothing but what the node has: bash, coreutils, tar where
# there is one, and the python3 that dnf needs. It asks no network.
set -uo pipefail
export LC_ALL=C

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' >&2; exit 2; }
packages='' user=nobody evidence=$PWD/evidence-rhel9.json bundles=()
while [ $# -gt 0 ]; do
	case $1 in
	--packages) packages=yes ;;
	--user) user=${2:?} && shift ;;
	--evidence) evidence=$(realpath -m "${2:?}") && shift ;;
	-*) usage ;;
	*) bundles+=("$(realpath "$1")") ;;
	esac
	shift
done
if [ ${#bundles[@]} -lt 1 ] || [ "$(id -u)" != 0 ]; then usage; fi
bundle=${bundles[0]} older=${bundles[1]:-}
umask 077

base=/opt/patroni-airgap
work=$(mktemp -d /root/pgbundle-acceptance.XXXXXX)
trap 'rm -rf "$work"' EXIT
steps=$work/steps passed=0 failed=0 notrun=()
: >"$steps"

# step NAME STATUS WORDS COMMAND…: the command has to end with this status and
# print these words (an empty text: whatever it prints).
step() {
	local name=$1 want=$2 words=$3 began status result=passed
	shift 3
	began=$(date +%s.%N)
	"$@" >"$work/out" 2>&1 </dev/null
	status=$?
	if [ "$status" != "$want" ] || { [ -n "$words" ] && ! grep -qF -- "$words" "$work/out"; }; then
		result=FAILED
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
	printf '%-6s  %s\n' "$result" "$name"
	[ "$result" = passed ] || { echo "        status $status, want $want and \"$words\": $*"; tail -n 15 "$work/out" | sed 's/^/        /'; }
	python3 -I - "$steps" "$name" "$status" "$result" "$began" "$work/out" "$@" <<'PY'
import json, sys, time
steps, name, status, result, began, out, *command = sys.argv[1:]
with open(out, errors="replace") as f:
    text = f.read()[-4000:]
with open(steps, "a") as f:
    json.dump({"name": name, "command": command, "status": int(status), "result": result,
               "seconds": round(time.time() - float(began), 3), "output": text}, f)
    f.write("\n")
PY
}

# skipped NAME WHY: what this node cannot show stands in the evidence too.
skipped() {
	notrun+=("$1: $2")
	printf '%-6s  %s: %s\n' 'not run' "$1" "$2"
}

# listing is everything that install may touch, with modes and digests.
listing() {
	find "$base" "$base.d" /etc/yum.repos.d /usr/local/bin/pgbundle /usr/bin/pgbundle /etc/fapolicyd/trust.d -printf '%p %y %m %l\n' 2>/dev/null
	rpm -q gpg-pubkey 2>/dev/null
}
unchanged() {
	listing | sort >"$work/after"
	diff "$work/before" "$work/after"
}
before() { listing | sort >"$work/before"; }

# The program of the bundle, which lies in its first entries.
unpacked=$work/airgap-bundle
if command -v tar >/dev/null; then
	tar xzf "$bundle" -C "$work" || exit 1
else
	python3 -I -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$bundle" "$work" || exit 1
fi
cp "$unpacked/pgbundle" "$work/pgbundle"
chmod 0755 "$work/pgbundle"
pgbundle=$work/pgbundle

step 'facts of the node' 0 'version: 2' "$pgbundle" facts
cp "$work/out" "$work/facts.yaml"
step 'verify' 0 'whole and closed by itself' "$pgbundle" verify "$bundle"

before
step 'dry run' 0 'nothing was changed' "$pgbundle" install --role target --bundle "$bundle" --dry-run
step 'a dry run changes nothing' 0 '' unchanged
python3 -I -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read()); data[len(data) // 2] ^= 1
open(sys.argv[2], "wb").write(data)' "$bundle" "$work/flipped.tar.gz"
step 'a flipped bit is refused' 3 'sha256' "$pgbundle" install --role target --bundle "$work/flipped.tar.gz"
rm -f "$work/flipped.tar.gz"
step 'a stranger'"'"'s bundle is refused' 4 '' "$pgbundle" install --role target --bundle "$bundle" --pubkey RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3
[ -e "$base.d" ] && rmdir "$base.d" 2>/dev/null
step 'refusals change nothing' 0 '' unchanged

if [ -n "$older" ]; then
	step 'install an older bundle' 0 'active' "$pgbundle" install --role target --bundle "$older"
fi
step 'install, role target, from the archive' 0 'proven   rpmkeys' "$pgbundle" install --role target --bundle "$bundle"
step 'whole' 0 'whole: every file is as it was installed' pgbundle status --verify
step 'again: nothing to place' 0 'here already, whole' pgbundle install --role target --bundle "$bundle"
step 'no key in the rpm database' 0 '' sh -c '! rpm -q gpg-pubkey --qf "%{SUMMARY}\n" | grep -i "patroni-airgap"'
step 'role control, from the unpacked folder' 0 'role control and target' sh "$unpacked/airgap-install.sh" --role control
step 'Ansible as an ordinary user' 0 'ansible-playbook [core' setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups \
	env -i PATH=/usr/bin HOME=/tmp sh -c "cd /usr && $base/venv/bin/ansible-playbook --version"
step 'rollback' 0 'services that run are as before' pgbundle rollback
step 'and forth again' 0 'active' pgbundle rollback
step 'whole, with the venv' 0 'whole: every file is as it was installed' pgbundle status --verify

if [ -n "$packages" ]; then
	major=$(find "$base/rpms/" -name 'postgresql[0-9][0-9]-server-*' -printf '%f\n' | sed 's/postgresql\([0-9]*\)-.*/\1/' | head -n 1)
	step 'dnf installs the cluster' 0 'Complete!' dnf -y --disablerepo='*' --enablerepo=patroni-airgap install \
		"postgresql$major-server" pgbouncer haproxy keepalived
	step 'postgres --version as postgres' 0 "postgres (PostgreSQL) $major." runuser -u postgres -- "/usr/pgsql-$major/bin/postgres" --version
else
	skipped 'packages' 'not asked for (--packages)'
fi

if [ -e /sys/fs/selinux/enforce ]; then
	step 'SELinux labels of the release' 0 'verified' matchpathcon -V "$(readlink -f "$base")" "$(readlink -f "$base")/pgbundle" /etc/yum.repos.d/patroni-airgap.repo
else
	skipped 'SELinux' 'not enabled here'
fi
if [ "$(cat /proc/sys/crypto/fips_enabled 2>/dev/null)" = 1 ]; then
	step 'FIPS mode' 0 'proven' pgbundle install --role target --bundle "$bundle" --dry-run
else
	skipped 'FIPS mode' 'not enabled here'
fi
if systemctl is-active --quiet fapolicyd 2>/dev/null; then
	cp "$(readlink -f "$base/pgbundle")" "$work/unlisted"
	chmod 0755 "$work/unlisted"
	step 'fapolicyd denies an unlisted copy' 126 '' sh -c "exec $work/unlisted --version"
	step 'fapolicyd lets the installed one run' 0 'pgbundle' /usr/local/bin/pgbundle --version
else
	skipped 'fapolicyd' 'not active here'
fi

step 'uninstall' 0 'removed' "$pgbundle" uninstall --purge
step 'uninstall leaves nothing' 0 '' sh -c "! ls -d $base $base.d /etc/yum.repos.d/patroni-airgap.repo /usr/local/bin/pgbundle /usr/bin/pgbundle 2>/dev/null"

printf '%s\n' ${notrun[@]+"${notrun[@]}"} >"$work/notrun"
python3 -I - "$evidence" "$steps" "$work/notrun" "$work/facts.yaml" "$failed" "$bundle" <<'PY'
import json, os, platform, re, sys, time
evidence, steps, notrun, facts, failed, bundle = sys.argv[1:]
release = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release") if "=" in line)
json.dump({
    "world": f'{release.get("PRETTY_NAME", "").strip(chr(34))}, kernel {platform.release()}, {platform.machine()}',
    "notRun": [line.strip() for line in open(notrun) if line.strip()],
    "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    "passed": failed == "0",
    "bundle": os.path.basename(bundle),
    # What the packages provide and require are megabytes; they are in the node's RPM database.
    "facts": re.sub(r"(?m)^    (provides|requires|conflicts|obsoletes|recommends|suggests|supplements|enhances|files): \[.*\n", "", open(facts).read()),
    "steps": [json.loads(line) for line in open(steps)],
}, open(evidence, "w"), indent=2)
PY
echo "$passed passed, $failed failed; evidence in $evidence"
[ "$failed" = 0 ]
