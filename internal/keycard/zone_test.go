package keycard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/zone"
)

const (
	schema = "2026-03-16"
	permit = `@id("finance-read")
permit (principal is Keycard::User, action, resource is Keycard::Resource)
when { principal has email && principal.email like "*@example.com" };`
)

// open starts a local zone behind HTTP and returns a client of it, with client
// credentials and short pauses.
func open(t *testing.T, opts zone.Options, change func(*keycard.Config)) *keycard.Client {
	t.Helper()
	opts.ClientID, opts.ClientSecret = "sa-1", "not+a/real secret"
	s, err := zone.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := keycard.Config{
		BaseURL: h.URL, ClientID: opts.ClientID, ClientSecret: opts.ClientSecret,
		RetryBase: time.Millisecond, RetryMax: 50 * time.Millisecond, LookupFor: 2 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := keycard.New(cfg, zone.LocalZoneID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func faults(t *testing.T, rules ...string) []zone.Fault {
	t.Helper()
	var out []zone.Fault
	for _, rule := range rules {
		f, err := zone.ParseFault(rule)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// The way of a policy into production and out of it, in both generations that
// the local zone speaks.
func TestLifeOfAPolicySet(t *testing.T) {
	for _, generation := range []int{2, 3} {
		t.Run(fmt.Sprintf("generation %d", generation), func(t *testing.T) {
			ctx := context.Background()
			c := open(t, zone.Options{Generation: generation}, nil)
			policy, version := must[*keycard.Policy](t), must[*keycard.PolicyVersion](t)
			set, setVersion := must[*keycard.PolicySet](t), must[*keycard.PolicySetVersion](t)

			p := policy(c.CreatePolicy(ctx, "finance-read", "Finance may read."))
			if p.Description != "Finance may read." || p.LatestVersion != 0 {
				t.Errorf("got %+v", p)
			}
			if _, err := c.CreatePolicy(ctx, "finance-read", ""); !errors.Is(err, keycard.ErrConflict) {
				t.Errorf("a taken name: got %v", err)
			}
			v1 := version(c.CreatePolicyVersion(ctx, p.ID, schema, permit))
			v2 := version(c.CreatePolicyVersion(ctx, p.ID, schema, strings.Replace(permit, "example.com", "example.org", 1)))
			if v1.Version != 1 || v2.Version != 2 || v1.SHA == v2.SHA || v1.CedarRaw == "" {
				t.Errorf("got %+v and %+v", v1, v2)
			}
			if got := version(c.PolicyVersion(ctx, p.ID, v1.ID, "json")); got.CedarRaw != "" || len(got.CedarJSON) == 0 {
				t.Errorf("as JSON: got %+v", got)
			}
			if got := version(c.PolicyVersion(ctx, p.ID, v1.ID, "cedar")); got.CedarRaw == "" || got.CedarJSON != nil {
				t.Errorf("as Cedar: got %+v", got)
			}

			s := set(c.CreatePolicySet(ctx, "agents", "zone"))
			if s.TargetType != "zone" || s.ActiveVersionID != "" || s.ETag == "" {
				t.Errorf("got %+v", s)
			}
			sv := setVersion(c.CreateSetVersion(ctx, s.ID, schema, []keycard.ManifestEntry{{PolicyID: p.ID, VersionID: v1.ID}}))
			if len(sv.Entries) != 1 || sv.Entries[0].SHA != v1.SHA || sv.ManifestSHA == "" || sv.Attestation == nil {
				t.Errorf("got %+v", sv)
			}
			for listed, err := range c.SetVersions(ctx, s.ID, keycard.ListOptions{}) {
				if err != nil || listed.ID != sv.ID || listed.Entries != nil {
					t.Errorf("listed: got %+v, %v", listed, err)
				}
			}
			for listed, err := range c.SetVersionPolicies(ctx, s.ID, sv.ID, keycard.ListOptions{Format: "cedar"}) {
				if err != nil || listed.ID != v1.ID || listed.CedarRaw == "" {
					t.Errorf("its policies: got %+v, %v", listed, err)
				}
			}
			for range 2 { // it can be repeated
				if got := setVersion(c.Activate(ctx, s.ID, sv.ID)); got.Active == nil || !*got.Active {
					t.Errorf("activated: got %+v", got)
				}
			}
			old := s
			if s = set(c.PolicySet(ctx, s.ID)); s.ActiveVersionID != sv.ID || s.ActiveVersion != 1 {
				t.Errorf("active: got %+v", s)
			}
			if _, err := c.ArchivePolicySet(ctx, s); !errors.Is(err, keycard.ErrConflict) {
				t.Errorf("archiving the active set: got %v", err)
			}
			if _, err := c.ArchivePolicyVersion(ctx, p.ID, v1.ID); err == nil {
				t.Error("archiving a version in use: got no error")
			}
			if got := version(c.ArchivePolicyVersion(ctx, p.ID, v2.ID)); got.ArchivedAt == nil {
				t.Errorf("archived: got %+v", got)
			}

			if _, err := c.RenamePolicy(ctx, p, "finance"); !errors.Is(err, keycard.ErrPrecondition) {
				t.Errorf("a rename with the ETag from before its versions: got %v", err)
			}
			p = policy(c.Policy(ctx, p.ID))
			if p = policy(c.RenamePolicy(ctx, p, "finance")); p.Name != "finance" {
				t.Errorf("renamed: got %+v", p)
			}
			if s = set(c.RenamePolicySet(ctx, s, "agents-2")); s.Name != "agents-2" {
				t.Errorf("renamed: got %+v", s)
			}
			if _, err := c.RenamePolicySet(ctx, old, "agents-3"); !errors.Is(err, keycard.ErrPrecondition) {
				t.Errorf("a set's rename with an old ETag: got %v", err)
			}
			if _, err := c.Policy(ctx, "nobody"); !errors.Is(err, keycard.ErrNotFound) {
				t.Errorf("an unknown id: got %v", err)
			}
			spare := policy(c.CreatePolicy(ctx, "spare", ""))
			if got := policy(c.ArchivePolicy(ctx, spare.ID)); got.ArchivedAt == nil {
				t.Errorf("archived: got %+v", got)
			}
		})
	}
}

func TestListsOfTheLocalZone(t *testing.T) {
	ctx := context.Background()
	c := open(t, zone.Options{}, nil)
	var ids []string
	for i := range 23 {
		p, err := c.CreatePolicy(ctx, fmt.Sprintf("many-%02d", i), "")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.ID)
	}
	names := func(opts keycard.ListOptions) (out []string) {
		t.Helper()
		for p, err := range c.Policies(ctx, opts) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, p.Name)
		}
		return out
	}
	all := names(keycard.ListOptions{Query: "MANY", Limit: 5, Order: "asc"})
	if len(all) != 23 || !slices.IsSorted(all) {
		t.Errorf("by name, five a page: got %v", all)
	}
	if got := names(keycard.ListOptions{IDs: append(slices.Clone(ids[3:9]), "nobody")}); len(got) != 6 {
		t.Errorf("by id: got %v", got)
	}
	for _, name := range names(keycard.ListOptions{Owner: keycard.OwnerPlatform}) {
		if !strings.HasPrefix(name, "default-") {
			t.Errorf("of the platform: got %s", name)
		}
	}
	active := true
	n := 0
	for s, err := range c.PolicySets(ctx, keycard.ListOptions{Active: &active, Total: true}) {
		if n++; err != nil || s.ActiveVersionID == "" || s.OwnerType != keycard.OwnerPlatform {
			t.Errorf("the active set: got %+v, %v", s, err)
			continue
		}
		p, err := c.SetVersionPoliciesPage(ctx, s.ID, s.ActiveVersionID, keycard.ListOptions{Limit: 2, Total: true})
		if err != nil || len(p.Items) != 2 || p.After == "" || p.Total < 3 {
			t.Errorf("a page of its policies: got %+v, %v", p, err)
		}
		entries := []keycard.ManifestEntry{{PolicyID: "a", VersionID: "b"}}
		if _, err := c.CreateSetVersion(ctx, s.ID, schema, entries); !errors.Is(err, keycard.ErrForbidden) {
			t.Errorf("writing to the platform's set: got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("got %d active sets, want 1", n)
	}
	var chosen string
	for s, err := range c.Schemas(ctx, keycard.ListOptions{Default: &active, Format: "cedar"}) {
		if err != nil || s.CedarSchema == "" {
			t.Errorf("the default schema: got %+v, %v", s, err)
			continue
		}
		chosen = s.Version
	}
	if s, err := c.Schema(ctx, chosen, "json"); err != nil || len(s.CedarSchemaJSON) == 0 || !s.IsDefault {
		t.Errorf("schema %q: got %+v, %v", chosen, s, err)
	}
	if s, err := c.SetDefaultSchema(ctx, schema); err != nil || !s.IsDefault {
		t.Errorf("the new default: got %+v, %v", s, err)
	}
}

// What the local zone does to a request, and what becomes of a create.
func TestFaultsOfTheLocalZone(t *testing.T) {
	tests := []struct {
		rule string
		want error
		made int // policies of the name afterwards
	}{
		{"POST /…/policies:429=1ms#1", nil, 1},
		{"POST /…/policies:503#1", keycard.ErrAmbiguous, 0},
		{"POST /…/policies:drop#1", keycard.ErrAmbiguous, 1},
		{"POST /…/policies:refuse#1", keycard.ErrAmbiguous, 0},
		{"POST /…/policies:truncate#1", keycard.ErrAmbiguous, 1},
		{"POST /service-account-token:503#1", nil, 1},
		{"GET /…/policies:truncate#1", nil, 1},
		{"GET /…/policies:drop#1", nil, 1},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			ctx := context.Background()
			c := open(t, zone.Options{Faults: faults(t, tt.rule)}, nil)
			if _, err := c.CreatePolicy(ctx, "one", ""); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			made := 0
			for p, err := range c.Policies(ctx, keycard.ListOptions{Query: "one"}) {
				if err != nil {
					t.Fatal(err)
				}
				if p.Name == "one" {
					made++
				}
			}
			if made != tt.made {
				t.Errorf("got %d policies, want %d", made, tt.made)
			}
		})
	}
}

func TestLaggingReplicas(t *testing.T) {
	ctx := context.Background()
	c := open(t, zone.Options{Faults: faults(t, "POST /…:lag=50ms")}, nil)
	p, err := c.CreatePolicy(ctx, "late", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Policy(ctx, p.ID); err != nil {
		t.Errorf("read after create: got %v", err)
	}
}

func TestATokenThatExpires(t *testing.T) {
	ctx := context.Background()
	var mu sync.Mutex
	calls := 0
	c := open(t, zone.Options{TokenLifetime: time.Second}, func(cfg *keycard.Config) {
		cfg.Trace = func(tr keycard.Trace) {
			if strings.HasSuffix(tr.Path, "/service-account-token") {
				mu.Lock()
				calls++
				mu.Unlock()
			}
		}
	})
	for range 3 {
		if _, err := c.Schema(ctx, schema, "json"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(600 * time.Millisecond)
	}
	if calls < 2 {
		t.Errorf("got %d token calls, want at least 2", calls)
	}
	wrong := open(t, zone.Options{}, func(cfg *keycard.Config) { cfg.ClientSecret = "wrong-secret" })
	if _, err := wrong.Schema(ctx, schema, "json"); !errors.Is(err, keycard.ErrUnauthorized) || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("a wrong secret: got %v", err)
	}
}

// Renames and archives whose answer is dropped are repeated and come out right.
func TestDroppedAnswersOfRepeatableWrites(t *testing.T) {
	ctx := context.Background()
	c := open(t, zone.Options{Faults: faults(t,
		"PATCH /…/policies/*:drop#1", "PATCH /…/policy-sets/*:drop#1", "DELETE /…/policies/*:drop#1", "DELETE /…/policy-sets/*:drop#1",
	)}, nil)
	p := must[*keycard.Policy](t)(c.CreatePolicy(ctx, "one", ""))
	if p, err := c.RenamePolicy(ctx, p, "two"); err != nil || p.Name != "two" {
		t.Errorf("a policy's rename: got %+v, %v", p, err)
	}
	if p, err := c.ArchivePolicy(ctx, p.ID); err != nil || p.ArchivedAt == nil {
		t.Errorf("a policy's archive: got %+v, %v", p, err)
	}
	s := must[*keycard.PolicySet](t)(c.CreatePolicySet(ctx, "one", ""))
	s, err := c.RenamePolicySet(ctx, s, "two")
	if err != nil || s.Name != "two" {
		t.Fatalf("a set's rename: got %+v, %v", s, err)
	}
	if s, err := c.ArchivePolicySet(ctx, s); err != nil || s.ArchivedAt == nil {
		t.Errorf("a set's archive: got %+v, %v", s, err)
	}
}

func TestInProcess(t *testing.T) {
	s, err := zone.Open(zone.Options{NoAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := keycard.NewReader(keycard.Config{Transport: s.Transport()}, zone.LocalZoneID)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range r.Schemas(context.Background(), keycard.ListOptions{}) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 3 {
		t.Errorf("got %d schemas, want 3", n)
	}
}
