package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// A help is the long part of a command's help text. A test checks that every
// command has a sentence, an example, and the exit statuses it can give.
type help struct {
	text     string
	examples []string
	statuses []int
}

// String lays the help out as a command's description.
func (h help) String() string {
	var b strings.Builder
	b.WriteString(h.text)
	b.WriteString("\n\nExamples:\n")
	for _, e := range h.examples {
		b.WriteString("  " + e + "\n")
	}
	b.WriteString("\nExit status:\n")
	for _, s := range h.statuses {
		fmt.Fprintf(&b, "  %-3d  %s\n", s, statusMeaning[s])
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// writeAppHelp prints the help of the tool as a whole.
func writeAppHelp(out io.Writer, app *cli.App) error {
	var b strings.Builder
	fmt.Fprintf(&b, "policypin: %s\n\nUsage:\n  policypin COMMAND [options]\n\n%s\n\n", app.Usage, app.Description)
	writeCommandList(&b, app.Commands)
	writeFlagList(&b, "Options", app.Flags)
	b.WriteString("\npolicypin COMMAND --help says more about a command.\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// writeHelp prints the help of one command.
func writeHelp(out io.Writer, cmd *cli.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\nUsage:\n  %s", cmd.HelpName, cmd.Usage, cmd.HelpName)
	if len(cmd.Subcommands) > 0 {
		b.WriteString(" COMMAND")
	}
	b.WriteString(" [options]")
	if cmd.ArgsUsage != "" {
		b.WriteString(" " + cmd.ArgsUsage)
	}
	fmt.Fprintf(&b, "\n\n%s\n\n", cmd.Description)
	if len(cmd.Subcommands) > 0 {
		writeCommandList(&b, cmd.Subcommands)
	}
	own, global := splitFlags(cmd.Flags)
	if len(own) > 0 {
		writeFlagList(&b, "Options", own)
		b.WriteString("\n")
	}
	writeFlagList(&b, "Options of every command", global)
	_, err := io.WriteString(out, b.String())
	return err
}

func writeCommandList(b *strings.Builder, commands []*cli.Command) {
	b.WriteString("Commands:\n")
	width := 12
	for _, cmd := range commands {
		if !cmd.Hidden {
			width = max(width, len(cmd.Name)+1)
		}
	}
	for _, cmd := range commands {
		if !cmd.Hidden {
			fmt.Fprintf(b, "  %-*s %s\n", width, cmd.Name, cmd.Usage)
		}
	}
	b.WriteString("\n")
}

// helpWidth is the column at which the text of a flag begins.
const helpWidth = 24

func writeFlagList(b *strings.Builder, title string, flags []cli.Flag) {
	b.WriteString(title + ":\n")
	for _, f := range flags {
		if hidden, ok := f.(cli.VisibleFlag); ok && !hidden.IsVisible() {
			continue
		}
		names, usage := describeFlag(f)
		if len(names)+2 > helpWidth-2 {
			fmt.Fprintf(b, "  %s\n%s%s\n", names, strings.Repeat(" ", helpWidth), usage)
			continue
		}
		fmt.Fprintf(b, "  %-*s%s\n", helpWidth-2, names, usage)
	}
}

// describeFlag returns a flag as it is typed, and what it does.
func describeFlag(f cli.Flag) (names, usage string) {
	doc, _ := f.(cli.DocGenerationFlag)
	var typed []string
	for _, n := range f.Names() {
		if len(n) == 1 {
			typed = append(typed, "-"+n)
		} else {
			typed = append(typed, "--"+n)
		}
	}
	names = strings.Join(typed, ", ")
	if doc == nil {
		return names, ""
	}
	usage = doc.GetUsage()
	placeholder := "VALUE"
	if before, rest, ok := strings.Cut(usage, "`"); ok {
		if word, after, ok := strings.Cut(rest, "`"); ok {
			placeholder, usage = word, before+word+after
		}
	}
	if takesValue(f) {
		names += " " + placeholder
		if def := defaultText(f, doc); def != "" && !strings.Contains(usage, "(default") {
			usage += " (default: " + def + ")"
		}
	}
	return names, usage
}

// defaultText is a flag's default. The library would show the current value of
// a flag that keeps its own.
func defaultText(f cli.Flag, doc cli.DocGenerationFlag) string {
	if g, ok := f.(*cli.GenericFlag); ok {
		if c, ok := g.Value.(*choice); ok {
			return c.allowed[0]
		}
		return ""
	}
	return strings.Trim(doc.GetDefaultText(), `"`)
}

// takesValue tells whether a flag is followed by a value.
func takesValue(f cli.Flag) bool {
	if g, ok := f.(*cli.GenericFlag); ok {
		_, isBool := g.Value.(interface{ IsBoolFlag() bool })
		return !isBool
	}
	doc, ok := f.(cli.DocGenerationFlag)
	return ok && doc.TakesValue()
}

// splitFlags separates a command's own flags from the global ones.
func splitFlags(flags []cli.Flag) (own, global []cli.Flag) {
	for _, f := range flags {
		switch f.Names()[0] {
		case "C", "target", "color", "help":
			global = append(global, f)
		default:
			own = append(own, f)
		}
	}
	return own, global
}

// helpCommand is "policypin help COMMAND", which people type as often as the
// flag.
func helpCommand(w *world) *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show the help of a command",
		ArgsUsage: "[COMMAND…]",
		Description: help{
			text:     "Prints what COMMAND --help prints; without a command, what policypin --help prints.",
			examples: []string{"policypin help validate", "policypin help versions list"},
			statuses: []int{statusOK, statusUsage},
		}.String(),
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return writeAppHelp(w.stdout, c.App)
			}
			cmd, err := findCommand(c.App.Commands, c.Args().Slice())
			if err != nil {
				return err
			}
			return writeHelp(w.stdout, cmd)
		},
	}
}

// findCommand follows names down the command tree.
func findCommand(commands []*cli.Command, names []string) (*cli.Command, error) {
	var found *cli.Command
	for _, name := range names {
		found = nil
		for _, cmd := range commands {
			if cmd.Name == name {
				found = cmd
			}
		}
		if found == nil {
			hint := "policypin --help lists the commands"
			if near := nearest(name, commandNames(commands)); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			return nil, &usage{msg: fmt.Sprintf("unknown command %q", strings.Join(names, " ")), hint: hint}
		}
		commands = found.Subcommands
	}
	if found == nil {
		return nil, errors.New("no command named")
	}
	return found, nil
}
