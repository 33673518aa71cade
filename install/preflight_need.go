package install

import (
	"path"
	"strings"

	"pgbundle/manifest"
)

// What the control node's venv takes, measured on ext4 with blocks of 4 KiB:
// Python 3.11, ansible-core 2.15.13 with 11 wheels of 9.31 MB, and
// community.general 8.6.8, community.postgresql 3.9.0, ansible.posix 1.6.2 and
// what they need, 2.16 MB, all byte-compiled.
//
//	                       bytes      inodes
//	venv with pip      25,718,784      1,672
//	and the wheels     69,152,768      4,374    4.67 bytes for one, 290 inodes a MB
//	and collections    96,878,592      6,379   12.82 bytes for one, 927 inodes a MB
//
// The factors below leave a tenth to spare: versions to come are not smaller.
const (
	venvBytes, venvInodes             = 28_000_000, 1_840
	wheelFactor, wheelInodes          = 5.2, 320.0 / 1e6
	collectionFactor, collectionNodes = 14.1, 1_020.0 / 1e6
)

// ownBytes is for what install writes beside the bundle's files: manifest,
// sums, receipt, list of what was made, history, log, repository file.
const ownBytes, ownInodes = 8_000_000, 32

// blockSize is what a file is rounded up to.
const blockSize = 4096

// Needs says how much a release for the roles takes: bytes, and inodes of files
// and folders, without what can be linked from a former release.
func Needs(m *manifest.Manifest, roles []manifest.Role) (bytes, inodes int64) {
	bytes, inodes = ownBytes, ownInodes
	var wheels, collections int64
	folders := map[string]bool{}
	for _, f := range filesFor(m, roles) {
		bytes += (f.Size + blockSize - 1) / blockSize * blockSize
		inodes++
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
		switch {
		case strings.HasPrefix(f.Path, "wheels/control/"):
			wheels += f.Size
		case strings.HasPrefix(f.Path, "collections/"):
			collections += f.Size
		}
	}
	bytes += int64(len(folders)) * blockSize
	inodes += int64(len(folders))
	if (Wish{Roles: roles}).has(manifest.Control) {
		bytes += venvBytes + int64(wheelFactor*float64(wheels)+collectionFactor*float64(collections))
		inodes += venvInodes + int64(wheelInodes*float64(wheels)+collectionNodes*float64(collections))
	}
	return bytes, inodes
}

// linkable says how much of a release can be linked from one of the same bundle
// that was made for these roles.
func linkable(m *manifest.Manifest, roles []manifest.Role) (bytes, inodes int64) {
	for _, f := range filesFor(m, roles) {
		bytes += (f.Size + blockSize - 1) / blockSize * blockSize
		inodes++
	}
	return bytes, inodes
}
