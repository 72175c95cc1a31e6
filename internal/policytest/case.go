package policytest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// The decisions, as test files spell them.
const (
	allow = "allow"
	deny  = "deny"
)

// A job is one case for one set.
type job struct {
	file *manifest.TestFile
	c    *manifest.Case
	set  *preparedSet
}

func (j job) run() Result {
	c := j.c
	r := Result{
		Case: c.Label(), File: j.file.File, Line: c.Line, Column: c.Column, Set: j.set.set.Name,
		Principal: c.Principal.UID.String(), Action: c.Action.UID.String(), Resource: c.Resource.UID.String(),
		Expected: Expected{Decision: c.Expect, Determining: list(c.Determining), Stated: c.Stated, Errors: list(c.Errors)},
		Messages: []string{},
	}
	version := j.set.set.SchemaVersion
	request, ok := c.Request(version)
	world := j.file.World(version)
	if !ok || world == nil {
		// Load has reported why. A case that nobody decided hasn't passed.
		r.Got = Got{Determining: []string{}, Errors: []cedar.EvaluationError{}}
		r.Status, r.Messages = Failed, []string{"it isn't a request of schema version " + version}
		return r
	}
	d := j.set.authorizer.Decide(world, request)
	r.Got = Got{Decision: deny, Determining: list(d.Reasons), Errors: append([]cedar.EvaluationError{}, d.Errors...)}
	if d.Allow {
		r.Got.Decision = allow
	}
	// A forbid stays one, whatever else there is. All else could be turned: by a
	// forbid that wasn't read, or by a permit.
	r.Certain = len(j.set.unread) == 0 || !d.Allow && len(d.Reasons) > 0
	r.Messages = append(r.Messages, j.differences(d, r)...)
	switch missing := j.missing(); {
	case len(missing) > 0 && (r.Got.Decision == c.Expect || !r.Certain):
		r.Status, r.Messages = Skipped, []string{"it rests on " + strings.Join(missing, ", ") + ", whose text isn't in the repository"}
	case len(r.Messages) > 0:
		r.Status = Failed
	default:
		r.Status = Passed
	}
	return r
}

// differences says in which ways the decision isn't the expected one.
func (j job) differences(d cedar.Decision, r Result) (messages []string) {
	c := j.c
	switch {
	case r.Got.Decision != c.Expect && len(d.Reasons) == 0:
		messages = append(messages, fmt.Sprintf("expected %s, got %s: no policy permits it", c.Expect, r.Got.Decision))
	case r.Got.Decision != c.Expect:
		messages = append(messages, fmt.Sprintf("expected %s, got %s by %s", c.Expect, r.Got.Decision, j.set.names(d.Reasons)))
	case c.Stated && !sameNames(d.Reasons, c.Determining):
		messages = append(messages, fmt.Sprintf("expected %s by %s, got it by %s", c.Expect, j.set.names(c.Determining), j.set.names(d.Reasons)))
	}
	failed := map[string]bool{}
	for _, e := range d.Errors {
		if failed[e.Policy] = true; !slices.Contains(c.Errors, e.Policy) {
			messages = append(messages, fmt.Sprintf("%s couldn't be evaluated: %s", j.set.names([]string{e.Policy}), e.Message))
		}
	}
	for _, name := range c.Errors {
		if !failed[name] {
			messages = append(messages, fmt.Sprintf("%s was expected to fail, and was evaluated", j.set.names([]string{name})))
		}
	}
	return messages
}

// missing lists the policies that the case names and whose text isn't known.
func (j job) missing() (names []string) {
	for _, name := range slices.Concat(j.c.Determining, j.c.Errors) {
		if j.set.unread[name] {
			names = append(names, name)
		}
	}
	return names
}

// names lists policies with the places of their sources.
func (p *preparedSet) names(policies []string) string {
	if len(policies) == 0 {
		return "no policy"
	}
	parts := make([]string, len(policies))
	for i, name := range policies {
		if parts[i] = name; p.where[name] != "" {
			parts[i] += " (" + p.where[name] + ")"
		}
	}
	return strings.Join(parts, ", ")
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// list is the same list, but never null in JSON.
func list(names []string) []string { return append([]string{}, names...) }
