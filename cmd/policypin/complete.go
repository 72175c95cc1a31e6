package main

import (
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// The shell scripts hold no list of commands: they ask the tool itself, so they
// never fall behind it.

//go:embed completion/bash.sh
var bashCompletion string

//go:embed completion/zsh.sh
var zshCompletion string

//go:embed completion/fish.fish
var fishCompletion string

func completionCommand(w *world) *cli.Command {
	shells := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a shell's completion script",
		ArgsUsage: "bash|zsh|fish",
		Description: help{
			text: "Prints a script that completes commands, flags and their values.",
			examples: []string{
				"source <(policypin completion bash)",
				`policypin completion zsh > "${fpath[1]}/_policypin"`,
				"policypin completion fish > ~/.config/fish/completions/policypin.fish",
			},
			statuses: []int{statusOK, statusUsage},
		}.String(),
		Action: func(c *cli.Context) error {
			args, err := takeArgs(c, 1, "SHELL")
			if err != nil {
				return err
			}
			script, ok := shells[args[0]]
			if !ok {
				return &usage{msg: fmt.Sprintf("no completion for %q", args[0]), hint: "there is one for bash, zsh and fish"}
			}
			_, err = io.WriteString(w.stdout, script)
			return err
		},
	}
}

// completeCommand answers the scripts: given the words of a command line after
// the tool's name, the last of which is being typed, it prints candidates, each
// with a tab and a description.
func completeCommand(w *world) *cli.Command {
	return &cli.Command{
		Name:            "__complete",
		Usage:           "print completions for a command line",
		Hidden:          true,
		SkipFlagParsing: true,
		Description:     "Used by the completion scripts.",
		Action: func(c *cli.Context) error {
			words := c.Args().Slice()
			if len(words) == 0 {
				words = []string{""}
			}
			for _, candidate := range complete(w, c.App, words) {
				if _, err := fmt.Fprintln(w.stdout, candidate); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func complete(w *world, app *cli.App, words []string) []string {
	commands, flags, arguments := app.Commands, app.Flags, ""
	typed, before := words[len(words)-1], words[:len(words)-1]
	var pending cli.Flag // the flag whose value comes next
	for _, word := range before {
		switch {
		case pending != nil:
			if pending.Names()[0] == "C" {
				w.global.dir.value = word
			}
			pending = nil
		case strings.HasPrefix(word, "-"):
			if f := lookupFlag(flags, word); f != nil && takesValue(f) && !strings.Contains(word, "=") {
				pending = f
			}
		default:
			for _, cmd := range commands {
				if cmd.Name == word {
					commands, flags, arguments = cmd.Subcommands, cmd.Flags, cmd.ArgsUsage
					if word == "help" {
						commands = app.Commands // its arguments
					}
					break
				}
			}
		}
	}
	var out []string
	add := func(word, text string) {
		if strings.HasPrefix(word, typed) {
			out = append(out, word+"\t"+text)
		}
	}
	switch {
	case pending != nil:
		for _, value := range choices(w, pending) {
			add(value, "")
		}
	case strings.HasPrefix(typed, "-"):
		for _, f := range flags {
			_, text := describeFlag(f)
			for _, n := range f.Names() {
				if len(n) == 1 {
					add("-"+n, text)
				} else {
					add("--"+n, text)
				}
			}
		}
	default:
		for _, cmd := range commands {
			if !cmd.Hidden {
				add(cmd.Name, cmd.Usage)
			}
		}
		if words := strings.Split(arguments, "|"); len(words) > 1 { // as in project|policy-set
			for _, word := range words {
				add(word, "")
			}
		}
	}
	return out
}

func lookupFlag(flags []cli.Flag, word string) cli.Flag {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				return f
			}
		}
	}
	return nil
}

// choices are the values that a flag can have, if it has a closed list.
func choices(w *world, f cli.Flag) []string {
	if f.Names()[0] == "target" {
		return targetNames(w)
	}
	if g, ok := f.(*cli.GenericFlag); ok {
		if c, ok := g.Value.(*choice); ok {
			return c.allowed
		}
	}
	return nil
}

// targetNames are the targets of the project, as far as there is one.
func targetNames(w *world) []string {
	p, err := w.findProject()
	if err != nil {
		return nil
	}
	defer p.close()
	proj, err := p.projectFile()
	if err != nil {
		return nil
	}
	names := []string{localTarget}
	for _, t := range proj.Targets {
		if t.Name != localTarget {
			names = append(names, t.Name)
		}
	}
	return names
}
