package publish

import (
	"context"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/jcs"
)

// Gates are the names that an approval can pass.
var Gates = []string{gateRemoved, gateWidened, gateUncovered, gatePlatform, gateLoosened}

const (
	gateRemoved   = "max_removed_entries"
	gateWidened   = "widened"
	gateUncovered = "uncovered"
	gatePlatform  = "platform_policies"
	gateLoosened  = "loosened_gates"
)

// What a project file says about a gate.
const (
	wordAllow   = "allow"
	wordApprove = "approve"
	wordRefuse  = "refuse"
)

// States of a gate.
const (
	GatePassed   = "passed"
	GateApproved = "approved" // it would have refused, and somebody gave a reason
	GateRefused  = "refused"
	// GateNotChecked: what it takes to say isn't known. It doesn't refuse.
	GateNotChecked = "not-checked"
)

// A GateResult is what a gate says about one policy set. A gate that allows
// everything says nothing.
type GateResult struct {
	Gate   string `json:"gate"`
	Set    string `json:"set"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	// Label is the label of a pull request that approves it, or "" where nothing
	// can or has to be approved. See [Plan.ApprovalLabel].
	Label string `json:"label"`
	// Since is the commit of the set's last pin, where a gate closed for a set that
	// has one: what came after it is what an approval is about.
	Since gitstore.Hash `json:"-"`
}

// A closing is a gate that closed for a set and can be approved.
type closing struct{ gate, set string }

// hold is a gate that closes. The word is the project file's.
func (h *history) hold(p *Plan, gate, word, set, reason string) {
	g := GateResult{Gate: gate, Set: set, State: GateRefused, Reason: reason}
	if s := find(h.sets, func(s *setHistory) bool { return s.decl.Name == set }); s != nil && s.pin != nil {
		g.Since = s.pin.Commit
	}
	if word == wordApprove {
		h.closed = append(h.closed, closing{gate, set})
	}
	refusal := &Refusal{Code: Gate, Set: set, Gate: gate, Message: fmt.Sprintf("policy set %s: %s", set, reason)}
	switch {
	case word == wordApprove && h.opts.approved(gate):
		g.State = GateApproved
	case word == wordApprove:
		refusal.Hint = fmt.Sprintf("if that is meant, say so with --approve %s=REASON", gate)
	case h.own[gate] != wordRefuse:
		refusal.Hint = fmt.Sprintf("the project file of the last pin refuses it; --accept-project-change REASON goes by that of this commit, which says %s", h.own[gate])
	default:
		refusal.Hint = fmt.Sprintf("the project file refuses it: gates.%s; an approval doesn't change that", gate)
	}
	p.Gates = append(p.Gates, g)
	if g.State == GateRefused {
		p.Refusals = append(p.Refusals, refusal)
	}
}

func (p *Plan) gate(gate, set, state, format string, args ...any) {
	p.Gates = append(p.Gates, GateResult{Gate: gate, Set: set, State: state, Reason: fmt.Sprintf(format, args...)})
}

// labelID is what a label's digest is taken over: the content that a gate
// closed for. Another push to the pull request is other content, which the label
// doesn't approve.
type labelID struct {
	Gate   string       `json:"gate"`
	Target string       `json:"target"`
	ZoneID string       `json:"zone_id"`
	Sets   []labelSetID `json:"sets"`
	// Loosened is what the gate loosened_gates closed for. No set digest has it.
	Loosened []string `json:"loosened,omitempty"`
}

type labelSetID struct {
	Name      string `json:"name"`
	SetDigest string `json:"set_digest"`
}

// labelDigits is how much of the digest a label has, five bits a digit. Whoever
// writes policies could make two contents with one label, of which the harmless
// one is shown to who approves; for 150 bits that takes about 2^75 attempts. It is
// what GitHub leaves: names have up to 50 characters, the longest word 9.
const labelDigits = 30

// labelDigest writes a digest in letters and digits of one case, since GitHub
// doesn't tell labels apart by case (RFC 4648, section 6).
var labelDigest = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// labelWords are short names of gates, which leave more room for the digest.
var labelWords = map[string]string{
	gateRemoved: "removed", gateWidened: "widened", gateUncovered: "uncovered", gatePlatform: "platform", gateLoosened: "loosened",
}

// LabelPrefix begins the labels that approve.
const LabelPrefix = "policypin/"

// label computes the label of a gate, or "" if it needs no approval.
func (h *history) label(p *Plan, gate string) (string, error) {
	id := labelID{Gate: gate, Target: p.Target, ZoneID: p.ZoneID}
	for _, s := range p.Sets { // in their order, by name
		if slices.Contains(h.closed, closing{gate, s.Name}) {
			id.Sets = append(id.Sets, labelSetID{s.Name, s.SetDigest})
		}
	}
	if len(id.Sets) == 0 {
		return "", nil
	}
	if gate == gateLoosened {
		id.Loosened = h.loosened
	}
	d, err := jcs.Sum(id)
	if err != nil {
		return "", fmt.Errorf("digesting what gate %s closed for: %w", gate, err)
	}
	return LabelPrefix + labelWords[gate] + "@" + labelDigest.EncodeToString(d[:])[:labelDigits], nil
}

// labels puts the labels into the plan, once all gates have spoken.
func (h *history) labels(p *Plan) error {
	for _, gate := range Gates {
		label, err := h.label(p, gate)
		if err != nil {
			return err
		}
		for i := range p.Gates {
			if g := &p.Gates[i]; slices.Contains(h.closed, closing{gate, g.Set}) && g.Gate == gate {
				g.Label = label
			}
		}
		for _, r := range p.Refusals {
			if r.Gate == gate && slices.Contains(h.closed, closing{gate, r.Set}) {
				r.Label = label
			}
		}
	}
	return nil
}

// ApprovalLabel is the label that approves a gate for exactly the content that
// it closed for, or "" if it needs no approval or takes none.
func (p *Plan) ApprovalLabel(gate string) string {
	for _, g := range p.Gates {
		if g.Gate == gate && g.Label != "" {
			return g.Label
		}
	}
	return ""
}

// pass takes approvals that came after the plan was made.
func (h *history) pass(p *Plan, approvals []gitstore.Approval) {
	for _, a := range approvals {
		if p.ApprovalLabel(a.Gate) == "" {
			continue // nobody asked
		}
		h.opts.Approvals = append(h.opts.Approvals, a)
		for i := range p.Gates {
			if g := &p.Gates[i]; g.Gate == a.Gate && g.Label != "" {
				g.State = GateApproved
			}
		}
		p.Refusals = slices.DeleteFunc(p.Refusals, func(r *Refusal) bool { return r.Label != "" && r.Gate == a.Gate })
	}
}

// ask looks for approvals of the gates that are still closed.
func (h *history) ask(ctx context.Context, p *Plan) {
	closed := func(r *Refusal) bool { return r.Label != "" }
	if h.opts.Ask == nil || !slices.ContainsFunc(p.Refusals, closed) {
		return
	}
	approvals, err := h.opts.Ask(ctx, p)
	h.pass(p, approvals)
	if err == nil {
		return
	}
	for _, r := range p.Refusals {
		if closed(r) {
			r.Hint += "; " + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
	}
}

// approvalsOf are the reasons that belong into the pin of a set: those that one
// of its gates needed, and those of guards that aren't about one set.
func (h *history) approvalsOf(p *Plan, set string) []gitstore.Approval {
	return slices.DeleteFunc(h.opts.approvals(), func(a gitstore.Approval) bool {
		return slices.Contains(Gates, a.Gate) && !slices.ContainsFunc(p.Gates, func(g GateResult) bool {
			return g.Gate == a.Gate && g.Set == set && g.State == GateApproved
		})
	})
}

// gateNotes say which gates didn't just pass.
func (h *history) gateNotes(p *Plan) (notes []string) {
	for _, g := range p.Gates {
		switch g.State {
		case GateNotChecked:
			notes = append(notes, fmt.Sprintf("gate %s of policy set %s was not checked: %s", g.Gate, g.Set, g.Reason))
		case GateApproved:
			why := ""
			for _, a := range h.opts.Approvals {
				if a.Gate == g.Gate {
					by := ""
					if a.By != "" {
						by = " by " + a.By
					}
					why += fmt.Sprintf("; approved%s: %s", by, a.Reason)
				}
			}
			notes = append(notes, fmt.Sprintf("gate %s of policy set %s: %s%s", g.Gate, g.Set, g.Reason, why))
		}
	}
	return notes
}

// stricterWord is the stricter of what two project files say about a gate.
func stricterWord(a, b string) string {
	order := []string{wordAllow, wordApprove, wordRefuse}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}
