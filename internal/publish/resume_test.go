package publish_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
)

// picture is what is in the zone and on the remote, in words.
func (w *world) picture() string {
	w.Helper()
	ctx, c := context.Background(), w.client()
	var lines []string
	for s, err := range c.PolicySets(ctx, listAll) {
		if err != nil {
			w.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("set %s %s %v active %d", s.ID, s.Name, w.versions(s.Name), s.ActiveVersion))
	}
	for p, err := range c.Policies(ctx, keycard.ListOptions{Owner: "customer"}) {
		if err != nil {
			w.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("policy %s %s at version %d", p.ID, p.Name, p.LatestVersion))
	}
	for _, tag := range w.tags() {
		lines = append(lines, tag+" "+w.run(w.remote, "git", "rev-parse", tag))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Sets and policies are renamed and changed, and new ones come, all in one
// commit. Wherever that ends early, the same command ends it as if nothing had
// happened.
func TestRenamesAndChangesAtOnceGoOnWhereTheyEnded(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T) *world {
		w := newWorld(t)
		files := w.project()
		files["policy-sets/bots.yaml"] = set("bots", "finance")
		w.mustPublish(w.commit(files), publish.Options{Activate: true, ReplaceActive: w.active()})
		w.git("mv", "policy-sets/agents.yaml", "policy-sets/people.yaml")
		w.git("mv", "policies/finance.cedar", "policies/treasury.cedar")
		rename := strings.NewReplacer("name: people\n", "name: people\nwas: agents\n", "  - policy: treasury\n", "  - policy: treasury\n    was: finance\n").Replace
		w.commit(map[string]string{
			"policypin.yaml":           strings.Replace(projectFile, "active: agents", "active: people", 1),
			"policy-sets/people.yaml":  rename(set("people", "treasury", "ops", "hr", "default-user-grants@3")),
			"policy-sets/bots.yaml":    rename(set("bots", "treasury")),
			"policy-sets/readers.yaml": rename(set("readers", "hr", "treasury")),
			"policies/treasury.cedar":  policy("treasurers"),
			"policies/hr.cedar":        policy("hr"),
		})
		return w
	}
	opts := publish.Options{Activate: true, AcceptProjectChange: "people decide"}
	isWrite := func(req *http.Request) bool { return req.Method != http.MethodGet }

	w := prepare(t)
	w.requests.take()
	if _, err := w.publish(w.head(), opts); err != nil {
		t.Fatal(err)
	}
	writes := 0
	for _, r := range w.requests.take() {
		if !strings.HasPrefix(r, "GET ") {
			writes++
		}
	}
	want := w.picture()
	if !strings.Contains(want, "people [1 2] active 2") || !strings.Contains(want, "pol_finance_1 treasury at version 2") {
		t.Fatalf("undisturbed:\n%s", want)
	}
	if writes != 10 {
		t.Errorf("%d writes, want 10: two renames, a policy, two policy versions, a set, three set versions, an activation", writes)
	}
	for n := 1; n <= writes; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, done %v", n, after), func(t *testing.T) {
				t.Parallel()
				w := prepare(t)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				var count atomic.Int64 // policies are created side by side
				next := w.requests.next
				w.requests.next = roundTrip(func(req *http.Request) (*http.Response, error) {
					if isWrite(req) && ctx.Err() == nil {
						if count.Add(1) == int64(n) {
							if after {
								if resp, err := next.RoundTrip(req.WithContext(context.Background())); err == nil {
									resp.Body.Close()
								}
							}
							cancel()
							return nil, context.Canceled
						}
					}
					return next.RoundTrip(req)
				})
				o := opts
				o.LookupFor = 50 * time.Millisecond
				_, err := publish.Publish(ctx, w.client(), w.source(w.head()), o)
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("interrupted: got %v, want context.Canceled", err)
				}
				// With ctx ended, every request goes through.
				if _, err := w.publish(w.head(), opts); err != nil {
					t.Fatalf("again: %v", err)
				}
				if got := w.picture(); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}
