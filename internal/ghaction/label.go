package ghaction

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An Account is somebody on GitHub.
type Account struct {
	Login string `json:"login"`
	Type  string `json:"type"` // User, Bot, Organization or Mannequin
}

// bot tells whether a program acts there.
func (a Account) bot() bool { return a.Type != "User" || strings.HasSuffix(a.Login, "[bot]") }

// A Pull is a pull request as the API has it.
type Pull struct {
	Number         int     `json:"number"`
	User           Account `json:"user"`
	MergedAt       *string `json:"merged_at"` // null while it isn't merged
	MergeCommitSHA string  `json:"merge_commit_sha"`
	Labels         []struct {
		Name string `json:"name"`
	} `json:"labels"`
	Base side `json:"base"`
	Head side `json:"head"`
}

// Labelled tells whether it has the label. GitHub keeps the case of a name and
// doesn't tell names apart by it.
func (p *Pull) Labelled(label string) bool {
	for _, l := range p.Labels {
		if strings.EqualFold(l.Name, label) {
			return true
		}
	}
	return false
}

// Pull reads a pull request.
func (c *Client) Pull(ctx context.Context, number int) (*Pull, error) {
	var p Pull
	if _, err := c.call(ctx, http.MethodGet, c.endpoint("pulls/%d", number), nil, &p); err != nil {
		return nil, fmt.Errorf("reading pull request #%d: %w", number, err)
	}
	return &p, nil
}

// OnBranch tells whether a commit is on a branch, its tip among others (API
// reference, compare two commits).
func (c *Client) OnBranch(ctx context.Context, commit, branch string) (bool, error) {
	if !isCommit(commit) {
		return false, fmt.Errorf("%q is no commit", commit)
	}
	var answer struct {
		Status string `json:"status"` // of the branch, seen from the commit
	}
	if _, err := c.call(ctx, http.MethodGet, c.endpoint("compare/%s...%s?per_page=1", commit, url.PathEscape(branch)), nil, &answer); err != nil {
		return false, fmt.Errorf("asking whether %.12s is on %s: %w", commit, branch, err)
	}
	return answer.Status != "diverged" && answer.Status != "behind", nil
}

// MergedPulls lists the pull requests of this repository that brought a commit
// into a branch. One whose merge made the commit goes before those that merely
// contain it, as after a rebase. Those into other branches say nothing: anybody
// who may push can merge there without a review.
func (c *Client) MergedPulls(ctx context.Context, commit, branch string) ([]*Pull, error) {
	if !isCommit(commit) {
		return nil, fmt.Errorf("%q is no commit", commit)
	}
	var merged []*Pull
	err := pages(ctx, c, c.endpoint("commits/%s/pulls?per_page=100", commit), func(list []*Pull) {
		for _, p := range list {
			if p.MergedAt != nil && p.Base.Ref == branch && p.Base.Repo != nil && strings.EqualFold(p.Base.Repo.FullName, c.repo) {
				merged = append(merged, p)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing the pull requests of commit %.12s: %w", commit, err)
	}
	made := func(p *Pull) bool { return p.MergeCommitSHA == commit }
	if slices.ContainsFunc(merged, made) {
		merged = slices.DeleteFunc(merged, func(p *Pull) bool { return !made(p) })
	}
	return merged, nil
}

// Labeller is who set a label on a pull request last, as long as nobody took it
// off again. ok is false if the history doesn't say.
func (c *Client) Labeller(ctx context.Context, number int, label string) (who Account, ok bool, err error) {
	type event struct {
		Event string   `json:"event"`
		Actor *Account `json:"actor"` // null for an account that is gone
		Label *struct {
			Name string `json:"name"`
		} `json:"label"`
	}
	// The oldest first, each with the name that the label had then: one that was
	// renamed to this has no history here.
	err = pages(ctx, c, c.endpoint("issues/%d/events?per_page=100", number), func(list []event) {
		for _, e := range list {
			if e.Label == nil || !strings.EqualFold(e.Label.Name, label) {
				continue
			}
			switch e.Event {
			case "labeled":
				who, ok = Account{}, e.Actor != nil
				if ok {
					who = *e.Actor
				}
			case "unlabeled":
				who, ok = Account{}, false
			}
		}
	})
	if err != nil {
		return Account{}, false, fmt.Errorf("reading who set a label on #%d: %w", number, err)
	}
	return who, ok, nil
}

var loginForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

// CanWrite tells whether somebody may push to the repository.
func (c *Client) CanWrite(ctx context.Context, login string) (bool, error) {
	if !loginForm.MatchString(login) {
		return false, fmt.Errorf("%q is no login", login)
	}
	var answer struct {
		Permission string `json:"permission"`
	}
	if _, err := c.call(ctx, http.MethodGet, c.endpoint("collaborators/%s/permission", url.PathEscape(login)), nil, &answer); err != nil {
		return false, fmt.Errorf("asking what %s may do: %w", login, err)
	}
	return slices.Contains([]string{"write", "maintain", "admin"}, answer.Permission), nil
}

// ApprovedBy is who approves by a label that is on a pull request: whoever set
// it last, a person with write access who is none of the authors. The error says
// why nobody does.
func (c *Client) ApprovedBy(ctx context.Context, p *Pull, label string, authors []Account) (login string, err error) {
	who, ok, err := c.Labeller(ctx, p.Number, label)
	if err != nil {
		return "", err
	}
	refuse := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("the label %s on #%d doesn't count: %s", label, p.Number, fmt.Sprintf(format, args...))
	}
	switch {
	case !ok:
		return refuse("its history doesn't say who set it")
	case who.bot():
		return refuse("%s, which set it, is no person", who.Login)
	case among(authors, who), among([]Account{p.User}, who):
		return refuse("%s, who set it, is an author of what it approves", who.Login)
	}
	may, err := c.CanWrite(ctx, who.Login)
	if err != nil {
		return "", err
	}
	if !may {
		return refuse("%s, who set it, has no write access", who.Login)
	}
	return who.Login, nil
}

// pages reads a list to its end.
func pages[T any](ctx context.Context, c *Client, page string, each func([]T)) error {
	for range maxPages {
		var list []T
		header, err := c.call(ctx, http.MethodGet, page, nil, &list)
		if err != nil {
			return err
		}
		each(list)
		if page = c.nextPage(header); page == "" {
			return nil
		}
	}
	return fmt.Errorf("the list has over %d pages", maxPages)
}

var queueRef = regexp.MustCompile(`^refs/heads/gh-readonly-queue/.+/pr-([1-9][0-9]{0,9})-[0-9a-f]{40,64}$`)

// QueuedPull is the number of the pull request that a stop of the merge queue is
// named after, the last of its group; 0 if the ref isn't such a stop.
func QueuedPull(ref string) int {
	m := queueRef.FindStringSubmatch(ref)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return n
}
