// Package publish makes a zone agree with a commit: it reads the state of the
// branch, the pins and the zone, computes a plan, which is a pure function of
// that state, applies it, and pins what was published.
//
// Every step can be repeated. Nothing is remembered between runs but what the
// zone and the pins say, so the same command goes on where a killed run ended.
package publish

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/policypin/policypin/gitstore"
)

// A Source is the commit that is planned or published, and where its branch and
// its pins are.
type Source struct {
	Repo   *gitstore.Repo
	Origin gitstore.Origin
	Commit gitstore.Hash
	Dir    string // folder of the project file in the repository, "." for the root
	Target string // name of the target
}

// Options change what a run accepts. The zero value accepts only the usual.
type Options struct {
	// Activate binds the target's active set after its version is pinned.
	Activate bool
	// BehindTip lets a commit be published that is not the tip of the branch.
	BehindTip bool
	// Merged plans a commit as what its branch will be once it is merged, as a
	// pull request asks. Such a plan can be shown and not be applied.
	Merged bool
	// Decisions asks which decisions change, even where no gate wants to know.
	Decisions bool
	// NewBase is the reason why a commit that has diverged from the last pin
	// may be published; "" refuses it.
	NewBase string
	// AcceptProjectChange is the reason why changed guards in the project file
	// need not be judged by their old values; "" judges by both.
	AcceptProjectChange string
	// Adopt names foreign policies and policy sets that may be taken over.
	Adopt []string
	// Recreate names policies that were archived in the zone and may be created
	// anew.
	Recreate []string
	// ReplaceActive is the id of the foreign version that an activation may
	// replace.
	ReplaceActive string
	// Approvals pass gates. Those that were needed are recorded in the pins.
	Approvals []gitstore.Approval
	// Ask looks elsewhere for approvals of the gates that a plan finds closed; nil
	// doesn't. Whatever it returns for another gate is ignored. Its error doesn't
	// end the run: it says why something is no approval, beside the refusal.
	Ask func(context.Context, *Plan) ([]gitstore.Approval, error)
	// Expected is the plan that was approved, or nil. Publishing anything else
	// is refused.
	Expected *Plan
	// Sign signs a new pin; nil leaves it unsigned. A pin that is there already
	// keeps what it has.
	Sign func(context.Context, *gitstore.Pin) (*gitstore.Pin, error)
	// Lock says how the lock is taken.
	Lock gitstore.LockOptions
	// LookupFor is how long a create whose answer was lost is looked up before
	// it is repeated; 0 is 10 s, since replicas lag.
	LookupFor time.Duration
	// Progress is told about each step in words; it may be nil.
	Progress func(string)
}

// workers is how many policies are created at a time. The service documents no
// rate limit; this many requests keep a slow connection busy and a fast one
// polite.
const workers = 8

func (o Options) lookupFor() time.Duration {
	if o.LookupFor == 0 {
		return 10 * time.Second
	}
	return o.LookupFor
}

func (o Options) progress(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// approvals are all reasons that this run was given, for the record.
func (o Options) approvals() []gitstore.Approval {
	all := append([]gitstore.Approval{}, o.Approvals...)
	add := func(gate, reason string) {
		if reason != "" {
			all = append(all, gitstore.Approval{Gate: gate, Reason: reason, Source: "flag"})
		}
	}
	add("new-base", o.NewBase)
	add("project-change", o.AcceptProjectChange)
	for _, name := range o.Adopt {
		add("adopt", name)
	}
	for _, name := range o.Recreate {
		add("recreate", name)
	}
	add("replace-active", o.ReplaceActive)
	return all
}

func (o Options) approved(gate string) bool {
	for _, a := range o.Approvals {
		if a.Gate == gate {
			return true
		}
	}
	return false
}

// Codes of refusals. They are stable and shown in JSON.
const (
	Unreachable   = "unreachable"    // the commit is not on the target's branch
	Diverged      = "diverged"       // the commit does not descend from the last pin
	StalePlan     = "stale-plan"     // the approved plan is not what would happen
	Gate          = "gate"           // a gate
	ProjectChange = "project-change" // the project file's guards changed
	Foreign       = "foreign"        // an object in the zone that no pin knows
	Platform      = "platform-owned" // an object that Keycard manages
	Archived      = "archived"       // an object that was archived in the zone
	Mismatch      = "mismatch"       // an entry names something that isn't as the manifest says
	PinName       = "pin-name"       // a tag name is held by another zone or set
	ActiveChanged = "active-changed" // another version is active than expected
	NoTarget      = "no-target"      // nothing that could be activated
)

// A Refusal is a guard's no, with the way out. It maps to exit status 5.
type Refusal struct {
	Code    string `json:"code"`
	Set     string `json:"set"`    // the policy set, or ""
	Policy  string `json:"policy"` // the policy, or ""
	Gate    string `json:"gate"`   // the gate, or ""
	Label   string `json:"label"`  // the label of a pull request that approves it, or ""
	Message string `json:"message"`
	Hint    string `json:"hint"` // what to do about it, or ""
}

// Error is the message with what it is about.
func (r *Refusal) Error() string { return r.Message }

// Refusals are all guards' noes of one plan, at least one.
type Refusals []*Refusal

// Error lists them, one a line.
func (rs Refusals) Error() string {
	lines := make([]string, len(rs))
	for i, r := range rs {
		lines[i] = r.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single refusals.
func (rs Refusals) Unwrap() []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		errs[i] = r
	}
	return errs
}

// An Incomplete error says what a run had done when it failed. Every step can
// be repeated: the same command goes on from there.
type Incomplete struct {
	Done []string // steps that are done, in order, in words
	Err  error
}

// Error is the reason for the end.
func (e *Incomplete) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *Incomplete) Unwrap() error { return e.Err }
