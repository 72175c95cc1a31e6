package publish_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
)

// A set under a new name has no pins of its own; the guards of the target's last
// pin hold all the same.
func TestANewSetDoesNotEscapeTheGuardsOfTheLastPin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v1 := w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: w.active()})
	w.git("rm", "-q", "policy-sets/agents.yaml", "policies/finance.cedar")
	commit := w.commit(map[string]string{
		"policypin.yaml":        strings.Replace(projectFile, "active: agents", "active: bots", 1),
		"policy-sets/bots.yaml": set("bots", "ops", "default-user-grants@3"),
	})
	_, err := w.publish(commit, publish.Options{Activate: true})
	r := w.refused(err, publish.ProjectChange)
	if !strings.Contains(r.Message, `"agents"`) || !strings.Contains(r.Message, `"bots"`) || w.active() != v1.VersionID {
		t.Errorf("got %q with %s active", r.Message, w.active())
	}
	if _, err := w.publish(commit, publish.Options{Activate: true, AcceptProjectChange: "bots take over"}); err != nil {
		t.Errorf("accepted: %v", err)
	}
}

// The gates hold under another name of the target, as long as its pins are the
// same.
func TestATargetThatWasRenamedKeepsItsGates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	files["policypin.yaml"] = projectFile + "gates:\n  max_removed_entries: 0\n"
	w.mustPublish(w.commit(files), publish.Options{})
	renamed := strings.ReplaceAll(strings.Replace(projectFile, "    zone_id", "    pins: production\n    zone_id", 1), "production:\n", "prod:\n")
	renamed = strings.Replace(renamed, "default_target: production", "default_target: prod", 1)
	w.git("rm", "-q", "policies/ops.cedar")
	commit := w.commit(map[string]string{"policypin.yaml": renamed, "policy-sets/agents.yaml": set("agents", "finance", "default-user-grants@3")})
	src := w.source(commit)
	src.Target = "prod"
	_, err := publish.Publish(context.Background(), w.client(), src, publish.Options{})
	w.refused(err, publish.Gate)
}

// A pin that somebody made up for a set that doesn't exist, with a date far
// ahead, doesn't take the guards away.
func TestAMadeUpPinDoesNotLoosenTheGuards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	loose := w.commit(files)
	w.mustPublish(loose, publish.Options{})
	strict := w.commit(map[string]string{
		"policypin.yaml":         projectFile + "gates:\n  max_removed_entries: 0\n",
		"policies/finance.cedar": policy("treasury"),
	})
	w.mustPublish(strict, publish.Options{})
	tagger := strings.Split(strings.Split(w.run(w.remote, "git", "cat-file", "-p", agentsV1), "\n")[3], "> ")[1]
	w.forge(agentsV1, "policypin/production/zzz/v1", agentsV1, "policypin/production/zzz/v1", "agents v1 in", "zzz v1 in",
		`"policy_set": "agents"`, `"policy_set": "zzz"`, tagger, "4000000000 +0000", "ps_agents_1", "ps_zzz_1")
	w.git("rm", "-q", "policies/ops.cedar")
	commit := w.commit(map[string]string{"policypin.yaml": projectFile, "policy-sets/agents.yaml": set("agents", "finance", "default-user-grants@3")})
	_, err := w.publish(commit, publish.Options{})
	w.refused(err, publish.Gate)
}

// A set that the tip takes away from a target is not published there by a
// commit that comes late.
func TestASetThatTheTipTakesAwayIsSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	files["policypin.yaml"] = strings.Replace(withoutActive, "default_target", "  staging:\n    zone_id: zone_stg\ndefault_target", 1)
	late := w.commit(files)
	w.commit(map[string]string{"policy-sets/agents.yaml": strings.Replace(files["policy-sets/agents.yaml"], "entries:", "targets: [staging]\nentries:", 1)})
	if got := w.mustPublish(late, publish.Options{}); got.Status != publish.Superseded {
		t.Errorf("got %+v, want superseded", got)
	}
	if got := w.mustPublish(late, publish.Options{BehindTip: true}); got.Status != publish.Published {
		t.Errorf("with --behind-tip: got %+v, want published", got)
	}
}

// A tip without a usable project says something else than every commit.
func TestATipThatCannotBeReadSupersedes(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world){
		"no project":        func(w *world) { w.git("rm", "-q", "-r", "."); w.commit(map[string]string{"README": "gone"}) },
		"a broken project":  func(w *world) { w.commit(map[string]string{"policypin.yaml": "targets: [\n"}) },
		"a broken source":   func(w *world) { w.commit(map[string]string{"policies/finance.cedar": "permit (\n"}) },
		"a broken manifest": func(w *world) { w.commit(map[string]string{"policy-sets/agents.yaml": "name: [\n"}) },
		"a target less": func(w *world) {
			w.commit(map[string]string{"policypin.yaml": "apiVersion: policypin.dev/v1\nkind: Project\n"})
		},
		"another set's name": func(w *world) { w.commit(map[string]string{"policy-sets/agents.yaml": set("other", "finance", "ops")}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			files := w.project()
			files["policypin.yaml"] = withoutActive
			late := w.commit(files)
			change(w)
			if got := w.mustPublish(late, publish.Options{}); got.Status != publish.Superseded {
				t.Errorf("got %+v, want superseded", got)
			}
			if got := w.versions("agents"); got != nil {
				t.Errorf("versions: got %v, want none", got)
			}
		})
	}
}

// archive archives a policy by name.
func (w *world) archive(name string) {
	w.Helper()
	if _, err := w.client().ArchivePolicy(context.Background(), w.policyIDs()[name]); err != nil {
		w.Fatal(err)
	}
}

// A run that died after it had recreated a policy goes on with that policy.
func TestRecreatingGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	w.archive("ops")
	commit := w.commit(map[string]string{"policies/ops.cedar": policy("operations")})
	_, err := w.publish(commit, publish.Options{})
	w.refused(err, publish.Archived)
	p, err := w.client().CreatePolicy(ctx, "ops", "")
	if err != nil {
		t.Fatal(err)
	}
	made, err := w.client().CreatePolicyVersion(ctx, p.ID, "2026-06-18", policy("operations"))
	if err != nil {
		t.Fatal(err)
	}
	got := w.mustPublish(commit, publish.Options{Recreate: []string{"ops"}})
	live, err := w.client().SetVersion(ctx, got.PolicySetID, got.VersionID)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range live.Entries {
		found = found || e.VersionID == made.ID
	}
	if !found {
		t.Errorf("v%d holds %v, want %s among them", got.Version, live.Entries, made.ID)
	}
	// What somebody else put there is not taken over without a word.
	w.archive("ops")
	if p, err = w.client().CreatePolicy(ctx, "ops", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client().CreatePolicyVersion(ctx, p.ID, "2026-06-18", policy("somebody")); err != nil {
		t.Fatal(err)
	}
	commit = w.commit(map[string]string{"policies/ops.cedar": policy("operators")})
	_, err = w.publish(commit, publish.Options{Recreate: []string{"ops"}})
	w.refused(err, publish.Foreign)
	if got := w.mustPublish(commit, publish.Options{Recreate: []string{"ops"}, Adopt: []string{"ops"}}); got.Version != 3 {
		t.Errorf("adopted: got %+v, want v3", got)
	}
}

// A policy that was archived matters when it needs a version, and not before.
func TestAnArchivedPolicyThatNeedsNoVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := w.project()
	files["policy-sets/agents.yaml"] = strings.Replace(files["policy-sets/agents.yaml"], "  - policy: ops\n", "  - policy: ops\n    was: operations\n", 1)
	w.mustPublish(w.commit(files), publish.Options{})
	w.archive("ops")
	if got := w.mustPublish(w.commit(nil), publish.Options{}); got.Status != publish.Unchanged {
		t.Errorf("got %+v, want unchanged", got)
	}
}

// A roundTrip changes answers on their way.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// intercept puts f before the zone. f answers nil for what is to be passed on.
func (w *world) intercept(f func(*http.Request) *http.Response) {
	next := w.requests.next
	w.requests.next = roundTrip(func(req *http.Request) (*http.Response, error) {
		if resp := f(req); resp != nil {
			resp.Request = req
			return resp, nil
		}
		return next.RoundTrip(req)
	})
	w.Cleanup(func() { w.requests.next = next })
}

func answer(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewBufferString(body)),
	}
}

// isActiveList tells whether a request asks what is active.
func isActiveList(req *http.Request) bool { return req.URL.Query().Get("filter[active]") == "true" }

func TestSomebodyElseActivatesInBetween(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	v1 := w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: w.active()})
	platform := ""
	for s, err := range w.client().PolicySets(ctx, keycard.ListOptions{Owner: keycard.OwnerPlatform}) {
		if err != nil {
			t.Fatal(err)
		}
		platform = s.ID
	}
	live, err := w.client().PolicySet(ctx, platform)
	if err != nil {
		t.Fatal(err)
	}
	commit := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	lists := 0
	w.intercept(func(req *http.Request) *http.Response {
		if isActiveList(req) {
			if lists++; lists == 2 { // right before the activation
				if _, err := w.client().Activate(ctx, platform, live.LatestVersionID); err != nil {
					t.Error(err)
				}
			}
		}
		return nil
	})
	_, err = w.publish(commit, publish.Options{Activate: true})
	w.refused(err, publish.ActiveChanged)
	var incomplete *publish.Incomplete
	if !errors.As(err, &incomplete) || len(incomplete.Done) != 3 {
		t.Errorf("got %v, want what was done: a policy version, a set version and a pin", err)
	}
	if got := w.active(); got != live.LatestVersionID {
		t.Errorf("active: got %s, want what somebody else activated, %s; v1 is %s", got, live.LatestVersionID, v1.VersionID)
	}
	// The same command says what is in the way; with a word it goes on.
	_, err = w.publish(commit, publish.Options{Activate: true})
	w.refused(err, publish.ActiveChanged)
	if got := w.mustPublish(commit, publish.Options{Activate: true, ReplaceActive: live.LatestVersionID}); got.VersionID != w.active() || got.Version != 2 {
		t.Errorf("replaced: got %+v with %s active", got, w.active())
	}
}

// A zone that says that nothing is active any more is an odd one, but no reason
// to crash.
func TestTheActiveBindingIsGoneInBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: w.active()})
	commit := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	lists := 0
	w.intercept(func(req *http.Request) *http.Response {
		if isActiveList(req) {
			if lists++; lists == 2 {
				return answer(200, `{"items":[],"pagination":{"after_cursor":null,"before_cursor":null}}`)
			}
		}
		return nil
	})
	_, err := w.publish(commit, publish.Options{Activate: true})
	r := w.refused(err, publish.ActiveChanged)
	if !strings.Contains(r.Message, "nothing is active") {
		t.Errorf("refusal: got %q", r.Message)
	}
}

// The branch is read again right before the activation.
func TestTheTipMovesBeforeTheActivation(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(w *world){
		"to other content": func(w *world) { w.commit(map[string]string{"policies/finance.cedar": policy("finance")}) },
		"away":             func(w *world) { w.run(w.remote, "git", "update-ref", "-d", "refs/heads/main") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			v1 := w.mustPublish(w.commit(w.project()), publish.Options{Activate: true, ReplaceActive: w.active()})
			commit := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
			moved := false
			w.intercept(func(req *http.Request) *http.Response {
				if req.Method == http.MethodPost && !moved {
					moved = true
					move(w)
				}
				return nil
			})
			rc, err := w.publish(commit, publish.Options{Activate: true})
			if w.active() != v1.VersionID {
				t.Errorf("active is %s, want v1 still; receipt %+v, error %v", w.active(), rc, err)
			}
			if err == nil && rc.Activation.Status != publish.Superseded {
				t.Errorf("activation: got %+v, want superseded", rc.Activation)
			}
		})
	}
}

// Lost answers: the first create of a set version is done, but its answer is
// lost and replicas lag for longer than anybody waits.
func TestASpareVersionIsArchivedAndNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	commit := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	posts, lists := 0, 0
	next := w.requests.next
	w.requests.next = roundTrip(func(req *http.Request) (*http.Response, error) {
		versions := strings.Contains(req.URL.Path, "/policy-sets/") && strings.HasSuffix(req.URL.Path, "/versions")
		switch {
		case req.Method == http.MethodPost && versions:
			if posts++; posts == 1 {
				resp, err := next.RoundTrip(req)
				if err == nil {
					resp.Body.Close()
				}
				return answer(502, `{}`), nil
			}
		case req.Method == http.MethodGet && versions && posts > 0:
			if posts > 1 {
				lists++ // the first list after the second create lags as well
			}
			if lists < 2 {
				return answer(200, `{"items":[],"pagination":{"after_cursor":null,"before_cursor":null}}`), nil
			}
		}
		return next.RoundTrip(req)
	})
	rc, err := w.publish(commit, publish.Options{})
	w.requests.next = next
	if err != nil {
		t.Fatal(err)
	}
	got := agents(rc)
	if posts != 2 || got.Version != 2 || got.Tag != "policypin/production/agents/v2" {
		t.Errorf("after %d creates: got %+v, want v2, the lowest of two", posts, got)
	}
	if live := w.versions("agents"); len(live) != 2 {
		t.Errorf("versions: got %v, want the spare archived", live)
	}
	if notes := strings.Join(rc.Notes, "\n"); !strings.Contains(notes, "version 3") || !strings.Contains(notes, "spare") {
		t.Errorf("notes: got %q, want the spare named", notes)
	}
}
