package facts

import (
	"errors"
	"slices"
	"strings"

	"pgbundle/manifest"
)

// disks lists the file systems that can hold files, with their room. An image
// has one: that of the folder it lies in, which is all that can be asked.
func (c *collector) disks() {
	if !c.booted("disks") {
		if room, err := c.Space("/"); err == nil {
			c.node.Disks = []manifest.Disk{{Mount: "/", Space: &room}}
		}
		return
	}
	data, err := c.read("proc/mounts")
	if err != nil {
		c.unknown("disks", err)
		return
	}
	disks := parseMounts(data)
	if !slices.ContainsFunc(disks, func(d manifest.Disk) bool { return d.Mount == "/" }) {
		// In a chroot / is no mount point, but it has room all the same.
		disks = append([]manifest.Disk{{Mount: "/"}}, disks...)
	}
	for _, d := range disks {
		if !holdsFiles(d) {
			continue
		}
		if isRemote(d.Type) {
			c.unknown("disks "+d.Mount, errRemote)
		} else if room, err := c.Space(d.Mount); err != nil {
			c.unknown("disks "+d.Mount, err)
		} else {
			d.Space = &room
		}
		c.node.Disks = append(c.node.Disks, d)
	}
}

// errRemote: to ask a server that is gone takes for ever.
var errRemote = errors.New("the file system is a server's or a program's: it was not asked, since it might never answer")

// parseMounts reads proc_mounts(5), which is in the form of fstab(5), sorted by
// mount point; what was mounted over another hides it. Options with a value and
// devices that are none are left out: there are user names in them.
func parseMounts(data []byte) []manifest.Disk {
	last := map[string]manifest.Disk{}
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(unescape(words[1]), "/") {
			continue
		}
		d := manifest.Disk{Mount: unescape(words[1]), Type: words[2]}
		if device := unescape(words[0]); strings.HasPrefix(device, "/dev/") {
			d.Device = device
		}
		for option := range strings.SplitSeq(words[3], ",") {
			if option != "" && !strings.Contains(option, "=") {
				d.Options = append(d.Options, unescape(option))
			}
		}
		last[d.Mount] = d
	}
	disks := make([]manifest.Disk, 0, len(last))
	for _, d := range last {
		disks = append(disks, d)
	}
	slices.SortFunc(disks, func(a, b manifest.Disk) int { return strings.Compare(a.Mount, b.Mount) })
	return disks
}

// unescape undoes what getmntent(3) does: three octal digits after a backslash
// are a byte.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1]) && s[i+1] < '4' && isOctal(s[i+2]) && isOctal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

// kernelTypes are file systems that show the kernel instead of holding files.
var kernelTypes = []string{
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl",
	"hugetlbfs", "mqueue", "nfsd", "nsfs", "proc", "pstore", "ramfs", "rootfs", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
}

// holdsFiles leaves out what is no place for a file of ours or of anybody's:
// kernel interfaces, and what systemd mounts below /run for users and services.
func holdsFiles(d manifest.Disk) bool {
	if slices.Contains(kernelTypes, d.Type) {
		return false
	}
	for _, top := range []string{"/proc/", "/sys/", "/run/", "/dev/"} {
		if strings.HasPrefix(d.Mount, top) && d.Mount != "/dev/shm" {
			return false
		}
	}
	return true
}

func isRemote(kind string) bool {
	return kind == "fuse" || strings.HasPrefix(kind, "fuse.") ||
		slices.Contains([]string{"9p", "afs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "smb3"}, kind)
}
