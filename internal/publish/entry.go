package publish

import (
	"context"

	"github.com/policypin/policypin/internal/keycard"
)

// Prepare reads the branch, the pins and the zone, and returns the plan. It can
// only read. A plan with refusals is returned together with an error that holds
// them, so that it can be shown. The error is a [diag.List] if the commit's
// files have problems.
func Prepare(ctx context.Context, r *keycard.Reader, src Source, opts Options) (*Plan, error) {
	panic("unwritten")
}

// PrepareOffline makes the plan from the repository and its pins alone. Gates
// and guards that need the zone are not checked; the notes say so.
func PrepareOffline(ctx context.Context, src Source, opts Options) (*Plan, error) {
	panic("unwritten")
}

// Publish makes the zone agree with the commit and pins it. The error is a
// [diag.List], a [Refusals], or an [Incomplete] that says what is done.
func Publish(ctx context.Context, c *keycard.Client, src Source, opts Options) (*Receipt, error) {
	panic("unwritten")
}

// Activate binds a pinned version of a set: version is "" for the newest pin,
// "previous" for the one before the active version, "v12", or a tag name. It is
// the rollback, and not held to the tip of the branch.
func Activate(ctx context.Context, c *keycard.Client, src Source, set, version string, opts Options) (*Receipt, error) {
	panic("unwritten")
}
