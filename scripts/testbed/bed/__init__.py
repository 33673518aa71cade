"""The test bed: Debian 12's binaries as a signed RPM distribution on loopback.

Nothing here knows of pgbundle itself. The bed makes what pgbundle takes from
the world: dnf repositories, an etcd release, collections. Run it as
`python3 -m bed --help` with this folder's parent as the working directory.
"""
