package report

import (
	"io"

	"github.com/policypin/policypin/internal/publish"
)

// Unused lists what nothing refers to in a zone.
type Unused struct {
	Schema int    `json:"schema"`
	Target string `json:"target"`
	ZoneID string `json:"zone_id"`
	publish.Unused
}

// UnusedText writes a table, and the commands ready to copy.
func UnusedText(w io.Writer, style Style, u Unused) error {
	p := &printer{w: w, style: style}
	if len(u.Versions)+len(u.Policies)+len(u.PolicyVersions) == 0 {
		p.line("everything in %s is used", Clean(u.Target))
		return p.err
	}
	rows := [][]string{{"KIND", "NAME", "VERSION", "ID", "BY"}}
	var commands []string
	for _, v := range u.Versions {
		rows = append(rows, []string{"policy set version", v.Set, number(v.Version), v.VersionID, orDash(v.CreatedBy)})
		commands = append(commands, v.Command)
	}
	for _, v := range u.Policies {
		rows = append(rows, []string{"policy", v.Policy, "-", v.PolicyID, orDash(v.CreatedBy)})
		commands = append(commands, v.Command)
	}
	for _, v := range u.PolicyVersions {
		rows = append(rows, []string{"policy version", v.Policy, number(v.Version), v.VersionID, orDash(v.CreatedBy)})
		commands = append(commands, v.Command)
	}
	p.table(rows, nil)
	p.line("")
	for _, c := range commands {
		p.line("%s", Clean(c))
	}
	if len(u.Versions) > 0 {
		p.line("")
		p.line("what these policy set versions hold counts as used until they are archived")
	}
	return p.err
}

// ArchivedPolicy says what became of archiving a policy or a version of one.
type ArchivedPolicy struct {
	Schema    int    `json:"schema"`
	Target    string `json:"target"`
	ZoneID    string `json:"zone_id"`
	Policy    string `json:"policy"`
	PolicyID  string `json:"policy_id"`
	Version   int    `json:"version"` // 0: the policy as a whole
	VersionID string `json:"policy_version_id"`
}

// ArchivedPolicyText writes it as a line.
func ArchivedPolicyText(w io.Writer, a ArchivedPolicy) error {
	p := &printer{w: w}
	if a.Version == 0 {
		p.line("archived policy %s (%s)", Clean(a.Policy), Clean(a.PolicyID))
	} else {
		p.line("archived version %d of policy %s (%s)", a.Version, Clean(a.Policy), Clean(a.VersionID))
	}
	return p.err
}
