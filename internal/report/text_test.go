package report

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/manifest"
)

func TestClean(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain text stays", "finance-read ✓ é 漢", "finance-read ✓ é 漢"},
		{"a colour is shown", "a\x1b[31mb", `a\x1b[31mb`},
		{"a line end is shown", "a\nb\r", `a\nb\x0d`},
		{"a tab is shown", "a\tb", `a\tb`},
		{"text can't run backwards", "a\u202eb\u2066", `a\u202eb\u2066`},
		{"nothing is invisible", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"nothing is hidden in tags", "a\U000e0041", `a\U000e0041`},
		{"the upper controls are shown", "a\u009b31m", `a\u009b31m`},
		{"lines that aren't \\n are shown", "a\u2028b", `a\u2028b`},
		{"broken UTF-8 is shown", "a\xffb", `a\xffb`},
		{"a replacement character stays", "a\ufffdb", "a\ufffdb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clean(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got, want := CleanLines("a\tb\r\n\x1bc\n"), "a\tb\n\\x1bc\n"; got != want {
		t.Errorf("CleanLines: got %q, want %q", got, want)
	}
}

const evil = "n\x1b[2J\u202e\nerror: faked"

// Whatever a name holds, it can't leave its line or move the cursor.
func TestHostileNamesAreHarmless(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	renderers := map[string]func(w *strings.Builder) error{
		"problems": func(w *strings.Builder) error {
			return Problems(w, Style{}, diag.List{{Position: diag.Position{File: evil, Line: 1}, Message: evil, Fix: evil, Rule: "r"}})
		},
		"digests": func(w *strings.Builder) error {
			return DigestText(w, Style{}, Digests{Sets: []SetDigest{{Set: evil, File: evil}}, Sources: []SourceDigest{{Source: evil}}})
		},
		"diff": func(w *strings.Builder) error {
			change := []manifest.Change{{Field: evil, From: evil, To: evil}}
			return DiffText(w, Style{}, Diff{From: Side{Name: evil}, To: Side{Name: evil}, Diff: manifest.Diff{Project: change,
				Sets: []manifest.SetDiff{{Name: evil, Was: evil, Kind: manifest.Changed, Fields: change, Entries: []manifest.EntryDiff{
					{Policy: evil, Was: evil, Kind: manifest.Changed, Fields: change, FromText: "a\x1b[2J\n", ToText: "b\u202e\n", FromFile: "f", ToFile: "f"},
				}}}}})
		},
		"log": func(w *strings.Builder) error {
			return LogText(w, Style{}, Log{Pins: []LogPin{{Set: evil, Author: evil, Subject: evil, PublishedAt: now}}})
		},
		"sets": func(w *strings.Builder) error {
			return SetListText(w, Style{}, SetList{Sets: []SetRow{{Name: evil, ID: evil, OwnerType: evil}}})
		},
		"versions": func(w *strings.Builder) error {
			return VersionListText(w, Style{}, VersionList{Set: evil, After: evil, Versions: []VersionRow{{ID: evil, CreatedBy: evil, Tag: evil, SchemaVersion: evil}}})
		},
		"version": func(w *strings.Builder) error {
			return VersionText(w, Style{}, Version{Set: evil, ZoneID: evil, VersionRow: VersionRow{ID: evil, CreatedBy: evil, CreatedAt: now}, Entries: []VersionEntry{{Policy: evil, VersionID: evil, SHA: evil}}})
		},
		"policies": func(w *strings.Builder) error {
			return PolicyListText(w, Style{}, PolicyList{Set: evil, Policies: []PolicyRow{{Policy: evil, VersionID: evil}, {Policy: evil, VersionID: evil, Cedar: "permit\x1b[2J"}}})
		},
		"archived": func(w *strings.Builder) error { return ArchivedText(w, Archived{Set: evil, VersionID: evil}) },
		"files": func(w *strings.Builder) error {
			return FetchedText(w, Fetched{File: evil, Version: evil, Status: evil})
		},
		"plan": func(w *strings.Builder) error {
			return PlanText(w, Style{}, &publish.Plan{Target: evil, ZoneID: evil, Branch: evil, Notes: []string{evil},
				Sets:     []publish.SetPlan{{Name: evil, Was: evil, Reason: evil, Entries: []publish.EntryPlan{{Policy: evil, Source: evil}}}},
				Activate: &publish.Activation{Set: evil, ReplacesSet: evil, ReplacesVersionID: evil},
				Steps:    []publish.Step{{Text: evil}}, Refusals: publish.Refusals{{Message: evil}}})
		},
		"receipt": func(w *strings.Builder) error {
			return ReceiptText(w, Style{}, &publish.Receipt{Target: evil, Sets: []publish.SetReceipt{
				{Name: evil, Status: publish.Published, VersionID: evil, Tag: evil}, {Name: evil, Status: publish.Superseded, Reason: evil}},
				Activation: &publish.Activated{Set: evil, VersionID: evil, Status: publish.WasActivated, Replaced: evil, ReplacedSet: evil}})
		},
		"activation": func(w *strings.Builder) error {
			return ActivationText(w, Style{}, &publish.Receipt{Target: evil, Activation: &publish.Activated{Set: evil, Status: publish.Unchanged}})
		},
	}
	for name, render := range renderers {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := render(&b); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), `\x1b`) {
				t.Errorf("got %q, want the name in it", b.String())
			}
			if strings.ContainsAny(b.String(), "\x1b\u202e") {
				t.Errorf("got control characters in %q", b.String())
			}
			for line := range strings.Lines(b.String()) {
				if strings.HasPrefix(line, "error: faked") {
					t.Errorf("a name made a line of its own: %q", b.String())
				}
			}
		})
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	p := &printer{w: &b, style: Style{}}
	p.table([][]string{{"NAME", "N"}, {"é", "1"}, {"long-name", ""}}, nil)
	if got, want := b.String(), "NAME       N\né          1\nlong-name\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Colour adds nothing that isn't there without it.
func TestColourIsOnlyColour(t *testing.T) {
	d := Diff{From: Side{Name: "a"}, To: Side{Name: "b"}, Diff: manifest.Diff{Sets: []manifest.SetDiff{
		{Name: "s", Kind: manifest.Changed, Entries: []manifest.EntryDiff{{Policy: "p", Kind: manifest.Changed, FromText: "x\n", ToText: "y\n"}}},
	}}}
	var plain, painted strings.Builder
	if err := errors.Join(DiffText(&plain, Style{}, d), DiffText(&painted, Style{Color: true}, d)); err != nil {
		t.Fatal(err)
	}
	stripped := painted.String()
	for _, code := range []string{"0", sgrBold, sgrCyan, sgrDim, sgrGreen, sgrRed, sgrYellow} {
		stripped = strings.ReplaceAll(stripped, "\x1b["+code+"m", "")
	}
	if stripped != plain.String() || painted.String() == plain.String() {
		t.Errorf("got %q, want %q with colours", painted.String(), plain.String())
	}
}

type failing struct{}

var errFull = errors.New("disk full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrorsAreReturned(t *testing.T) {
	for name, err := range map[string]error{
		"diff":     DiffText(failing{}, Style{}, Diff{}),
		"log":      LogText(failing{}, Style{}, Log{}),
		"problems": Problems(failing{}, Style{}, diag.List{{}}),
		"json":     JSON(failing{}, 1),
		"build":    Build(failing{}, BuildInfo{}),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: got %v, want %v", name, err, errFull)
		}
	}
}
