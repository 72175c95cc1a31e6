package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// The values below are used through cli.GenericFlag, which registers the value
// itself: a flag that is given before the command and known to the command as
// well keeps its value. The library's StringFlag would set it back to the
// default when the command's own flags are parsed.

// A textValue is a flag's text.
type textValue struct {
	value string
	given bool
}

func (v *textValue) Set(s string) error { v.value, v.given = s, true; return nil }
func (v *textValue) String() string {
	if v == nil {
		return ""
	}
	return v.value
}

// A choice is a flag that takes one of a few words; the first is the default.
type choice struct {
	value   string
	allowed []string
}

func oneOf(words ...string) choice { return choice{value: words[0], allowed: words} }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("must be %s", orList(c.allowed))
	}
	c.value = s
	return nil
}

func (c *choice) String() string {
	if c == nil {
		return ""
	}
	return c.value
}

// helpValue is the --help flag. It is not one of the library's, since that one
// would print the library's help before a command can look at its arguments.
type helpValue struct{ asked bool }

func (h *helpValue) Set(string) error { h.asked = true; return nil }
func (h *helpValue) String() string   { return "" }
func (h *helpValue) IsBoolFlag() bool { return true }

// globalFlags are added to every command, so that they may stand before and
// after its name.
func globalFlags(w *world) []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "C", Usage: "work in `DIR` instead of the current folder", Value: &w.global.dir},
		&cli.GenericFlag{Name: "target", Usage: "the `TARGET` of the project file to work with (default: its default_target)", Value: &w.global.target},
		&cli.GenericFlag{Name: "color", Usage: "when to colour text: `WHEN` is auto, always or never", Value: &w.global.color},
		&cli.GenericFlag{Name: "help", Aliases: []string{"h"}, Usage: "show this help", Value: &w.global.help},
	}
}

// Output formats.
const (
	formatText     = "text"
	formatJSON     = "json"
	formatMarkdown = "markdown"
	formatGitHub   = "github" // workflow commands
	formatSARIF    = "sarif"
	formatJUnit    = "junit"
)

// formatFlag is the --format flag of a command that can write these formats;
// the first is the default.
func formatFlag(dest *choice, formats ...string) cli.Flag {
	*dest = oneOf(formats...)
	return &cli.GenericFlag{Name: "format", Usage: "write the result as `FORMAT`: " + orList(formats), Value: dest}
}

// apiURLFlag is the --api-url flag of commands that talk to a zone.
func apiURLFlag(dest *string) cli.Flag {
	return &cli.StringFlag{
		Name:        "api-url",
		Usage:       "the API's address is `URL` (default: $KEYCARD_API_BASE_URL, else the production API)",
		Destination: dest,
	}
}

// orList joins words as "a, b or c".
func orList(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return strings.Join(words, "")
}
