package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

// A plan that doesn't fit is refused with the reason, and nothing is created.
func TestWhyAPlanDoesNotFit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		made   publish.Options
		change map[string]string
		run    publish.Options
		want   string
	}{
		"made with --activate":    {made: publish.Options{Activate: true}, want: "made with --activate"},
		"made without --activate": {run: publish.Options{Activate: true}, want: "made without --activate"},
		"other content":           {change: map[string]string{"policies/finance.cedar": policy("treasury")}, want: "agents has other content"},
		"one set more": {
			change: map[string]string{"policy-sets/bots.yaml": set("bots", "ops")}, want: "bots is new",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			commit := w.commit(w.project())
			plan, err := w.plan("", test.made)
			if err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				commit = w.commit(test.change)
			}
			test.run.Expected = plan
			_, err = w.publish(commit, test.run)
			if r := w.refused(err, publish.StalePlan); !strings.Contains(r.Message, test.want) {
				t.Errorf("refusal: got %q, want %q in it", r.Message, test.want)
			}
			if w.policyIDs()["finance"] != "" {
				t.Error("something was created")
			}
		})
	}
}

// Somebody else published or activated between the plan and the run.
func TestAPlanThatTheZoneOutran(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: w.active()})
	w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("treasury")}), publish.Options{Activate: true})
	commit := w.commit(map[string]string{"policies/finance.cedar": policy("cashiers")})
	plan, err := w.plan("", publish.Options{Activate: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := publish.Activate(context.Background(), w.client(), w.source(commit), "agents", "v1", publish.Options{}); err != nil {
		t.Fatal(err)
	}
	_, err = w.publish(commit, publish.Options{Activate: true, Expected: plan})
	if r := w.refused(err, publish.StalePlan); !strings.Contains(r.Message, "v1 of agents is active now") {
		t.Errorf("refusal: got %q", r.Message)
	}
	if w.active() != first.VersionID {
		t.Errorf("active is %s, want v1 still", w.active())
	}
}

func TestPlanFilesThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(w.project())
	plan, err := w.plan("", publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := publish.ParsePlan(good); err != nil {
		t.Fatalf("the plan itself: %v", err)
	}
	text := string(good)
	for name, bad := range map[string]string{
		"empty":            "",
		"null":             "null",
		"a list":           "[]",
		"cut":              text[:len(text)/2],
		"followed by more": text + "{}",
		"other set digest": strings.Replace(text, plan.Sets[0].SetDigest, strings.Repeat("0", 64), 1),
		"other target":     strings.Replace(text, `"target":"production"`, `"target":"staging"`, 1),
		"newer format":     strings.Replace(text, `"format":1`, `"format":2`, 1),
		"offline":          strings.Replace(text, `"offline":false`, `"offline":true`, 1),
		"without digest":   strings.Replace(text, plan.Digest, "", 1),
	} {
		if bad == text {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := publish.ParsePlan([]byte(bad)); !errors.Is(err, publish.ErrPlanFile) {
			t.Errorf("%s: got %v, want an error that wraps ErrPlanFile", name, err)
		}
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add([]byte(`{"schema":1,"format":1,"offline":false,"target":"production","zone_id":"zone_prd","sets":[],"activate":null,"digest":"x"}`))
	f.Add([]byte(`{"format":1,"digest":"","activate":{"set":"a","replaces_version_id":"b"}}`))
	f.Add([]byte(`{"format":1,"refusals":[null],"sets":[{"name":"\ud800"}],"digest":"1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		plan, err := publish.ParsePlan(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := publish.ParsePlan(again); err != nil || p.Digest != plan.Digest {
			t.Errorf("written again: %v, %v, want digest %s", p, err, plan.Digest)
		}
	})
}
