package publish_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/manifest"
)

func (w *world) unused() *publish.Unused {
	w.Helper()
	w.requests.take()
	target := manifest.Target{Name: "production", ZoneID: zoneID, Pins: "production"}
	found, err := publish.FindUnused(context.Background(), w.client().Reader, w.source(w.head()).Origin, target)
	if err != nil {
		w.Fatal(err)
	}
	for _, req := range w.requests.take() {
		if !strings.HasPrefix(req, "GET ") {
			w.Errorf("request %s", req)
		}
	}
	return found
}

func commands(u *publish.Unused) []string {
	list := []string{}
	for _, v := range u.Versions {
		list = append(list, v.Command)
	}
	for _, v := range slices.Concat(u.Policies, u.PolicyVersions) {
		list = append(list, v.Command)
	}
	return list
}

func TestUnused(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	c := w.client()
	w.mustPublish(w.commit(w.project()), publish.Options{})
	second := w.mustPublish(w.commit(map[string]string{"policies/finance.cedar": policy("treasury")}), publish.Options{})

	expect := func(what string, want ...string) {
		t.Helper()
		if got := commands(w.unused()); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	expect("all is pinned")

	// What a run left that was killed, and names that a shell would stumble over.
	for _, name := range []string{"it's $HOME", "-rf", "odd\u200bname"} {
		if _, err := c.CreatePolicy(ctx, name, ""); err != nil {
			t.Fatal(err)
		}
	}
	set, err := c.CreatePolicySet(ctx, "agents; ls", "")
	if err != nil {
		t.Fatal(err)
	}
	spare, err := c.CreatePolicy(ctx, "spare", "")
	if err != nil {
		t.Fatal(err)
	}
	var entries []keycard.ManifestEntry
	for _, text := range []string{policy("one"), policy("two")} {
		v, err := c.CreatePolicyVersion(ctx, spare.ID, "2026-06-18", text)
		if err != nil {
			t.Fatal(err)
		}
		entries = []keycard.ManifestEntry{{PolicyID: v.PolicyID, VersionID: v.ID}}
	}
	v, err := c.CreateSetVersion(ctx, set.ID, "2026-06-18", entries)
	if err != nil {
		t.Fatal(err)
	}
	left := []string{
		"policypin versions archive --target production 'agents; ls' v1",
		"policypin versions archive-policy --target production pol_rf-16f2b3a2_1",
		`policypin versions archive-policy --target production 'it'\''s $HOME'`,
		"policypin versions archive-policy --target production pol_odd-name-1bcb5d3f_1",
		"policypin versions archive-policy --target production spare v1",
	}
	for p, err := range c.Policies(ctx, listAll) {
		if err != nil {
			t.Fatal(err)
		}
		switch p.Name {
		case "-rf":
			left[1] = "policypin versions archive-policy --target production " + p.ID
		case "odd\u200bname":
			left[3] = "policypin versions archive-policy --target production " + p.ID
		}
	}
	expect("left behind", left...)
	if _, err := c.ArchiveSetVersion(ctx, set.ID, v.ID); err != nil {
		t.Fatal(err)
	}
	expect("the version is archived", left[1], left[2], left[3], "policypin versions archive-policy --target production spare")

	// A damaged pin is no proof that nobody needs its version.
	w.run(w.remote, "git", "tag", "-d", second.Tag)
	w.run(w.remote, "git", "tag", "-m", "damaged", second.Tag, "main")
	w.git("tag", "-d", second.Tag)
	if got := w.unused(); len(got.Versions) != 0 || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], second.Tag) {
		t.Errorf("damaged pin: got %+v", got)
	}
	w.run(w.remote, "git", "tag", "-d", second.Tag)
	if got := w.unused(); len(got.Versions) != 1 || got.Versions[0].VersionID != second.VersionID {
		t.Errorf("lost pin: got %+v, want v2", got)
	}
	if _, err := c.Activate(ctx, second.PolicySetID, second.VersionID); err != nil {
		t.Fatal(err)
	}
	if got := w.unused(); len(got.Versions) != 0 {
		t.Errorf("active: got %+v, want nothing", got.Versions)
	}
}

// A policy that only a set for users holds is in use, also with a service that
// doesn't know of such sets.
func TestWhatASetForUsersHoldsIsUsed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t)
	c := w.client()
	w.mustPublish(w.commit(w.project()), publish.Options{})
	p, err := c.CreatePolicy(ctx, "people", "")
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.CreatePolicyVersion(ctx, p.ID, "2026-06-18", policy("people"))
	if err != nil {
		t.Fatal(err)
	}
	people, err := c.CreatePolicySet(ctx, "people", "user")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateSetVersion(ctx, people.ID, "2026-06-18", []keycard.ManifestEntry{{PolicyID: p.ID, VersionID: v.ID}}); err != nil {
		t.Fatal(err)
	}
	if found := w.unused(); len(found.Policies) != 0 || len(found.Versions) != 1 {
		t.Errorf("got policies %+v and versions %+v, want only the version without a pin", found.Policies, found.Versions)
	}

	l := &olderService{w.requests.next, 0}
	w.requests.next = l
	if w.unused(); l.refused != 1 {
		t.Errorf("the older service refused %d requests, want 1", l.refused)
	}
}

// An olderService doesn't know sets for users.
type olderService struct {
	next    http.RoundTripper
	refused int
}

func (o *olderService) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Query().Has("filter[target_type]") {
		o.refused++
		rec := httptest.NewRecorder()
		rec.WriteHeader(http.StatusBadRequest)
		rec.WriteString(`{"status":400,"code":"bad_request","message":"unknown filter"}`)
		return rec.Result(), nil
	}
	return o.next.RoundTrip(req)
}
