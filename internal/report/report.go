// Package report writes values for people and for programs: text and JSON. It
// decides nothing and reads no environment; a renderer gets a finished value
// and returns the error of its writer.
//
// JSON is a promise, described in docs/json.md: snake_case, sorted, empty lists
// rather than null, and a schema number that grows when a field changes.
package report

import (
	"encoding/json"
	"io"
)

// Schema is the number in every JSON result of this package.
const Schema = 1

// JSON writes v as one indented document.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// BuildInfo says which build this is.
type BuildInfo struct {
	Schema   int    `json:"schema"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Commit   string `json:"commit"`   // "" when it isn't known
	Modified bool   `json:"modified"` // built from a tree with local changes
	Go       string `json:"go"`
	System   string `json:"system"` // operating system/architecture
}

// Build writes a build as one line.
func Build(w io.Writer, b BuildInfo) error {
	line := b.Name + " " + b.Version
	if b.Commit != "" {
		line += " (" + b.Commit
		if b.Modified {
			line += ", modified"
		}
		line += ")"
	}
	_, err := io.WriteString(w, line+" "+b.Go+" "+b.System+"\n")
	return err
}
