package ghaction

import "slices"

// A Range says which two commits an event is about.
type Range struct {
	Base string // id of the commit that is compared with, or "" if there is none
	// Head is the commit that people know: that of the pull request, where the
	// checked out one is made by GitHub.
	Head string
	// Merged tells that the checked out commit is what merging would give, so
	// that the difference is exactly what merging would change.
	Merged bool
	// Diverged tells that Base may have changes which the checked out commit
	// lacks. The common ancestor of the two is the better base.
	Diverged bool
}

// Compare finds the commits of an event, given the commit that is checked out
// and its parents. These are in the commit itself, so a checkout of depth 1 has
// them although it hasn't their objects.
func (e Event) Compare(head string, parents []string) Range {
	r := Range{Head: head}
	switch {
	case e.PullRequest != nil:
		pr := e.PullRequest
		r.Head = pr.HeadSHA
		switch at := slices.Index(parents, pr.HeadSHA); {
		case len(parents) == 2 && at == 1:
			// The base in the payload is that of when the pull request was opened
			// or last pushed to, not the one that was merged.
			r.Base, r.Merged = parents[0], true
		case head == pr.HeadSHA:
			r.Base, r.Diverged = pr.BaseSHA, true
		default: // somebody checked out something else on purpose
			r.Head, r.Base, r.Diverged = head, pr.BaseSHA, true
		}
	case e.MergeGroup != nil:
		r.Base, r.Merged = e.MergeGroup.BaseSHA, true
		if r.Base == "" && len(parents) > 0 {
			r.Base = commitOrNone(parents[0]) // the queue merges or rebases onto its base
		}
	case e.Push != nil:
		r.Base = e.Push.Before // after a forced push it may be gone
	}
	return r
}
