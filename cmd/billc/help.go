package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/billnet/billnet/internal/release"
)

// helpCmd stands in the list of commands; rewriteHelp makes flags of it.
type helpCmd struct {
	Command string `arg:"" optional:"" help:"Command to explain."`
}

// rewriteHelp turns "help X" into "X --help".
func rewriteHelp(args []string) []string {
	if len(args) == 0 || args[0] != "help" {
		return args
	}
	return append(slices.Clone(args[1:]), "--help")
}

// versionFlag prints the version in place of a command.
type versionFlag bool

func (versionFlag) BeforeReset(app *kong.Kong) error {
	fmt.Fprintln(app.Stdout, release.Text("billc"))
	app.Exit(0)
	return nil
}

// withDefault is the help of a flag with its default.
func withDefault(v *kong.Value) string {
	if !v.HasDefault || v.IsBool() || v.Default == "" || strings.Contains(v.Help, "by default") {
		return v.Help
	}
	return fmt.Sprintf("%s Default: %s.", v.Help, v.Default)
}

// completionCmd prints what makes a shell complete the command line.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"${enum}."`
}

func (completionCmd) Help() string {
	return `  source <(billc completion bash)                                  # in ~/.bashrc
  source <(billc completion zsh)                                   # in ~/.zshrc, behind compinit
  billc completion fish > ~/.config/fish/completions/billc.fish`
}

// completed is a command or a flag as shells complete it.
type completed struct {
	name, about string
	words       []string // of a flag's value; none: any
	value       bool     // a flag has a value
	flags       []completed
}

func (c completionCmd) Run(s *streams, k *kong.Context) error {
	var commands []completed
	common := completedFlags(k.Model.Node)
	for _, n := range k.Model.Children {
		commands = append(commands, completed{name: n.Name, about: oneLine(n.Help), flags: append(completedFlags(n), common...)})
	}
	write := map[string]func([]completed) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	fmt.Fprint(s.out, write(commands))
	return nil
}

func completedFlags(n *kong.Node) []completed {
	var list []completed
	for _, f := range n.Flags {
		words := slices.DeleteFunc(f.EnumSlice(), func(w string) bool { return w == "" })
		list = append(list, completed{name: "--" + f.Name, about: oneLine(f.Help), words: words, value: !f.IsBool()})
	}
	return list
}

// oneLine is the first sentence of a help, without what shells would read.
func oneLine(s string) string {
	s, _, _ = strings.Cut(s, ". ")
	s, _, _ = strings.Cut(s, "; ")
	return strings.NewReplacer("'", "", "`", "", `"`, "", "[", "(", "]", ")", ":", ",", "\n", " ", "$", "").Replace(strings.TrimSuffix(s, "."))
}

func names(list []completed) string {
	var all []string
	for _, c := range list {
		all = append(all, c.name)
	}
	return strings.Join(all, " ")
}

func bashCompletion(commands []completed) string {
	var b strings.Builder
	fmt.Fprintf(&b, `_billc() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} flags= values=
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "%s --help --version" -- "$word"))
		return
	fi
	[ "$before" = "=" ] && before=${COMP_WORDS[COMP_CWORD-2]}
	[ "$word" = "=" ] && word=
	case ${COMP_WORDS[1]} in
`, names(commands))
	for _, c := range commands {
		fmt.Fprintf(&b, "\t%s)\n\t\tflags=\"%s\"\n", c.name, names(c.flags))
		for _, f := range c.flags {
			if len(f.words) > 0 {
				fmt.Fprintf(&b, "\t\t[ \"$before\" = %s ] && values=\"%s\"\n", f.name, strings.Join(f.words, " "))
			}
		}
		b.WriteString("\t\t;;\n")
	}
	b.WriteString(`	esac
	if [ -n "$values" ]; then
		COMPREPLY=($(compgen -W "$values" -- "$word"))
	elif [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W "$flags" -- "$word"))
	else
		COMPREPLY=($(compgen -f -- "$word"))
	fi
}
complete -o filenames -F _billc billc
`)
	return b.String()
}

func zshCompletion(commands []completed) string {
	var b strings.Builder
	b.WriteString("#compdef billc\n_billc() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "\t\t'%s:%s'\n", c.name, c.about)
	}
	b.WriteString("\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tlocal command=${words[2]}\n\tshift words\n\t((CURRENT--))\n\tcase $command in\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "\t%s)\n\t\t_arguments '*:file:_files'", c.name)
		for _, f := range c.flags {
			switch {
			case len(f.words) > 0:
				fmt.Fprintf(&b, " \\\n\t\t\t'%s=[%s]:value:(%s)'", f.name, f.about, strings.Join(f.words, " "))
			case f.value:
				fmt.Fprintf(&b, " \\\n\t\t\t'%s=[%s]:value:_files'", f.name, f.about)
			default:
				fmt.Fprintf(&b, " \\\n\t\t\t'%s[%s]'", f.name, f.about)
			}
		}
		b.WriteString("\n\t\t;;\n")
	}
	b.WriteString("\tesac\n}\ncompdef _billc billc\n")
	return b.String()
}

func fishCompletion(commands []completed) string {
	var b strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&b, "complete -c billc -n __fish_use_subcommand -f -a %s -d '%s'\n", c.name, c.about)
		for _, f := range c.flags {
			fmt.Fprintf(&b, "complete -c billc -n '__fish_seen_subcommand_from %s' -l %s -d '%s'", c.name, strings.TrimPrefix(f.name, "--"), f.about)
			switch {
			case len(f.words) > 0:
				fmt.Fprintf(&b, " -x -a '%s'", strings.Join(f.words, " "))
			case f.value:
				b.WriteString(" -r")
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
