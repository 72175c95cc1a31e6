// Command policypin keeps Keycard policy sets as code: it validates them,
// publishes them from commits, and pins what was published in Git.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() { os.Exit(mainStatus()) }

// mainStatus runs the tool in this process. The first SIGINT or SIGTERM asks
// the command to end in order, which a publish uses to give its lock back; the
// second one ends the process at once.
func mainStatus() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	w := &world{
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		getenv: os.Getenv,
		dir:    dir,
		terminal: terminals{
			stdin:  term.IsTerminal(int(os.Stdin.Fd())),
			stdout: term.IsTerminal(int(os.Stdout.Fd())),
			stderr: term.IsTerminal(int(os.Stderr.Fd())),
		},
	}
	return run(ctx, w, os.Args[1:])
}
