package report

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/doctor"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/manifest"
)

// documents are the JSON results by their heading in docs/json.md.
var documents = map[string]any{
	"validate":                            problemsJSON{},
	"digest":                              Digests{},
	"test":                                policytest.Report{},
	"diff":                                diffJSON{},
	"impact":                              impactJSON{},
	"why":                                 Why{},
	"plan":                                publish.Plan{},
	"publish, activate, repin":            publish.Receipt{},
	"log":                                 Log{},
	"verify":                              Verification{},
	"versions list":                       VersionList{},
	"versions list, without a policy set": SetList{},
	"versions show":                       Version{},
	"versions policies":                   PolicyList{},
	"versions archive":                    Archived{},
	"init":                                Scaffold{},
	"schema fetch":                        Fetched{},
	"schema upgrade":                      Upgraded{},
	"import":                              Imported{},
	"versions unused":                     Unused{},
	"versions archive-policy":             ArchivedPolicy{},
	"drift":                               publish.Drift{},
	"doctor":                              doctor.Report{},
	"version":                             BuildInfo{},
}

// fields lists the paths of a document's members, as docs/json.md writes them.
func fields(t reflect.Type, prefix string) []string {
	switch t.Kind() {
	case reflect.Pointer:
		return fields(t.Elem(), prefix)
	case reflect.Slice:
		if t != reflect.TypeFor[json.RawMessage]() {
			return fields(t.Elem(), prefix+"[]")
		}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return nil
		}
		var all []string
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			path := strings.TrimPrefix(prefix+"."+name, ".")
			if f.Anonymous {
				path = prefix
			} else {
				all = append(all, path)
			}
			all = append(all, fields(f.Type, path)...)
		}
		return all
	}
	return nil
}

var (
	row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .+ \\|$")
)

// TestJSONIsDocumented compares docs/json.md with the types, both ways.
func TestJSONIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for part := range strings.SplitSeq(string(page), "\n## ") {
		title, text, _ := strings.Cut(part, "\n")
		for _, m := range row.FindAllStringSubmatch(text, -1) {
			found[title] = append(found[title], m[1])
		}
	}
	for title, doc := range documents {
		want := fields(reflect.TypeOf(doc), "")
		slices.Sort(want)
		got := found[title]
		slices.Sort(got)
		if !slices.Equal(got, want) {
			for _, f := range want {
				if !slices.Contains(got, f) {
					t.Errorf("%s: %s is not documented", title, f)
				}
			}
			for _, f := range got {
				if !slices.Contains(want, f) {
					t.Errorf("%s: %s is documented and doesn't exist", title, f)
				}
			}
		}
	}
}

// TestNames: snake_case all over, a schema number first.
func TestNames(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for title, doc := range documents {
		all := fields(reflect.TypeOf(doc), "")
		if all[0] != "schema" {
			t.Errorf("%s begins with %s, not with schema", title, all[0])
		}
		for _, f := range all {
			for part := range strings.SplitSeq(strings.ReplaceAll(f, "[]", ""), ".") {
				if !snake.MatchString(part) {
					t.Errorf("%s: %s is not snake_case", title, f)
				}
			}
		}
	}
}

// An empty list is [], whatever the value that is rendered was made of.
func TestEmptyListsAreNotNull(t *testing.T) {
	var b strings.Builder
	for _, err := range []error{
		ProblemsJSON(&b, nil),
		DiffJSON(&b, Diff{}),
		DiffJSON(&b, Diff{Diff: manifest.Diff{Sets: []manifest.SetDiff{{Name: "a", Entries: []manifest.EntryDiff{{Policy: "p"}}}}}}),
		PlanJSON(&b, &publish.Plan{Sets: []publish.SetPlan{{Name: "a"}}}),
		ReceiptJSON(&b, &publish.Receipt{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, "null") && !strings.Contains(line, `"activate"`) && !strings.Contains(line, `"activation"`) {
			t.Errorf("got %s", line)
		}
	}
}

// A plan that was written is the plan that publish reads.
func TestPlanFileRoundTrip(t *testing.T) {
	plan := &publish.Plan{Schema: 1, Format: publish.PlanFormat, Target: "t", ZoneID: "z", Commit: gitstore.Hash{1}}
	var b strings.Builder
	if err := PlanJSON(&b, plan); err != nil {
		t.Fatal(err)
	}
	var back publish.Plan
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Fatal(err)
	}
	if back.Commit != plan.Commit || back.Target != "t" || back.Sets == nil {
		t.Errorf("got %+v", back)
	}
	if plan.Sets != nil {
		t.Error("rendering changed the plan")
	}
}
