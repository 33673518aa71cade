package rpm

import "strings"

// archClasses lists, per machine, the architectures that run on it, the best
// first (rpm's rpmrc, arch_compat).
var archClasses = map[string]string{
	"x86_64":  "x86_64 athlon i686 i586 i486 i386",
	"aarch64": "aarch64",
	"ppc64le": "ppc64le",
	"s390x":   "s390x",
	"i686":    "i686 i586 i486 i386",
}

// Arches returns the machine architectures that a pool can be prepared for.
func Arches() []string { return []string{"aarch64", "i686", "ppc64le", "s390x", "x86_64"} }

// setArch fills the table of scores: 1 for noarch, 0x10001 for the machine's
// own, 0x10000 more for each step down.
func (p *Pool) setArch(arch string) {
	p.arch = arch
	classes, ok := archClasses[arch]
	if !ok {
		classes = arch
	}
	p.archScore = map[Str]int{p.InternString("noarch"): 1}
	for i, a := range strings.Fields(classes) {
		p.archScore[p.InternString(a)] = (i+1)<<16 | 1
	}
}

// Arch returns the machine that the pool was prepared for.
func (p *Pool) Arch() string { return p.arch }

// ArchScore ranks an architecture on the machine of Prepare: 0 does not run
// there (src among them), 1 is noarch, above that lower is better.
func (p *Pool) ArchScore(arch Str) int { return p.archScore[arch] }
