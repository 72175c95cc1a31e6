package ghaction

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Names of events that have a meaning here.
const (
	PullRequestEvent = "pull_request"
	// TargetEvent is about a pull request, and runs on what it would be merged into.
	TargetEvent     = "pull_request_target"
	MergeGroupEvent = "merge_group"
	PushEvent       = "push"
	ScheduleEvent   = "schedule"
	DispatchEvent   = "workflow_dispatch"
)

// An Event is what started the workflow, as far as it matters here. Every text
// in it may be chosen by whoever opened a pull request.
type Event struct {
	Name        string
	PullRequest *PullRequest // nil for other events
	Push        *Push
	MergeGroup  *MergeGroup
	// DefaultBranch is the repository's, or "" if the event doesn't say.
	DefaultBranch string
}

// A PullRequest is the part of a pull request that is used.
type PullRequest struct {
	Number  int
	Action  string
	Base    string // branch
	BaseSHA string // may be older than the base that was merged
	HeadSHA string
	Fork    bool // from another repository, or from one that is gone
	Closed  bool // merged or not; it can still be edited, and get labels
	// NoSecrets tells that the run has none, for it is of a fork or by Dependabot.
	NoSecrets bool
}

// A Push is a change of one ref.
type Push struct {
	Ref           string // in full
	Before, After string // "" instead of zeros: the ref is new, or was deleted
	Forced        bool
}

// A MergeGroup is a stop of the merge queue.
type MergeGroup struct {
	BaseSHA, HeadSHA string // BaseSHA is "" in payloads recorded before GitHub sent it
	BaseRef          string // in full
}

// maxEvent is GitHub's own limit for an event.
const maxEvent = 25 << 20

// ReadEvent reads the event of the job. Without a payload all that is known is
// the name. That is not an error for an event whose payload isn't used: there is
// none outside a runner. A pull request that nothing is known of must not be
// green, though, for having been checked less than others.
func (r *Runner) ReadEvent() (Event, error) {
	e := Event{Name: r.EventName}
	f, err := os.Open(r.EventPath)
	if errors.Is(err, os.ErrNotExist) {
		if needsPayload(r.EventName) {
			return e, fmt.Errorf("the event %s has no payload: GITHUB_EVENT_PATH is %q, and there is no such file", r.EventName, r.EventPath)
		}
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("reading the event: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEvent+1))
	if err != nil {
		return e, fmt.Errorf("reading the event: %w", err)
	}
	if len(data) > maxEvent {
		return e, fmt.Errorf("the event has over %d bytes", maxEvent)
	}
	return ParseEvent(r.EventName, data)
}

type repository struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
}

type payload struct {
	Action      string     `json:"action"`
	Ref         string     `json:"ref"`
	Before      string     `json:"before"`
	After       string     `json:"after"`
	Forced      bool       `json:"forced"`
	Repository  repository `json:"repository"`
	PullRequest *struct {
		Number int    `json:"number"`
		State  string `json:"state"`
		User   Account
		Base   side
		Head   side
	} `json:"pull_request"`
	MergeGroup *struct {
		HeadSHA string `json:"head_sha"`
		BaseSHA string `json:"base_sha"`
		BaseRef string `json:"base_ref"`
	} `json:"merge_group"`
}

type side struct {
	Ref  string      `json:"ref"`
	SHA  string      `json:"sha"`
	Repo *repository `json:"repo"` // null when a fork was deleted
}

// needsPayload tells whether more than the name of an event is used.
func needsPayload(event string) bool {
	return event == PullRequestEvent || event == PushEvent || event == MergeGroupEvent
}

// ParseEvent reads the payload of an event. What the event should have and
// doesn't is an error.
func ParseEvent(name string, data []byte) (Event, error) {
	e := Event{Name: name}
	var p payload
	if err := json.Unmarshal(data, &p); err != nil {
		if wrong := (*json.UnmarshalTypeError)(nil); needsPayload(name) && errors.As(err, &wrong) {
			return e, fmt.Errorf("the event %s has %s where something else belongs: %q", name, wrong.Value, wrong.Field)
		} else if needsPayload(name) {
			return e, fmt.Errorf("the event %s: %w", name, err)
		}
		return e, nil // other events give other things these names, and nothing of them is needed
	}
	e.DefaultBranch = p.Repository.DefaultBranch
	lacks := func(what string) error { return fmt.Errorf("the event %s has no %s", name, what) }
	switch name {
	case PullRequestEvent:
		pr := p.PullRequest
		if pr == nil || pr.Number <= 0 || !isCommit(pr.Head.SHA) {
			return e, lacks("pull_request with number and head")
		}
		e.PullRequest = &PullRequest{
			Number: pr.Number, Action: p.Action, Base: pr.Base.Ref, BaseSHA: commitOrNone(pr.Base.SHA), HeadSHA: pr.Head.SHA,
			Fork: !sameRepository(pr.Head.Repo, pr.Base.Repo), Closed: p.Action == "closed" || pr.State == "closed",
		}
		e.PullRequest.NoSecrets = e.PullRequest.Fork || pr.User.Login == dependabot
	case PushEvent:
		if p.Ref == "" {
			return e, lacks("ref")
		}
		e.Push = &Push{Ref: p.Ref, Before: commitOrNone(p.Before), After: commitOrNone(p.After), Forced: p.Forced}
	case MergeGroupEvent:
		g := p.MergeGroup
		if g == nil || !isCommit(g.HeadSHA) {
			return e, lacks("merge_group with head")
		}
		e.MergeGroup = &MergeGroup{BaseSHA: commitOrNone(g.BaseSHA), HeadSHA: g.HeadSHA, BaseRef: g.BaseRef}
	}
	return e, nil
}

// dependabot is an account that opens pull requests, whose runs have the secrets
// of Dependabot only.
const dependabot = "dependabot[bot]"

// sameRepository tells whether a pull request comes from its own repository.
// "fork" in the payload is another question: it is true for every branch of a
// repository that is itself a fork.
func sameRepository(head, base *repository) bool {
	if head == nil || base == nil {
		return false
	}
	if head.ID != 0 && base.ID != 0 {
		return head.ID == base.ID
	}
	return head.FullName != "" && strings.EqualFold(head.FullName, base.FullName)
}

// commitOrNone is an id, or "" for zeros, which stand for no commit.
func commitOrNone(id string) string {
	if !isCommit(id) {
		return ""
	}
	return id
}

// isCommit tells whether a text is the id of a commit, SHA-1 or SHA-256.
func isCommit(id string) bool {
	return (len(id) == 40 || len(id) == 64) && strings.Trim(id, "0123456789abcdef") == "" && strings.Trim(id, "0") != ""
}
