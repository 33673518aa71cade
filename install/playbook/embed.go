// Package playbook holds the Ansible content that turns nodes with a bundle on
// them into a cluster: roles, playbooks, plugins, and the templates of a site
// directory. A bundle carries it as its folder playbook/; the program that
// built the bundle has it embedded. It knows no other package.
package playbook

import "embed"

// FS is the content, as it lies in a bundle below playbook/. The templates of a
// site directory are below site/.
//
//go:embed playbooks plugins roles site site.yml
var FS embed.FS
