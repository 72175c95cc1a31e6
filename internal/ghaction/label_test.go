package ghaction

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const commitSHA = "0123456789abcdef0123456789abcdef01234567"

// pull is a pull request as the API has it.
func pull(number int, author, merged, made string) map[string]any {
	doc := map[string]any{
		"number": number, "user": map[string]any{"login": author, "type": "User"}, "merged_at": nil, "merge_commit_sha": made,
		"labels": []any{map[string]any{"name": "policypin/widened@8002e79ef28c"}},
		"base":   map[string]any{"ref": "main", "repo": map[string]any{"full_name": "Acme/Policies"}},
	}
	if merged != "" {
		doc["merged_at"] = merged
	}
	return doc
}

// labelled is an event of an issue.
func labelled(event, login, kind, label string) map[string]any {
	doc := map[string]any{"event": event, "actor": nil, "label": map[string]any{"name": label}}
	if login != "" {
		doc["actor"] = map[string]any{"login": login, "type": kind}
	}
	return doc
}

func permission(word string) reply {
	return reply{200, nil, map[string]any{"permission": word, "role_name": word}}
}

func TestOnBranch(t *testing.T) {
	for status, want := range map[string]bool{"ahead": true, "identical": true, "behind": false, "diverged": false, "": true} {
		s, c := play(t, reply{200, nil, map[string]any{"status": status}})
		on, err := c.OnBranch(t.Context(), commitSHA, "release/1.0#?x")
		if err != nil || on != want {
			t.Errorf("%s: got %v, %v", status, on, err)
		}
		if want := "GET /api/v3/repos/acme/policies/compare/" + commitSHA + "...release%2F1.0%23%3Fx?per_page=1"; !slices.Equal(s.asked, []string{want}) {
			t.Errorf("asked for %q, want %q", s.asked, want)
		}
	}
	_, c := play(t, reply{404, nil, nil})
	if _, err := c.OnBranch(t.Context(), commitSHA, "main"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v", err)
	}
	if _, err := c.OnBranch(t.Context(), "main", "main"); err == nil {
		t.Error("a branch is taken for a commit")
	}
}

func TestMergedPulls(t *testing.T) {
	const other = "ffffffffffffffffffffffffffffffffffffffff"
	elsewhere := pull(9, "ada", "2026-11-01T00:00:00Z", commitSHA)
	elsewhere["base"] = map[string]any{"ref": "main", "repo": map[string]any{"full_name": "evil/policies"}}
	scratch := pull(6, "ada", "2026-11-01T00:00:00Z", commitSHA)
	scratch["base"] = map[string]any{"ref": "scratch", "repo": map[string]any{"full_name": "acme/policies"}}
	for name, tt := range map[string]struct {
		list []any
		want string
	}{
		"one into another branch":      {[]any{scratch, pull(8, "ada", "2026-11-01T00:00:00Z", other)}, "[8]"},
		"one whose merge made it":      {[]any{pull(7, "ada", "2026-11-01T00:00:00Z", commitSHA), pull(8, "ada", "2026-11-01T00:00:00Z", other)}, "[7]"},
		"those that contain it":        {[]any{pull(7, "ada", "2026-11-01T00:00:00Z", other), pull(8, "eve", "2026-11-01T00:00:00Z", other)}, "[7 8]"},
		"one that isn't merged":        {[]any{pull(7, "ada", "", commitSHA)}, "[]"},
		"one of another repository":    {[]any{elsewhere}, "[]"},
		"a commit that nobody knew of": {[]any{}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := play(t, reply{200, nil, tt.list})
			pulls, err := c.MergedPulls(context.Background(), commitSHA, "main")
			if err != nil {
				t.Fatal(err)
			}
			numbers := []int{}
			for _, p := range pulls {
				numbers = append(numbers, p.Number)
			}
			if got := fmt.Sprint(numbers); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if want := []string{"GET /api/v3/repos/acme/policies/commits/" + commitSHA + "/pulls?per_page=100"}; !slices.Equal(s.asked, want) {
				t.Errorf("asked %q, want %q", s.asked, want)
			}
		})
	}
	s, c := play(t)
	if _, err := c.MergedPulls(context.Background(), "main/../..", "main"); err == nil || len(s.asked) != 0 {
		t.Errorf("no commit: got %v after %q", err, s.asked)
	}
}

func TestApprovedBy(t *testing.T) {
	const label = "policypin/widened@8002e79ef28c"
	set := func(login string) map[string]any { return labelled("labeled", login, "User", label) }
	gone := labelled("unlabeled", "ada", "User", label)
	none := []any{}
	for _, tt := range []struct {
		name    string
		replies []reply
		want    string
		fails   string
	}{
		{"a maintainer", []reply{{200, nil, []any{set("grace")}}, permission("admin")}, "grace", ""},
		{"somebody who may write", []reply{{200, nil, []any{set("grace")}}, permission("write")}, "grace", ""},
		{"a role that maintains", []reply{{200, nil, []any{set("grace")}}, permission("maintain")}, "grace", ""},
		{"on the second page, among others", []reply{
			{200, map[string]string{"Link": `<SELF/next>; rel="next"`}, []any{labelled("labeled", "eve", "User", "bug"), map[string]any{"event": "closed", "actor": nil}}},
			{200, nil, []any{set("grace")}}, permission("write"),
		}, "grace", ""},
		{"in other letters", []reply{{200, nil, []any{labelled("labeled", "grace", "User", strings.ToUpper(label))}}, permission("write")}, "grace", ""},
		{"set again by somebody else", []reply{{200, nil, []any{set("ada"), gone, set("grace")}}, permission("write")}, "grace", ""},
		{"the author", []reply{{200, nil, []any{set("Ada")}}}, "", "Ada, who set it, is an author"},
		{"the author of another one that has the commit", []reply{{200, nil, []any{set("eve")}}}, "", "eve, who set it, is an author"},
		{"set again by the author", []reply{{200, nil, []any{set("grace"), gone, set("ada")}}}, "", "is an author"},
		{"a label that had another name when it was set", []reply{{200, nil, []any{labelled("labeled", "grace", "User", "bug")}}}, "", "its history doesn't say who set it"},
		{"taken off again", []reply{{200, nil, []any{set("grace"), gone}}}, "", "its history doesn't say who set it"},
		{"never set", []reply{{200, nil, none}}, "", "its history doesn't say who set it"},
		{"by an account that is gone", []reply{{200, nil, []any{set("")}}}, "", "its history doesn't say who set it"},
		{"by a program", []reply{{200, nil, []any{labelled("labeled", "renovate[bot]", "Bot", label)}}}, "", "is no person"},
		{"by a program that says otherwise", []reply{{200, nil, []any{labelled("labeled", "renovate[bot]", "User", label)}}}, "", "is no person"},
		{"a reader", []reply{{200, nil, []any{set("grace")}}, permission("read")}, "", "grace, who set it, has no write access"},
		{"somebody who may triage", []reply{{200, nil, []any{set("grace")}}, permission("triage")}, "", "has no write access"},
		{"somebody unknown", []reply{{200, nil, []any{set("grace")}}, permission("none")}, "", "has no write access"},
		{"the events can't be read", []reply{{403, map[string]string{"X-Accepted-GitHub-Permissions": "issues=read"}, map[string]any{"message": "Resource not accessible by integration"}}}, "", "issues=read"},
		{"the permission can't be read", []reply{{200, nil, []any{set("grace")}}, {404, nil, map[string]any{"message": "Not Found"}}}, "", "404"},
		{"a login that leads elsewhere", []reply{{200, nil, []any{set("../../user")}}}, "", "is no login"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, c := play(t, tt.replies...)
			p := &Pull{Number: 7, User: Account{"ada", "User"}}
			got, err := c.ApprovedBy(context.Background(), p, label, []Account{{"ada", "User"}, {"eve", "User"}})
			if got != tt.want || (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("got %q and %v, want %q and %q", got, err, tt.want, tt.fails)
			}
		})
	}
}

// A list without an end isn't read for ever, and isn't taken for a whole one.
func TestEndlessEvents(t *testing.T) {
	replies := make([]reply, maxPages)
	for i := range replies {
		replies[i] = reply{200, map[string]string{"Link": `<SELF/next>; rel="next"`}, []any{}}
	}
	s, c := play(t, replies...)
	if _, _, err := c.Labeller(context.Background(), 7, "x"); err == nil || len(s.asked) != maxPages {
		t.Errorf("got %v after %d requests", err, len(s.asked))
	}
}

func TestPull(t *testing.T) {
	s, c := play(t, reply{200, nil, pull(7, "ada", "", "")})
	p, err := c.Pull(context.Background(), 7)
	if err != nil || p.User.Login != "ada" || !p.Labelled("policypin/Widened@8002e79ef28c") || p.Labelled("policypin/widened@8002e79ef28d") {
		t.Errorf("got %+v, %v", p, err)
	}
	if s.asked[0] != "GET /api/v3/repos/acme/policies/pulls/7" {
		t.Errorf("asked %q", s.asked)
	}
	_, c = play(t, reply{403, nil, map[string]any{"message": "no"}})
	if _, err := c.Pull(context.Background(), 7); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v", err)
	}
}

func TestQueuedPull(t *testing.T) {
	for ref, want := range map[string]int{
		"refs/heads/gh-readonly-queue/main/pr-104-" + commitSHA:    104,
		"refs/heads/gh-readonly-queue/release/2/pr-7-" + commitSHA: 7,
		"refs/heads/gh-readonly-queue/main/pr-0-" + commitSHA:      0,
		"refs/heads/gh-readonly-queue/main/pr-104":                 0,
		"refs/heads/main": 0,
		"refs/heads/x/gh-readonly-queue/main/pr-104-" + commitSHA:       0,
		"refs/heads/gh-readonly-queue/main/pr-99999999999-" + commitSHA: 0,
		"": 0,
	} {
		if got := QueuedPull(ref); got != want {
			t.Errorf("%q: got %d, want %d", ref, got, want)
		}
	}
}
