package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// A SetList lists the policy sets of a zone.
type SetList struct {
	Schema int      `json:"schema"`
	Target string   `json:"target"`
	ZoneID string   `json:"zone_id"`
	Sets   []SetRow `json:"policy_sets"`
}

// A SetRow is one policy set.
type SetRow struct {
	Name            string     `json:"name"`
	ID              string     `json:"id"`
	OwnerType       string     `json:"owner_type"`
	TargetType      string     `json:"target_type"`
	LatestVersion   int        `json:"latest_version"`
	ActiveVersion   int        `json:"active_version"` // 0: none
	ActiveVersionID string     `json:"active_version_id"`
	ArchivedAt      *time.Time `json:"archived_at"`
}

// SetListText writes the policy sets as a table.
func SetListText(w io.Writer, style Style, l SetList) error {
	p := &printer{w: w, style: style}
	rows := [][]string{{"POLICY SET", "ID", "OWNER", "LATEST", "ACTIVE"}}
	for _, s := range l.Sets {
		rows = append(rows, []string{s.Name, s.ID, orDash(s.OwnerType), number(s.LatestVersion), number(s.ActiveVersion)})
	}
	p.table(rows, nil)
	return p.err
}

// A VersionList is one page of the versions of a policy set.
type VersionList struct {
	Schema   int          `json:"schema"`
	Target   string       `json:"target"`
	ZoneID   string       `json:"zone_id"`
	Set      string       `json:"policy_set"`
	SetID    string       `json:"policy_set_id"`
	Versions []VersionRow `json:"versions"`
	After    string       `json:"after"`  // cursor of the next page, "" at the end
	Before   string       `json:"before"` // cursor of the page before
	Total    *int         `json:"total"`  // null when it wasn't asked for
}

// A VersionRow is one version with its pin.
type VersionRow struct {
	Version       int        `json:"version"`
	ID            string     `json:"policy_set_version_id"`
	SchemaVersion string     `json:"schema_version"`
	ManifestSHA   string     `json:"manifest_sha"`
	Active        bool       `json:"active"`
	OwnerType     string     `json:"owner_type"`
	CreatedAt     time.Time  `json:"created_at"`
	CreatedBy     string     `json:"created_by"`
	ArchivedAt    *time.Time `json:"archived_at"`
	Tag           string     `json:"tag"`    // "" without a pin
	Commit        string     `json:"commit"` // the same
}

func (v VersionRow) state() string {
	switch {
	case v.Active:
		return "active"
	case v.ArchivedAt != nil:
		return "archived"
	}
	return "-"
}

// VersionListText writes the page as a table, and how to see the next one.
func VersionListText(w io.Writer, style Style, l VersionList) error {
	p := &printer{w: w, style: style}
	if len(l.Versions) == 0 {
		p.line("no versions of policy set %s", Clean(l.Set))
		return p.err
	}
	rows := [][]string{{"VERSION", "ID", "STATE", "SCHEMA", "CREATED", "BY", "PIN", "COMMIT"}}
	for _, v := range l.Versions {
		rows = append(rows, []string{
			number(v.Version), v.ID, v.state(), v.SchemaVersion, moment(v.CreatedAt), orDash(v.CreatedBy),
			orDash(v.Tag), orDash(v.Commit[:min(12, len(v.Commit))]),
		})
	}
	p.table(rows, func(_, column int, cell string) string {
		if column == 2 && cell == "active" {
			return style.paint(sgrGreen, cell)
		}
		return cell
	})
	p.more(l.Total, len(l.Versions), l.After)
	return p.err
}

// more says how to see the next page.
func (p *printer) more(total *int, shown int, after string) {
	if total != nil {
		p.line("%d of %d", shown, *total)
	}
	if after != "" {
		p.line("more: --after %s", Clean(after))
	}
}

// A Version is one version with its manifest.
type Version struct {
	Schema int    `json:"schema"`
	Target string `json:"target"`
	ZoneID string `json:"zone_id"`
	Set    string `json:"policy_set"`
	SetID  string `json:"policy_set_id"`
	VersionRow
	Attestation json.RawMessage `json:"attestation"` // null if it has none
	Entries     []VersionEntry  `json:"entries"`     // in the manifest's order
}

// A VersionEntry is one entry of a version's manifest.
type VersionEntry struct {
	Policy    string `json:"policy"`
	PolicyID  string `json:"policy_id"`
	Version   int    `json:"version"`
	VersionID string `json:"policy_version_id"`
	SHA       string `json:"sha"`
}

// VersionText writes a version for people.
func VersionText(w io.Writer, style Style, v Version) error {
	p := &printer{w: w, style: style}
	p.line("%s", style.paint(sgrBold, fmt.Sprintf("%s v%d", Clean(v.Set), v.Version)))
	for _, row := range [][2]string{
		{"id", v.ID},
		{"zone", v.ZoneID},
		{"state", v.state()},
		{"schema", v.SchemaVersion},
		{"manifest sha", v.ManifestSHA},
		{"created", strings.TrimSuffix(moment(v.CreatedAt)+" by "+v.CreatedBy, " by ")},
		{"pin", v.Tag},
		{"commit", v.Commit},
		{"attestation", attested(v.Attestation)},
	} {
		p.line("  %-13s %s", row[0], Clean(orDash(row[1])))
	}
	p.line("")
	rows := [][]string{{"POLICY", "VERSION", "ID", "SHA"}}
	for _, e := range v.Entries {
		rows = append(rows, []string{orDash(e.Policy), number(e.Version), e.VersionID, e.SHA[:min(12, len(e.SHA))]})
	}
	p.table(rows, nil)
	return p.err
}

// attested only says that there is one: nothing was checked.
func attested(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return "none"
	}
	return "present, not checked"
}

// A PolicyList is one page of the policies of a version.
type PolicyList struct {
	Schema    int         `json:"schema"`
	Target    string      `json:"target"`
	ZoneID    string      `json:"zone_id"`
	Set       string      `json:"policy_set"`
	Version   int         `json:"version"`
	VersionID string      `json:"policy_set_version_id"`
	Policies  []PolicyRow `json:"policies"`
	After     string      `json:"after"`
	Before    string      `json:"before"`
	Total     *int        `json:"total"`
}

// A PolicyRow is one policy version.
type PolicyRow struct {
	Policy        string `json:"policy"`
	PolicyID      string `json:"policy_id"`
	Version       int    `json:"version"`
	VersionID     string `json:"policy_version_id"`
	SHA           string `json:"sha"`
	SchemaVersion string `json:"schema_version"`
	OwnerType     string `json:"owner_type"`
	Cedar         string `json:"cedar"` // "" unless it was asked for
}

// PolicyListText writes the policies as a table, or one after the other when
// they have their Cedar.
func PolicyListText(w io.Writer, style Style, l PolicyList) error {
	p := &printer{w: w, style: style}
	if len(l.Policies) == 0 {
		p.line("no policies in %s v%d", Clean(l.Set), l.Version)
		return p.err
	}
	rows := [][]string{{"POLICY", "VERSION", "ID", "OWNER", "SHA"}}
	for i, r := range l.Policies {
		if r.Cedar == "" {
			rows = append(rows, []string{r.Policy, number(r.Version), r.VersionID, orDash(r.OwnerType), r.SHA[:min(12, len(r.SHA))]})
			continue
		}
		if i > 0 {
			p.line("")
		}
		p.line("%s", style.paint(sgrDim, fmt.Sprintf("// %s v%d (%s)", Clean(r.Policy), r.Version, Clean(r.VersionID))))
		p.line("%s", strings.TrimRight(CleanLines(r.Cedar), "\n"))
	}
	if len(rows) > 1 {
		p.table(rows, nil)
	}
	p.more(l.Total, len(l.Policies), l.After)
	return p.err
}

// Archived says what became of an archiving.
type Archived struct {
	Schema     int        `json:"schema"`
	Target     string     `json:"target"`
	ZoneID     string     `json:"zone_id"`
	Set        string     `json:"policy_set"`
	Version    int        `json:"version"`
	VersionID  string     `json:"policy_set_version_id"`
	ArchivedAt *time.Time `json:"archived_at"`
	New        bool       `json:"new"` // false: it was archived before
}

// ArchivedText writes it as a line.
func ArchivedText(w io.Writer, a Archived) error {
	verb := "archived"
	if !a.New {
		verb = "was archived already:"
	}
	_, err := fmt.Fprintf(w, "%s %s v%d (%s)\n", verb, Clean(a.Set), a.Version, Clean(a.VersionID))
	return err
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return "v" + strconv.Itoa(n)
}
