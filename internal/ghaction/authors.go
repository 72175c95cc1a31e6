package ghaction

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const (
	// maxPullCommits is how many commits of a pull request GitHub lists (API
	// reference, list commits on a pull request).
	maxPullCommits = 250
	// maxLandings bounds the commits of a branch whose pull requests are asked for,
	// one request each. Usually it is one.
	maxLandings = 50
)

// A written commit, as the API has it. Accounts are null where GitHub knows
// nobody with the address, and claims of whoever made the commit otherwise.
type written struct {
	SHA       string   `json:"sha"`
	Author    *Account `json:"author"`
	Committer *Account `json:"committer"`
	Parents   []struct {
		SHA string `json:"sha"`
	} `json:"parents"`
}

func (w written) accounts() (list []Account) {
	for _, a := range []*Account{w.Author, w.Committer} {
		if a != nil && a.Login != "" {
			list = append(list, *a)
		}
	}
	return list
}

// PullAuthors are the author of a pull request and those of its commits: who
// pushes to somebody else's pull request isn't its author.
func (c *Client) PullAuthors(ctx context.Context, p *Pull) ([]Account, error) {
	authors, n := []Account{p.User}, 0
	err := pages(ctx, c, c.endpoint("pulls/%d/commits?per_page=100", p.Number), func(list []written) {
		n += len(list)
		for _, one := range list {
			authors = append(authors, one.accounts()...)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing the commits of #%d: %w", p.Number, err)
	}
	if n >= maxPullCommits {
		return nil, fmt.Errorf("#%d has so many commits that GitHub doesn't say who wrote all of them", p.Number)
	}
	return authors, nil
}

// AuthorsSince are those of everything that came to a branch after a commit: of
// the commits, and of the pull requests that brought them. What an author
// couldn't have approved doesn't become approvable with the next pull request.
func (c *Client) AuthorsSince(ctx context.Context, base, head, branch string) ([]Account, error) {
	if !isCommit(base) || !isCommit(head) {
		return nil, fmt.Errorf("%q or %q is no commit", base, head)
	}
	var authors []Account
	parents := map[string]string{}
	page, total := c.endpoint("compare/%s...%s?per_page=100", base, head), 0
	for range maxPages {
		var answer struct {
			Total   int       `json:"total_commits"`
			Commits []written `json:"commits"`
		}
		header, err := c.call(ctx, http.MethodGet, page, nil, &answer)
		if err != nil {
			return nil, fmt.Errorf("listing the commits from %.12s to %.12s: %w", base, head, err)
		}
		total = max(total, answer.Total)
		for _, one := range answer.Commits {
			authors = append(authors, one.accounts()...)
			parents[one.SHA] = ""
			if len(one.Parents) > 0 {
				parents[one.SHA] = one.Parents[0].SHA
			}
		}
		if page = c.nextPage(header); page == "" {
			break
		}
	}
	if len(parents) < total {
		return nil, fmt.Errorf("GitHub lists %d of %d commits from %.12s to %.12s", len(parents), total, base, head)
	}
	at := head
	for n := 0; ; n++ {
		before, ok := parents[at]
		if !ok {
			return authors, nil
		}
		delete(parents, at)
		if n == maxLandings {
			return nil, fmt.Errorf("over %d commits came to %s since the last pin; publish them with --approve", maxLandings, branch)
		}
		pulls, err := c.MergedPulls(ctx, at, branch)
		if err != nil {
			return nil, err
		}
		for _, p := range pulls {
			authors = append(authors, p.User)
		}
		at = before
	}
}

// among tells whether somebody is one of a list.
func among(list []Account, who Account) bool {
	return slices.ContainsFunc(list, func(a Account) bool { return strings.EqualFold(a.Login, who.Login) })
}
