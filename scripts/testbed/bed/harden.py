"""What a site does to a node after it installed it: the RHEL 9 STIG's ways.

They are in every node of every run. Each entry is one that broke somebody's
installation: https://github.com/ansible-lockdown/RHEL9-STIG names them.
"""

import re
import shutil
import subprocess
from pathlib import Path

USERS = ("alice", "bob")
PASSWORD = "swordfish and chips"  # bob's, which his sudo asks for

_FILES = {
    # /tmp, /var/tmp and /home can neither run a program nor hold a device
    "etc/fstab": (0o644, """\
tmpfs /tmp     tmpfs mode=1777,nosuid,nodev,noexec 0 0
tmpfs /var/tmp tmpfs mode=1777,nosuid,nodev,noexec 0 0
/home /home    none  bind,nosuid,nodev,noexec      0 0
"""),
    "etc/profile.d/umask.sh": (0o644, "umask 077\n"),
    # EL's secure_path: what is only in /usr/local/bin is not found through sudo
    "etc/sudoers": (0o440, """\
Defaults env_reset
Defaults use_pty
Defaults secure_path = /sbin:/bin:/usr/sbin:/usr/bin
root ALL=(ALL) ALL
@includedir /etc/sudoers.d
"""),
    "etc/sudoers.d/alice": (0o440, "alice ALL=(ALL) NOPASSWD: ALL\n"),
    "etc/sudoers.d/bob": (0o440, "bob ALL=(ALL) ALL\n"),
    "etc/ssh/sshd_config.d/site.conf": (0o600, """\
PermitRootLogin no
PasswordAuthentication no
X11Forwarding no
AuthorizedKeysFile /etc/ssh/authorized_keys/%u
"""),
    # a kernel is shared: sysctl must succeed and never reach it (scripts/testbed/README.md)
    "etc/systemd/system/testbed-sysctl.service": (0o644, r"""\
[Unit]
Description=A private copy of the kernel's settings
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/testbed-sysctl
[Install]
WantedBy=sysinit.target
"""),
    "usr/local/sbin/testbed-sysctl": (0o755, """\
#!/bin/sh
set -e
copy=/run/testbed-sysctl
for file in /proc/sys/vm/* /proc/sys/fs/file-max /proc/sys/fs/aio-max-nr /proc/sys/fs/nr_open /proc/sys/kernel/sem \\
	/proc/sys/kernel/shmmax /proc/sys/kernel/shmall /proc/sys/kernel/numa_balancing /proc/sys/kernel/pid_max; do
	[ -f "$file" ] || continue
	mkdir -p "$copy${file%/*}"
	cat "$file" >"$copy$file" 2>/dev/null || continue # vm.compact_memory and the like only take writes
	[ "${file%/*}" = /proc/sys/vm ] || mount --bind "$copy$file" "$file"
done
mount --bind "$copy/proc/sys/vm" /proc/sys/vm
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
"""),
}

# A clock is shared: chronyd runs and answers, and leaves the clock alone.
_CHRONY = """\
[Unit]
ConditionCapability=
[Service]
ExecStart=
ExecStart=!/usr/sbin/chronyd $DAEMON_OPTS -x
"""

_EL_FILES = {
    "etc/dnf/dnf.conf": (0o644, """\
[main]
gpgcheck=1
localpkg_gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
"""),
    # the distribution's own repositories, enabled and out of reach: whoever asks them fails
    "etc/yum.repos.d/rocky.repo": (0o644, """\
[baseos]
name=Rocky Linux $releasever - BaseOS
baseurl=https://dl.testbed.invalid/pub/rocky/$releasever/BaseOS/$basearch/os/
gpgcheck=1
enabled=1
"""),
    "etc/systemd/system/chronyd.service.d/testbed.conf": (0o644, _CHRONY),
}

_DEBIAN_FILES = {
    "etc/systemd/system/chrony.service.d/testbed.conf": (0o644, _CHRONY),
    "etc/apt/apt.conf.d/90site": (0o644, 'APT::Install-Recommends "false";\n'),
}

_UMASK_LINE = "session optional pam_umask.so silent\n"  # EL has it in postlogin; it reads login.defs


def harden(root: Path, debian: bool = False) -> None:
    """Turn a fresh root into a node of a careful site.

    alice's sudo asks for nothing, bob's for his password. A Debian node has no firewall.
    """
    for path, (mode, text) in (_FILES | (_DEBIAN_FILES if debian else _EL_FILES)).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
    for stack in ("common-session", "common-session-noninteractive"):
        with (root / "etc/pam.d" / stack).open("a") as file:
            file.write(_UMASK_LINE)
    defaults = root / "etc/login.defs"
    text = re.sub(r"(?m)^UMASK\s.*$", "UMASK 077", defaults.read_text())
    defaults.write_text(re.sub(r"(?m)^USERGROUPS_ENAB\s.*$", "USERGROUPS_ENAB no", text))
    for uid, name in enumerate(USERS, 1000):
        subprocess.run(["useradd", "--root", root, "--uid", str(uid), "--user-group", "--create-home", "--shell", "/bin/bash", name], check=True)
        (root / "home" / name).chmod(0o700)
    # a named method keeps chpasswd from asking PAM
    subprocess.run(["chpasswd", "--root", root, "--crypt-method", "SHA512"], check=True, input=f"bob:{PASSWORD}\n", text=True)
    units = ["testbed-sysctl.service"] + ([] if debian else ["firewalld.service"])
    subprocess.run(["systemctl", f"--root={root}", "--quiet", "enable", *units], check=True)
    for unit in _DEBIANS:
        for link in (root / "etc/systemd/system").glob(f"*.wants/{unit}"):
            link.unlink()
    shutil.rmtree(root / "var/cache/dnf", ignore_errors=True)


# Units of packages that a node does not have, enabled by Debian's scripts in the base root.
_DEBIANS = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer")
