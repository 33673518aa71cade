# shellcheck shell=bash
# need COMMAND PACKAGE: makes sure that COMMAND is there, from Debian's PACKAGE
# where this is a Debian and we are root, else says what to install.
need() {
	command -v "$1" >/dev/null && return
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
	fi
	command -v "$1" >/dev/null || {
		echo "$0: needs $1: install the package $2" >&2
		return 1
	}
}
