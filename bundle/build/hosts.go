package build

// The hosts that a bundle comes from when nobody names others; those of the dnf
// repositories stand in package dnfconf. There is none for Python packages:
// pip's own configuration says which index a host uses.
const galaxyServer = "https://galaxy.ansible.com/"

// etcdReleases hold the same files: the second is tried when the first fails.
var etcdReleases = []string{
	"https://github.com/etcd-io/etcd/releases/download",
	"https://storage.googleapis.com/etcd",
}
