package main

import (
	"context"
	"fmt"
	"time"

	"github.com/policypin/policypin/gitstore"
)

// maxAsked is how long a check waits for what it can do without.
const maxAsked = time.Minute

// stale tells whether the merge commit that GitHub made for a pull request is of
// what the run is about. GitHub makes it in its own time: it can be that of the
// push before, and it stays that of the branch before when the pull request gets
// another one. The run would be green on a tree that nobody will merge.
//
// What somebody checked out on purpose is another commit than GITHUB_SHA. Whether
// a commit is on the base is asked of GitHub, since a clone of depth 1 doesn't
// know; without an answer it counts as being there.
func (a *action) stale(ctx context.Context, repo *gitstore.Repo, head gitstore.Hash) error {
	pr := a.event.PullRequest
	if pr == nil || head.String() != a.runner.SHA || head.String() == pr.HeadSHA {
		return nil
	}
	commit, err := repo.Commit(head)
	if err != nil || len(commit.Parents) != 2 {
		return err
	}
	const hint = "push to the pull request, which makes GitHub merge anew"
	if merged := commit.Parents[1]; merged.String() != pr.HeadSHA {
		return &hinted{
			err:  fmt.Errorf("the merge commit that GitHub made is of %s, and the run is about %.12s", merged.Short(), pr.HeadSHA),
			hint: hint,
		}
	}
	client, err := a.runner.NewClient(a.in.token, "policypin/"+build().Version)
	if err != nil || pr.Base == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, maxAsked)
	defer cancel()
	if on, err := client.OnBranch(ctx, commit.Parents[0].String(), pr.Base); err == nil && !on {
		return &hinted{
			err:  fmt.Errorf("the merge commit that GitHub made merges into %s, which is not on %s", commit.Parents[0].Short(), pr.Base),
			hint: hint,
		}
	}
	return nil
}
