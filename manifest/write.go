package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// NewProject returns what a project file with nothing but these targets means.
func NewProject(targets ...Target) *Project {
	p := defaultProject()
	p.Targets = targets
	return p
}

// WriteProject returns a project as a file in the canonical layout. What has its
// default value is left out.
func WriteProject(p *Project) []byte {
	var w writer
	standard := defaultProject()
	w.line(0, "apiVersion", apiVersion)
	w.line(0, "kind", "Project")
	if !slices.Equal(p.Manifests, standard.Manifests) {
		w.list("manifests", p.Manifests)
	}
	if p.Schemas != standard.Schemas {
		w.line(0, "schemas", scalar(p.Schemas))
	}
	if !slices.Equal(p.Tests, standard.Tests) {
		w.list("tests", p.Tests)
	}
	if !slices.Equal(p.Entities, standard.Entities) {
		w.list("entities", p.Entities)
	}
	if !slices.Equal(p.Requests, standard.Requests) {
		w.list("requests", p.Requests)
	}
	if len(p.Targets) > 0 {
		w.WriteString("targets:\n")
	}
	for _, t := range p.Targets {
		w.target(t)
	}
	if p.DefaultTarget != standard.DefaultTarget {
		w.line(0, "default_target", scalar(p.DefaultTarget))
	}
	if p.Gates != standard.Gates {
		w.WriteString("gates:\n")
		if p.Gates.MaxRemovedEntries != nil {
			w.line(1, "max_removed_entries", strconv.Itoa(*p.Gates.MaxRemovedEntries))
		}
		if p.Gates.Widened != standard.Gates.Widened {
			w.line(1, "widened", p.Gates.Widened)
		}
		if p.Gates.Uncovered != standard.Gates.Uncovered {
			w.line(1, "uncovered", p.Gates.Uncovered)
		}
	}
	return []byte(w.String())
}

func (w *writer) target(t Target) {
	name := scalar(t.Name)
	if t.Name == localTarget && (t.ZoneID == localZoneID || t.ZoneID == "") && (t.Pins == localTarget || t.Pins == "") && t.Branch+t.Active == "" {
		w.WriteString("  " + name + ": {}\n")
		return
	}
	w.WriteString("  " + name + ":\n")
	if t.ZoneID != "" && (t.Name != localTarget || t.ZoneID != localZoneID) {
		w.line(2, "zone_id", scalar(t.ZoneID))
	}
	if t.Branch != "" {
		w.line(2, "branch", scalar(t.Branch))
	}
	if t.Pins != "" && t.Pins != t.Name {
		w.line(2, "pins", scalar(t.Pins))
	}
	if t.Active != "" {
		w.line(2, "active", scalar(t.Active))
	}
}

// WriteSet returns a manifest as a file in the canonical layout.
func WriteSet(s *Set) []byte {
	var w writer
	w.line(0, "apiVersion", apiVersion)
	w.line(0, "kind", "PolicySet")
	w.line(0, "name", scalar(s.Name))
	if s.Was != "" {
		w.line(0, "was", scalar(s.Was))
	}
	// In quotes, since other readers of YAML take a date for more than text.
	w.line(0, "schema_version", strconv.Quote(s.SchemaVersion))
	if s.TargetType != "" && s.TargetType != "zone" {
		w.line(0, "target_type", s.TargetType)
	}
	if len(s.Targets) > 0 {
		w.list("targets", s.Targets)
	}
	if len(s.Entries) == 0 {
		w.WriteString("entries: []\n")
		return []byte(w.String())
	}
	w.WriteString("entries:\n")
	for _, e := range s.Entries {
		w.entry(e)
	}
	return []byte(w.String())
}

func (w *writer) entry(e Entry) {
	indent := "  - "
	add := func(key, value string) {
		w.WriteString(indent + key + ": " + value + "\n")
		indent = "    "
	}
	for _, f := range [][2]string{
		{"policy", e.Policy}, {"was", e.Was}, {"source", e.Source}, {"description", e.Description},
	} {
		if f[1] != "" {
			add(f[0], scalar(f[1]))
		}
	}
	if e.Version != 0 {
		add("version", strconv.Itoa(e.Version))
	}
	for _, f := range [][2]string{{"policy_id", e.PolicyID}, {"policy_version_id", e.VersionID}, {"sha", e.SHA}} {
		if f[1] != "" {
			add(f[0], scalar(f[1]))
		}
	}
}

// A writer writes YAML of which every reader, of 1.1 or 1.2, understands the
// same.
type writer struct{ strings.Builder }

func (w *writer) line(level int, key, value string) {
	w.WriteString(strings.Repeat("  ", level) + key + ": " + value + "\n")
}

func (w *writer) list(key string, items []string) {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = scalar(s)
	}
	text := "[" + strings.Join(quoted, ", ") + "]"
	if utf8.RuneCountInString(key+": "+text) <= maxLine {
		w.line(0, key, text)
		return
	}
	w.WriteString(key + ":\n  - " + strings.Join(quoted, "\n  - ") + "\n")
}

var (
	// plainText is text that needs no quotes: words that begin with a letter,
	// without any character that YAML gives a meaning to.
	plainText = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*$`)
	// plainWord matches what some reader takes for a boolean, for nothing, or
	// for a number; YAML 1.1, section "Language-Independent Types".
	plainWord = regexp.MustCompile(`^(?i:y|yes|n|no|true|false|on|off|null|nan|inf)$`)
)

// scalar writes text, in double quotes where it could be taken for anything
// else. Every escape that strconv.Quote writes is one of YAML's too (YAML 1.2,
// section 5.7).
func scalar(s string) string {
	if plainText.MatchString(s) && !plainWord.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// errCredential is the problem of a text that validate would take for a secret.
var errCredential = errors.New("is shaped like a credential")

// CheckName tells whether a policy of this name can be in a manifest by its
// name. The service takes any text.
func CheckName(s string) error { return check(s, badName) }

// CheckSetName is [CheckName] for policy sets.
func CheckSetName(s string) error { return check(s, badSetName) }

// CheckTargetName tells whether a target can have this name.
func CheckTargetName(s string) error { return check(s, badWord) }

// CheckID tells whether an id of the API can be in a file.
func CheckID(s string) error { return check(s, badID) }

// CheckSchemaVersion tells whether a schema of this version can be committed.
func CheckSchemaVersion(s string) error { return check(s, badSchemaVersion) }

// CheckDescription tells whether a manifest can hold this description.
func CheckDescription(s string) error { return check(s, badDescription) }

func badDescription(s string) string {
	if len(s) > maxDescriptionBytes {
		return fmt.Sprintf("is longer than %d bytes", maxDescriptionBytes)
	}
	return ""
}

func check(s string, bad func(string) string) error {
	if why := bad(s); why != "" {
		return errors.New(why)
	}
	if len(tokenSpans([]byte(s))) > 0 {
		return errCredential
	}
	return nil
}

// maxDescriptionBytes is the most that a console can show with sense; the
// service documents no limit.
const maxDescriptionBytes = 4096
