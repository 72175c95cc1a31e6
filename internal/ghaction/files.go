package ghaction

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// The library has functions for these files. They panic where a file is missing,
// and end a value with a word that is the same everywhere, so that a value with
// that line in it could set other outputs.

// ErrNoFile is returned when the runner gave no file to write to: an old runner,
// or none.
var ErrNoFile = errors.New("the runner gave no file for it")

// An Output is one value for later steps.
type Output struct{ Name, Value string }

// maxOutputs bounds the values of a step: a job may have 1 MB, counted in
// UTF-16.
const maxOutputs = 512 << 10

// WriteOutputs appends the step's outputs. A value may hold anything: it ends at
// a line that nobody can know before. One that doesn't fit with the others is
// written as "", and the error names it. The error wraps [ErrNoFile] outside
// a runner.
func (r *Runner) WriteOutputs(outputs []Output) error {
	var b strings.Builder
	var long []error
	room := maxOutputs
	for _, o := range outputs {
		end := "ghadelimiter_" + randomWord()
		value := strings.ToValidUTF8(o.Value, "\uFFFD")
		if len(value) > room {
			long = append(long, fmt.Errorf("output %s is left empty: its %d bytes are too many for the runner", o.Name, len(value)))
			value = ""
		}
		room -= len(value)
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.Name, end, value, end)
	}
	if err := appendTo(r.outputPath, b.String()); err != nil {
		return fmt.Errorf("writing outputs: %w", err)
	}
	return errors.Join(long...)
}

// MaxSummary is how much a step's summary may hold (FileCommandManager.cs,
// AttachmentSizeLimit). A byte more, and the runner shows nothing of it.
const MaxSummary = 1 << 20

// SummaryRoom is how many bytes fit into the step's summary, 0 without one.
func (r *Runner) SummaryRoom() int {
	if r.summaryPath == "" {
		return 0
	}
	info, err := os.Stat(r.summaryPath)
	if errors.Is(err, os.ErrNotExist) {
		return MaxSummary
	}
	if err != nil || info.Size() >= MaxSummary {
		return 0
	}
	return MaxSummary - int(info.Size())
}

// WriteSummary appends Markdown to the step's summary, and refuses what doesn't
// fit. The error wraps [ErrNoFile] outside a runner.
func (r *Runner) WriteSummary(markdown string) error {
	if r.summaryPath != "" && len(markdown) > r.SummaryRoom() {
		return fmt.Errorf("writing the summary: %d bytes don't fit into it", len(markdown))
	}
	if err := appendTo(r.summaryPath, markdown); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	return nil
}

func appendTo(name, text string) error {
	if name == "" {
		return ErrNoFile
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}
