package ghaction

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// by is a commit as the API has it; "" is nobody that GitHub knows.
func by(sha, parent, author, committer string) map[string]any {
	account := func(login string) any {
		if login == "" {
			return nil
		}
		return map[string]any{"login": login, "type": "User"}
	}
	return map[string]any{
		"sha": sha, "author": account(author), "committer": account(committer),
		"parents": []any{map[string]any{"sha": parent}, map[string]any{"sha": "5555555555555555555555555555555555555555"}},
	}
}

func sha(digit string) string { return strings.Repeat(digit, 40) }

func logins(list []Account) string {
	var names []string
	for _, a := range list {
		names = append(names, a.Login)
	}
	return strings.Join(names, " ")
}

// Whoever pushed to a pull request is an author of it, too.
func TestPullAuthors(t *testing.T) {
	p := &Pull{Number: 7, User: Account{"ada", "User"}}
	s, c := play(t,
		reply{200, map[string]string{"Link": `<SELF/next>; rel="next"`}, []any{by(sha("1"), sha("0"), "ada", ""), by(sha("2"), sha("1"), "", "")}},
		reply{200, nil, []any{by(sha("3"), sha("2"), "eve", "web-flow")}})
	got, err := c.PullAuthors(context.Background(), p)
	if err != nil || logins(got) != "ada ada eve web-flow" {
		t.Errorf("got %q, %v", logins(got), err)
	}
	if s.asked[0] != "GET /api/v3/repos/acme/policies/pulls/7/commits?per_page=100" {
		t.Errorf("asked %q", s.asked)
	}
	// GitHub lists no more than 250, so who wrote the rest isn't known.
	many := make([]any, maxPullCommits)
	for i := range many {
		many[i] = by(sha("1"), sha("0"), "ada", "ada")
	}
	_, c = play(t, reply{200, nil, many})
	if _, err := c.PullAuthors(context.Background(), p); err == nil || !strings.Contains(err.Error(), "#7 has so many commits") {
		t.Errorf("got %v", err)
	}
}

// The authors of what an earlier run left unpinned are authors of what is pinned
// now: their pull requests were merged before.
func TestAuthorsSince(t *testing.T) {
	ctx := context.Background()
	compare := func(total int, commits ...any) reply {
		return reply{200, nil, map[string]any{"total_commits": total, "commits": commits}}
	}
	merged := func(number int, author string) reply {
		return reply{200, nil, []any{pull(number, author, "2026-11-01T00:00:00Z", sha("f"))}}
	}
	s, c := play(t)
	if _, err := c.AuthorsSince(ctx, "main", "../..", "main"); err == nil || len(s.asked) != 0 {
		t.Errorf("no commits: got %v after %q", err, s.asked)
	}
	const base, one, side, two = "a00000000000000000000000000000000000000a", "a111111111111111111111111111111111111111", "a999999999999999999999999999999999999999", "a222222222222222222222222222222222222222"
	s, c = play(t,
		compare(3, by(one, base, "", ""), by(side, base, "eve", "eve"), by(two, one, "grace", "web-flow")),
		merged(8, "grace"), merged(7, "mallory"))
	got, err := c.AuthorsSince(ctx, base, two, "main")
	if want := "eve eve grace web-flow grace mallory"; err != nil || logins(got) != want {
		t.Errorf("got %q and %v, want %q", logins(got), err, want)
	}
	want := []string{
		"GET /api/v3/repos/acme/policies/compare/" + base + "..." + two + "?per_page=100",
		"GET /api/v3/repos/acme/policies/commits/" + two + "/pulls?per_page=100",
		"GET /api/v3/repos/acme/policies/commits/" + one + "/pulls?per_page=100",
	}
	if fmt.Sprint(s.asked) != fmt.Sprint(want) {
		t.Errorf("asked %q, want %q", s.asked, want)
	}
	_, c = play(t, compare(3, by(two, one, "grace", "")))
	if _, err := c.AuthorsSince(ctx, base, two, "main"); err == nil || !strings.Contains(err.Error(), "lists 1 of 3 commits") {
		t.Errorf("a list that isn't whole: got %v", err)
	}
	_, c = play(t, reply{404, nil, map[string]any{"message": "Not Found"}})
	if _, err := c.AuthorsSince(ctx, base, two, "main"); err == nil {
		t.Error("a pin's commit that GitHub doesn't have: got no error")
	}
}

// A long way back would take as many requests.
func TestAuthorsOfALongHistory(t *testing.T) {
	var commits []any
	name := func(i int) string { return fmt.Sprintf("%040x", i+1) }
	for i := 1; i <= maxLandings+1; i++ {
		commits = append(commits, by(name(i), name(i-1), "ada", "ada"))
	}
	replies := []reply{{200, nil, map[string]any{"total_commits": len(commits), "commits": commits}}}
	for range maxLandings {
		replies = append(replies, reply{200, nil, []any{}})
	}
	_, c := play(t, replies...)
	if _, err := c.AuthorsSince(context.Background(), name(0), name(maxLandings+1), "main"); err == nil || !strings.Contains(err.Error(), "over 50 commits came to main") {
		t.Errorf("got %v", err)
	}
}
