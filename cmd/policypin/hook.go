package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

func hookCommand(w *world) *cli.Command {
	return &cli.Command{
		Name:  "hook",
		Usage: "check what is staged before each commit",
		Description: help{
			text: `Installs or removes a pre-commit hook of plain Git. Where pre-commit, lefthook or
husky manages the hooks, install prints what to add to its configuration.`,
			examples: []string{"policypin hook install", "policypin hook uninstall"},
			statuses: []int{statusOK, statusUsage},
		}.String(),
		Subcommands: []*cli.Command{hookInstallCommand(w), hookUninstallCommand(w)},
	}
}

func hookInstallCommand(w *world) *cli.Command {
	var plain bool
	return &cli.Command{
		Name:  "install",
		Usage: "write the pre-commit hook",
		Description: help{
			text: `Writes a pre-commit hook that runs policypin validate --staged --fmt for this project,
in the folder where Git looks for hooks: core.hooksPath, or what all work trees of
the clone share. A second project in the clone is added to the same hook.

Running it again brings an older hook up to date.

A hook that somebody else wrote is never changed. There, where a hook manager is
configured, and where core.hooksPath leads out of the repository, nothing is
written: what to add by hand is printed, and the status is 5.`,
			examples: []string{"policypin hook install", "policypin -C services/policies hook install"},
			statuses: []int{statusOK, statusFailed, statusUsage, statusRefused},
		}.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "plain", Usage: "write a Git hook although a hook manager is configured", Destination: &plain},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return installHook(w, plain)
		},
	}
}

func hookUninstallCommand(w *world) *cli.Command {
	return &cli.Command{
		Name:  "uninstall",
		Usage: "remove what install wrote",
		Description: help{
			text: `Takes this project out of the hook that policypin hook install wrote, and removes
the hook with its last project, or where there is no project. Another hook is kept.`,
			examples: []string{"policypin hook uninstall"},
			statuses: []int{statusOK, statusFailed, statusUsage},
		}.String(),
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return uninstallHook(w)
		},
	}
}

func installHook(w *world, plain bool) error {
	p, err := w.findProject()
	if err != nil {
		return err
	}
	defer p.close()
	repo, err := p.git()
	if err != nil {
		return err
	}
	dir, err := repo.HooksDir()
	if err != nil {
		return err
	}
	if m, file := managerOf(repo.Root()); m != nil && !plain {
		return useManager(w, m, repo.Root(), file, p.rel)
	}
	name := filepath.Join(dir.Path, hookName)
	shown := report.Clean(shortPath(repo.Root(), name))
	if !dir.Own {
		return byHand(w, shellSnippet(p.rel),
			fmt.Sprintf("core.hooksPath leads to %s, which other repositories may use too", report.Clean(dir.Path)),
			"add what was printed to the hook there, or set core.hooksPath in this repository")
	}
	have, err := readHook(name)
	if errors.Is(err, errForeignHook) {
		return byHand(w, shellSnippet(p.rel), shown+" is somebody else's hook", "add what was printed to it")
	}
	if err != nil {
		return err
	}
	want := have.with(p.rel)
	text, err := want.script()
	if err != nil {
		return err
	}
	if have.complete && string(have.text) == text {
		_, err := fmt.Fprintf(w.stdout, "kept %s: it checks %s\n", shown, want.list())
		return err
	}
	if err := writeHook(name, text, have.text == nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "wrote %s: it checks %s\n", shown, want.list())
	return err
}

func uninstallHook(w *world) error {
	repo, err := gitstore.Open(w.workDir(), w.getenv)
	if err != nil {
		return err
	}
	defer repo.Close()
	dir, err := repo.HooksDir()
	if err != nil {
		return err
	}
	name := filepath.Join(dir.Path, hookName)
	shown := report.Clean(shortPath(repo.Root(), name))
	have, err := readHook(name)
	if errors.Is(err, errForeignHook) {
		w.say("kept %s: it isn't a hook of policypin", shown)
		return nil
	}
	if err != nil {
		return err
	}
	if have.text == nil {
		w.say("there is no hook of policypin")
		return nil
	}
	rest := hook{}
	if p, err := projectIn(repo, w.workDir()); err == nil {
		rest = have.without(p.rel)
	} else if !errors.Is(err, errNoProject) {
		return err
	}
	if len(rest.projects) == 0 {
		if err := os.Remove(name); err != nil {
			return err
		}
		_, err = fmt.Fprintf(w.stdout, "removed %s\n", shown)
		return err
	}
	if slices.Equal(rest.projects, have.projects) {
		w.say("kept %s: it checks %s, not this project", shown, rest.list())
		return nil
	}
	text, err := rest.script()
	if err != nil {
		return err
	}
	if err := writeHook(name, text, false); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "wrote %s: it checks %s\n", shown, rest.list())
	return err
}

// byHand prints what the user has to add, and refuses.
func byHand(w *world, snippet, msg, hint string) error {
	if _, err := io.WriteString(w.stdout, snippet); err != nil {
		return err
	}
	return &refusal{msg: msg, hint: hint}
}

// useManager leaves the hook to a hook manager.
func useManager(w *world, m *hookManager, root, file, rel string) error {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil && !missing(err) {
		return err
	}
	if runsPolicypin(string(text)) {
		defer w.say("without %s: policypin hook install --plain", m.name)
		_, err := fmt.Fprintf(w.stdout, "%s runs policypin already; %s makes Git call it\n", file, m.activate)
		return err
	}
	return byHand(w, m.snippet(rel),
		fmt.Sprintf("%s manages the hooks of this repository", m.name),
		fmt.Sprintf("add what was printed to %s, or write a Git hook all the same with --plain", file))
}

// shortPath is a path as seen from the top of the work tree, if it is below.
func shortPath(root, name string) string {
	if rel, err := filepath.Rel(root, name); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return name
}
