package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

const bashCompletion = `# bash completion for pgbundle; use: source <(pgbundle completion bash)
_pgbundle() {
	local words=("${COMP_WORDS[@]:0:COMP_CWORD}") current=${COMP_WORDS[COMP_CWORD]}
	local replies
	# Never run a command: what follows a -- would be its operands.
	[[ " ${words[*]} " == *" -- "* ]] && return
	if [[ $current == -* && $current != -- ]]; then
		replies=$("${words[@]}" "$current" --generate-bash-completion 2>/dev/null)
	elif [[ $current == -- ]]; then
		replies=$("${words[@]}" - --generate-bash-completion 2>/dev/null)
	else
		replies=$("${words[@]}" --generate-bash-completion 2>/dev/null)
	fi
	mapfile -t COMPREPLY < <(compgen -W "$replies" -- "$current")
}
complete -o bashdefault -o default -F _pgbundle pgbundle
`

const zshCompletion = `#compdef pgbundle
# zsh completion for pgbundle; use: source <(pgbundle completion zsh)
_pgbundle() {
	local -a replies
	local current=${words[CURRENT]}
	[[ " ${words[1,CURRENT-1]} " == *" -- "* ]] && return
	if [[ $current == -- ]]; then
		replies=("${(@f)$(${words[1,CURRENT-1]} - --generate-bash-completion 2>/dev/null)}")
	elif [[ $current == -* ]]; then
		replies=("${(@f)$(${words[1,CURRENT-1]} $current --generate-bash-completion 2>/dev/null)}")
	else
		replies=("${(@f)$(${words[1,CURRENT-1]} --generate-bash-completion 2>/dev/null)}")
	fi
	compadd -a replies
	_files
}
compdef _pgbundle pgbundle
`

func completionCommand(h host) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: `Examples:
   source <(pgbundle completion bash)
   pgbundle completion fish > ~/.config/fish/completions/pgbundle.fish`,
		Action: func(c *cli.Context) error {
			shell, err := operand(c, "shell")
			if err != nil {
				return err
			}
			script := ""
			switch shell {
			case "bash":
				script = bashCompletion
			case "zsh":
				script = zshCompletion
			case "fish":
				if script, err = c.App.ToFishCompletion(); err != nil {
					return fmt.Errorf("completion for fish: %w", err)
				}
			default:
				return &usageError{fmt.Sprintf("no completion for %q: there are bash, zsh and fish", shell), "pgbundle completion bash"}
			}
			_, err = fmt.Fprint(h.stdout, script)
			return err
		},
	}
}
