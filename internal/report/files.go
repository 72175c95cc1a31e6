package report

import (
	"fmt"
	"io"
	"strings"
)

// A Scaffold says which files init wrote.
type Scaffold struct {
	Schema  int      `json:"schema"`
	Written []string `json:"written"`
	Kept    []string `json:"kept"` // they exist, and were left alone
}

// ScaffoldText writes a line for each file.
func ScaffoldText(w io.Writer, s Scaffold) error {
	p := &printer{w: w}
	for _, name := range s.Written {
		p.line("wrote %s", name)
	}
	for _, name := range s.Kept {
		p.line("kept %s: it exists", name)
	}
	return p.err
}

// Fetched says which schema was fetched and where it is.
type Fetched struct {
	Schema  int    `json:"schema"`
	Target  string `json:"target"`
	ZoneID  string `json:"zone_id"`
	Version string `json:"schema_version"`
	Status  string `json:"status"` // active, deprecated or archived
	Default bool   `json:"is_default"`
	File    string `json:"file"`
	Written bool   `json:"written"` // false: the file had this content already
}

// FetchedText writes it as a line.
func FetchedText(w io.Writer, f Fetched) error {
	verb := "unchanged"
	if f.Written {
		verb = "wrote"
	}
	note := f.Status
	if f.Default {
		note = strings.TrimPrefix(note+", the zone's default", ", ")
	}
	_, err := fmt.Fprintf(w, "%s %s (schema %s: %s)\n", verb, Clean(f.File), Clean(f.Version), Clean(note))
	return err
}

// ServeText says where the local zone listens, and how to try it.
func ServeText(w io.Writer, url, token string, zones []string, store string) error {
	p := &printer{w: w}
	p.line("listening on %s", url)
	if store == "" {
		store = "memory"
	}
	p.line("zones: %s; store: %s", Clean(strings.Join(zones, ", ")), Clean(store))
	p.line(`try: curl -H "Authorization: Bearer %s" %s/zones/%s/policy-sets`, Clean(token), url, Clean(zones[0]))
	return p.err
}
