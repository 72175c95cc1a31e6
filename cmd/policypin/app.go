package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"
)

// run is the whole tool: it carries out one command line, prints the error if
// there is one, and returns the exit status.
func run(ctx context.Context, outer *world, args []string) int {
	w := outer.guarded()
	err := newApp(w).RunContext(ctx, append([]string{"policypin"}, args...))
	status := w.conclude(ctx, err)
	if err := w.flush(); err != nil && status == statusOK {
		// Nobody reads a message when a stream is broken, but a script that
		// writes to a full disk must not go on.
		return statusFailed
	}
	return status
}

// newApp returns the command tree.
func newApp(w *world) *cli.App {
	app := &cli.App{
		Name:  "policypin",
		Usage: "keep Keycard policy sets as code",
		Description: help{
			text: `Policies are Cedar files and policy sets are manifests in a Git repository.
policypin checks them, publishes a commit as an immutable policy set version,
and pins that version in Git as an annotated tag.`,
			examples: []string{
				"policypin init",
				"policypin validate",
				"policypin publish",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusChanges, statusRefused, statusInterrupted},
		}.String(),
		Commands: []*cli.Command{
			initCommand(w),
			importCommand(w),
			validateCommand(w),
			fmtCommand(w),
			digestCommand(w),
			testCommand(w),
			diffCommand(w),
			impactCommand(w),
			whyCommand(w),
			planCommand(w),
			publishCommand(w),
			activateCommand(w),
			repinCommand(w),
			logCommand(w),
			verifyCommand(w),
			driftCommand(w),
			doctorCommand(w),
			versionsCommand(w),
			schemaCommand(w),
			serveCommand(w),
			hookCommand(w),
			actionCommand(w),
			completionCommand(w),
			versionCommand(w),
			helpCommand(w),
			completeCommand(w),
		},
		// Everything the library would print goes to stderr: what it has to say
		// is never a command's result.
		Writer:         w.stderr,
		ErrWriter:      w.stderr,
		Reader:         w.stdin,
		ExitErrHandler: func(*cli.Context, error) {}, // the library would call os.Exit
		HideHelp:       true,
		HideVersion:    true,
		// A fault rule may hold commas.
		DisableSliceFlagSeparator: true,
	}
	var version helpValue
	app.Flags = append(globalFlags(w), &cli.GenericFlag{Name: "version", Usage: "show the version, as the version command does", Value: &version})
	app.OnUsageError = usageError
	app.Action = func(c *cli.Context) error {
		switch {
		case w.global.help.asked:
			return writeAppHelp(w.stdout, app)
		case version.asked:
			return writeVersion(w, formatText)
		}
		return unknownCommand(w, c, "", app.Commands, func(out io.Writer) error { return writeAppHelp(out, app) })
	}
	for _, cmd := range app.Commands {
		prepare(w, cmd, "policypin")
	}
	return app
}

// prepare gives a command what the library doesn't hand down: the global
// flags, usage errors that go to stderr, our help, and a look at what is left
// of the command line.
func prepare(w *world, cmd *cli.Command, parent string) {
	path := parent + " " + cmd.Name
	if parent != "policypin" {
		cmd.HelpName = path // the library puts the tool's name before those of the first level
	}
	cmd.OnUsageError = usageError
	cmd.HideHelp = true
	if !cmd.SkipFlagParsing {
		cmd.Flags = append(cmd.Flags, globalFlags(w)...)
	}
	for _, sub := range cmd.Subcommands {
		prepare(w, sub, path)
	}
	act := cmd.Action
	if len(cmd.Subcommands) > 0 {
		act = func(c *cli.Context) error {
			return unknownCommand(w, c, path, cmd.Subcommands, func(out io.Writer) error { return writeHelp(out, cmd) })
		}
	}
	cmd.Action = func(c *cli.Context) error {
		if w.global.help.asked {
			return writeHelp(w.stdout, cmd)
		}
		if !cmd.SkipFlagParsing {
			if err := noLateFlags(c); err != nil {
				return err
			}
			if err := noEmptyWords(w, c); err != nil {
				return err
			}
		}
		if parent == "policypin" && slices.Contains(harmless, cmd.Name) {
			return w.untilDone(c, act)
		}
		return act(c)
	}
}

// harmless are the commands that leave nothing behind, wherever they are left,
// but for what was fetched. Some compute for seconds, or read a stdin that nobody
// ends. plan writes its file at the very end, and whole or not at all.
var harmless = []string{"validate", "digest", "test", "diff", "impact", "why", "plan"}

// untilDone runs a harmless command until it ends or is told to. Whatever it
// would have said then, a script must not take it for done and go on.
func (w *world) untilDone(c *cli.Context, act cli.ActionFunc) error {
	result := make(chan error, 1)
	go func() { result <- act(c) }()
	select {
	case err := <-result:
		return err
	case <-c.Context.Done():
		w.left.remove()
		return c.Context.Err()
	}
}

// leftovers are folders that a command removes itself when it ends.
type leftovers struct {
	mu   sync.Mutex
	dirs []string
}

func (l *leftovers) add(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirs = append(l.dirs, dir)
}

// remove removes them as well as it can while the command may still go on.
func (l *leftovers) remove() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, dir := range l.dirs {
		os.RemoveAll(dir)
	}
}

// unknownCommand is what a command group does when none of its commands was
// named: it prints its help to stderr, or says which name it doesn't know.
func unknownCommand(w *world, c *cli.Context, path string, commands []*cli.Command, printHelp func(io.Writer) error) error {
	name := c.Args().First()
	if name == "" {
		if err := printHelp(w.stderr); err != nil {
			return err
		}
		return &usage{msg: "no command given"}
	}
	full := strings.TrimSpace(strings.TrimPrefix(path, "policypin") + " " + name)
	err := &usage{msg: fmt.Sprintf("unknown command %q", full), hint: "policypin --help lists the commands"}
	if near := nearest(name, commandNames(commands)); near != "" {
		err.hint = fmt.Sprintf("did you mean %q?", near)
	}
	return err
}

// usageError turns the library's complaint about a command line into ours.
func usageError(c *cli.Context, err error, _ bool) error {
	msg := err.Error()
	hint, flags := "policypin --help", c.App.Flags
	if c.Command != nil && c.Command.HelpName != "" {
		hint, flags = c.Command.HelpName+" --help", c.Command.Flags
	}
	hint += " lists the flags"
	if name, unknown := strings.CutPrefix(msg, "flag provided but not defined: -"); unknown {
		if near := nearest(name, flagNames(flags)); near != "" {
			hint = fmt.Sprintf("did you mean --%s?", near)
		}
	}
	if rest, ok := strings.CutSuffix(msg, ": parse error"); ok {
		// The library doesn't say what it couldn't parse.
		_, name, _ := strings.Cut(rest, "for flag -")
		for _, f := range flags {
			switch f.(type) {
			case *cli.DurationFlag:
				if f.Names()[0] == name {
					msg = rest + ": must be a time with its unit, such as 30s or 10m"
				}
			case *cli.IntFlag:
				if f.Names()[0] == name {
					msg = rest + ": must be a whole number"
				}
			}
		}
	}
	return &usage{msg: msg, hint: hint}
}

// flagNames lists the long names of flags that help shows.
func flagNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		if shown, ok := f.(cli.VisibleFlag); ok && !shown.IsVisible() {
			continue
		}
		for _, n := range f.Names() {
			if len(n) > 1 {
				names = append(names, n)
			}
		}
	}
	return names
}

// commandNames lists the names of commands that help shows.
func commandNames(commands []*cli.Command) []string {
	var names []string
	for _, cmd := range commands {
		if !cmd.Hidden {
			names = append(names, cmd.Name)
		}
	}
	return names
}

// noLateFlags refuses flags after an argument. The flag package stops at the
// first argument, so they would be taken as arguments, in silence.
func noLateFlags(c *cli.Context) error {
	args := c.Args().Slice()
	for i, a := range args {
		if len(a) < 2 || a[0] != '-' {
			continue
		}
		if i == 0 {
			return &usage{msg: fmt.Sprintf("%q is not an argument that %s takes", a, c.Command.HelpName)}
		}
		return &usage{
			msg:  fmt.Sprintf("flag %s comes after the argument %q", a, args[0]),
			hint: fmt.Sprintf("put flags first: %s %s … %s", c.Command.HelpName, a, args[0]),
		}
	}
	return nil
}

// noEmptyWords refuses a flag or an argument that is there and says nothing. It
// is most often a variable that nobody has set, and to do without what it should
// have said, such as a plan or a target, would be to do something else.
func noEmptyWords(w *world, c *cli.Context) error {
	const hint = "is a variable empty? leave it out if that is meant"
	if w.global.target.given && w.global.target.value == "" {
		return &usage{msg: "--target is empty", hint: hint}
	}
	if w.global.dir.given && w.global.dir.value == "" {
		return &usage{msg: "-C is empty", hint: hint}
	}
	for _, f := range c.Command.Flags {
		name, empty := f.Names()[0], false
		switch f.(type) {
		case *cli.StringFlag:
			empty = c.String(name) == "" && !slices.Contains(cursors, name)
		case *cli.StringSliceFlag:
			empty = slices.Contains(c.StringSlice(name), "")
		}
		if empty && c.IsSet(name) {
			return &usage{msg: "--" + name + " is empty", hint: hint}
		}
	}
	for i, a := range c.Args().Slice() {
		if a == "" {
			return &usage{msg: fmt.Sprintf("argument %d is empty", i+1), hint: hint}
		}
	}
	return nil
}

// cursors are empty before the first page, as the service has them.
var cursors = []string{"after", "before"}

// takeArgs checks the number of arguments and returns them. names are what
// they are called in the message, such as "SET".
func takeArgs(c *cli.Context, least int, names ...string) ([]string, error) {
	args := c.Args().Slice()
	switch {
	case len(args) < least:
		return nil, &usage{msg: fmt.Sprintf("missing argument %s", names[len(args)]), hint: c.Command.HelpName + " --help shows how it is used"}
	case len(args) > len(names):
		return nil, &usage{msg: fmt.Sprintf("unexpected argument %q", args[len(names)]), hint: c.Command.HelpName + " --help shows how it is used"}
	}
	return args, nil
}

// noArgs checks that a command that takes no argument got none.
func noArgs(c *cli.Context) error {
	_, err := takeArgs(c, 0)
	return err
}

// nearest returns the name that is at most two edits away, or "".
func nearest(name string, names []string) string {
	best, at := "", 3
	for _, n := range names {
		if d := edits(name, n); d < at {
			best, at = n, d
		}
	}
	return best
}

// edits is the Levenshtein distance of two short names.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
