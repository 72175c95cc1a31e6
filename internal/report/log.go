package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Log lists what was published to a target.
type Log struct {
	Schema int      `json:"schema"`
	Target string   `json:"target"`
	ZoneID string   `json:"zone_id"`
	Origin string   `json:"origin"` // where the pins were read
	Pins   []LogPin `json:"pins"`   // newest first
}

// A LogPin is one pin with what the log shows of its commit.
type LogPin struct {
	Tag           string    `json:"tag"`
	Set           string    `json:"set"`
	Version       int       `json:"version"`
	VersionID     string    `json:"policy_set_version_id"`
	Commit        string    `json:"commit"`
	PublishedAt   time.Time `json:"published_at"`
	Author        string    `json:"author"`  // "" when the clone lacks the commit
	Subject       string    `json:"subject"` // the same
	SchemaVersion string    `json:"schema_version"`
	ManifestSHA   string    `json:"manifest_sha"`
	SetDigest     string    `json:"set_digest"`
	Entries       int       `json:"entries"`
	Added         int       `json:"added"` // entries, since the pin before
	Removed       int       `json:"removed"`
	Changed       int       `json:"changed"`
	Active        *bool     `json:"active"` // null when the zone wasn't asked
	Signed        bool      `json:"signed"`
}

// LogText writes a log as a table.
func LogText(w io.Writer, style Style, l Log) error {
	p := &printer{w: w, style: style}
	if len(l.Pins) == 0 {
		p.line("no pins for target %s in %s", Clean(l.Target), Clean(l.Origin))
		return p.err
	}
	const stateColumn = 4
	rows := [][]string{{"PIN", "COMMIT", "PUBLISHED", "CHANGES", "STATE", "AUTHOR", "SUBJECT"}}
	asked := false
	for _, pin := range l.Pins {
		state := "-"
		if pin.Active != nil {
			asked = true
			if *pin.Active {
				state = "active"
			}
		}
		name, _, _ := strings.Cut(pin.Author, " <")
		rows = append(rows, []string{
			fmt.Sprintf("%s v%d", pin.Set, pin.Version), pin.Commit[:min(12, len(pin.Commit))], moment(pin.PublishedAt),
			fmt.Sprintf("+%d -%d ~%d", pin.Added, pin.Removed, pin.Changed), state, orDash(name), orDash(pin.Subject),
		})
	}
	if !asked { // nobody knows, and "-" would look like an answer
		for i, row := range rows {
			rows[i] = slices.Delete(row, stateColumn, stateColumn+1)
		}
	}
	p.table(rows, func(_, column int, cell string) string {
		if asked && column == stateColumn && strings.HasPrefix(cell, "active") {
			return style.paint(sgrGreen, cell)
		}
		return cell
	})
	return p.err
}
