package deploy

import (
	"context"
	"time"
)

// RunOptions say what to run and how. Paths may be relative to the site, as for
// ansible-playbook started in it.
type RunOptions struct {
	Operation Operation
	Site      string // absolute path of the site directory
	Base      string // of the release; empty: the one that the site imports
	Offline   bool   // install out of the bundle

	Inventory              []string
	Tags, SkipTags         []string
	Limit                  string
	Check, Diff            bool
	ExtraVars              []string
	User                   string
	PrivateKey             string
	Forks                  int      // 0: as the site says
	More                   []string // words for ansible-playbook, unchanged
	VaultPasswordFiles     []string
	BecomePasswordFile     string
	ConnectionPasswordFile string

	AskVault, AskBecome, AskConnection bool
	// Ask asks a person for a password, without showing it.
	Ask func(ctx context.Context, prompt string) (string, error)

	Environ     []string // of the caller
	LogFolder   string   // absolute; made when it is missing
	TempFolders []string // for passwords; the first that takes a folder, so a tmpfs comes first
	Program     string   // version of pgbundle
	Now         func() time.Time
	Observer    Observer
	Kill        <-chan struct{} // closed: do not wait any longer for Ansible to end
}

// asks are the passwords that can be asked for: the option of ansible-playbook
// that takes a file with it, and what to ask.
func (o *RunOptions) asks() []ask {
	return []ask{
		{o.AskVault, "--vault-password-file", "password of the vault"},
		{o.AskConnection, "--connection-password-file", "password for ssh on the hosts"},
		{o.AskBecome, "--become-password-file", "password for sudo on the hosts"},
	}
}

type ask struct {
	wanted         bool
	option, prompt string
}
