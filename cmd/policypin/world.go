package main

import (
	"io"
	"path/filepath"

	"github.com/policypin/policypin/internal/redact"
	"github.com/policypin/policypin/internal/report"
)

// A world is everything that a command sees of its surroundings.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	dir            string // absolute; -C is applied to it
	terminal       terminals

	global  globals
	raw     io.Writer       // stdout without the mask; for nothing but telling a runner what to mask
	secrets *redact.Secrets // what stdout and stderr mask
	flush   func() error    // writes an unfinished line of stdout and stderr
	left    *leftovers      // what is removed if a command is left before its end
}

// terminals tells which standard streams are a terminal.
type terminals struct{ stdin, stdout, stderr bool }

// globals are the options that every command takes.
type globals struct {
	dir    textValue
	target textValue
	color  choice
	help   helpValue
}

// secretVariables are the environment variables whose values are never shown.
var secretVariables = []string{
	"KEYCARD_API_CLIENT_SECRET",
	"KEYCARD_API_TOKEN",
	"POLICYPIN_GIT_TOKEN",
	"GITHUB_TOKEN",
}

// guarded returns a copy of w whose output masks secrets.
func (w *world) guarded() *world {
	g := *w
	g.raw = w.stdout
	g.left = &leftovers{}
	g.secrets = &redact.Secrets{}
	for _, name := range secretVariables {
		g.secrets.Add(w.getenv(name))
	}
	out, err := redact.NewWriter(w.stdout, g.secrets), redact.NewWriter(w.stderr, g.secrets)
	g.stdout, g.stderr = out, err
	g.flush = func() error {
		failed := out.Flush()
		if e := err.Flush(); failed == nil {
			failed = e
		}
		return failed
	}
	g.global.color = oneOf("auto", "always", "never")
	return &g
}

// workDir is the folder that the command works in.
func (w *world) workDir() string {
	d := w.global.dir.value
	switch {
	case d == "":
		return w.dir
	case filepath.IsAbs(d):
		return filepath.Clean(d)
	}
	return filepath.Join(w.dir, d)
}

// style says how text on stdout looks. The flag wins over NO_COLOR
// (no-color.org), which wins over FORCE_COLOR, which wins over the terminal.
func (w *world) style() report.Style { return report.Style{Color: w.colored(w.terminal.stdout)} }

// errStyle is style for stderr.
func (w *world) errStyle() report.Style { return report.Style{Color: w.colored(w.terminal.stderr)} }

func (w *world) colored(terminal bool) bool {
	switch w.global.color.value {
	case "always":
		return true
	case "never":
		return false
	}
	if w.getenv("NO_COLOR") != "" {
		return false
	}
	if force := w.getenv("FORCE_COLOR"); force != "" {
		return force != "0" && force != "false"
	}
	return terminal && w.getenv("TERM") != "dumb"
}
