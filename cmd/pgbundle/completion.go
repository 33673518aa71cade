package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagValues are the values of flags that take one of a few words. Repositories
// may also be .repo files, which shells find by themselves.
var flagValues = map[string][]string{
	"arch":       {"x86_64", "aarch64"},
	"layout":     {"collocated", "separated"},
	"log-format": {"auto", "plain", "json"},
	"pg":         {"14", "15", "16", "17"},
	"profile":    {"minimal", "small", "medium", "large", "xl"},
	"repos":      {"rocky", "alma", "host"},
	"role":       {"control", "target", "both"},
	"with":       {"pgbackrest"},
}

// cases writes one line for each flag with known values.
func cases(format string) string {
	var b strings.Builder
	for _, flag := range slices.Sorted(maps.Keys(flagValues)) {
		fmt.Fprintf(&b, format, flag, strings.Join(flagValues[flag], " "))
	}
	return b.String()
}

const bashHead = `# bash completion for pgbundle; use: source <(pgbundle completion bash)
_pgbundle() {
	local words=("${COMP_WORDS[@]:0:COMP_CWORD}") current=${COMP_WORDS[COMP_CWORD]}
	local replies flag=${COMP_WORDS[COMP_CWORD-1]}
	# Never run a command: what follows a -- would be its operands.
	[[ " ${words[*]} " == *" -- "* ]] && return
	# --flag=value is three words to bash.
	if [[ $current == "=" ]]; then
		current=
	elif [[ $flag == "=" ]]; then
		flag=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case $flag in
`

const bashTail = `	esac
	if [[ -n $replies ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$replies" -- "$current"; [[ $flag == --repos ]] && compgen -f -X '!*.repo' -- "$current")
		return
	fi
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

const zshHead = `#compdef pgbundle
# zsh completion for pgbundle; use: source <(pgbundle completion zsh)
_pgbundle() {
	local -a replies
	local current=${words[CURRENT]}
	[[ " ${words[1,CURRENT-1]} " == *" -- "* ]] && return
	case ${words[CURRENT-1]} in
`

const zshTail = `	esac
	if (( $#replies )); then
		compadd -a replies
		[[ ${words[CURRENT-1]} == --repos ]] && _files -g '*.repo'
		return
	fi
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
				script = bashHead + cases("\t--%s) replies=\"%s\" ;;\n") + bashTail
			case "zsh":
				script = zshHead + cases("\t--%s) replies=(%s) ;;\n") + zshTail
			case "fish":
				if script, err = c.App.ToFishCompletion(); err != nil {
					return fmt.Errorf("completion for fish: %w", err)
				}
				script += "\n" + cases("complete -c pgbundle -l %s -r -a '%s'\n")
			default:
				return &usageError{fmt.Sprintf("no completion for %q: there are bash, zsh and fish", shell), "pgbundle completion bash"}
			}
			_, err = fmt.Fprint(h.stdout, script)
			return err
		},
	}
}
