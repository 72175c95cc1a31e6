package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/policytest"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type whyOptions struct {
	request whyRequest
	set, at string
	online  bool
	apiURL  string
	format  choice
}

func whyCommand(w *world) *cli.Command {
	var opts whyOptions
	return &cli.Command{
		Name:  "why",
		Usage: "decide one request, and say which commits that comes from",
		Description: help{
			text: `Decides a request by a policy set as it is committed, and shows the policies that
determine the decision, each with its file and line and the commit that last
changed what it says. Commits that only changed its layout or moved its file are
passed over and named.

The policy set is --set, else that of the pin, else the active set of the target,
else the only one. Entities that aren't given have no attributes and no parents.
A policy without a source, such as one of the platform's, isn't known here: a
decision that it could change is called uncertain, unless --online reads it.
Either decision is status 0.`,
			examples: []string{
				`policypin why --test "employees read anything"`,
				"policypin why --at agents/v12 --entities entities/team.json --context '{\"on_behalf\": false}' \\\n" +
					`      --principal 'Keycard::User::"ada"' --action 'Keycard::Action::"Access"' \` + "\n" +
					`      --resource 'Keycard::Resource::"ledger"'`,
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "principal", Usage: "the `ENTITY` that asks, as Type::\"id\"", Destination: &opts.request.principal},
			&cli.StringFlag{Name: "action", Usage: "the `ENTITY` that names the action", Destination: &opts.request.action},
			&cli.StringFlag{Name: "resource", Usage: "the `ENTITY` that is asked for", Destination: &opts.request.resource},
			&cli.StringFlag{Name: "context", Usage: "read the context from `FILE`, - for stdin; or the JSON itself, if it starts with {", Destination: &opts.request.context},
			&cli.StringFlag{Name: "entities", Usage: "read the entities from `FILE`, in Cedar's JSON format", Destination: &opts.request.entities},
			&cli.StringFlag{Name: "test", Usage: "ask the request of the test case `NAME`, or of the one at FILE:LINE, with its entities", Destination: &opts.request.test},
			&cli.StringFlag{Name: "set", Usage: "decide by policy set `SET`", Destination: &opts.set},
			&cli.StringFlag{Name: "at", Usage: "decide as in `STATE`: a revision, a pin, WORKTREE or INDEX", Value: "HEAD", Destination: &opts.at},
			&cli.BoolFlag{Name: "online", Usage: "read policies without a source from the target's zone", Destination: &opts.online},
			apiURLFlag(&opts.apiURL),
			formatFlag(&opts.format, formatText, formatJSON),
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			doc, err := explainDecision(c.Context, w, opts)
			if err != nil {
				return err
			}
			if opts.format.value == formatJSON {
				err = report.JSON(w.stdout, doc)
			} else {
				err = report.WhyText(w.stdout, w.style(), doc)
			}
			for _, note := range report.WhyNotes(doc) {
				w.say("%s %s", w.errStyle().Warning("warning:"), note)
			}
			return err
		},
	}
}

func explainDecision(ctx context.Context, w *world, opts whyOptions) (report.Why, error) {
	none := report.Why{}
	if err := opts.request.complete(); err != nil {
		return none, err
	}
	if strings.HasPrefix(opts.at, zonePrefix) {
		return none, &usage{msg: "why asks states of the repository, not " + opts.at, hint: "name a pin of that zone, such as agents/v12"}
	}
	p, err := w.findProject()
	if err != nil {
		return none, err
	}
	defer p.close()
	q := &question{project: p}
	if err := q.read(ctx, w, opts); err != nil {
		return none, err
	}
	asked, err := w.ask(opts.request, q.tree, q.tree.Schemas[q.set.SchemaVersion])
	if err != nil {
		return none, err
	}
	var stored storedPolicies
	if opts.online {
		if stored, err = w.storedFor(ctx, q, opts.apiURL); err != nil {
			return none, err
		}
	}
	doc := q.decide(asked, stored)
	doc.Test = opts.request.test
	return doc, q.trace(&doc)
}

// decide answers the request, without the commits.
func (q *question) decide(a asked, stored storedPolicies) report.Why {
	doc := report.Why{
		Schema: report.Schema, At: q.state.report(), Set: q.set.Name, SchemaVersion: q.set.SchemaVersion,
		Principal: a.data.Principal.UID.String(), Action: a.data.Action.UID.String(), Resource: a.data.Resource.UID.String(),
		Decision: "deny", Determining: []report.WhyPolicy{}, Errors: []report.WhyError{},
		Unread: []string{}, Undeclared: append([]string{}, a.undeclared...),
	}
	if q.pin != nil {
		rec := q.pin.Record
		doc.Pin = &report.WhyPin{
			Tag: q.pin.Name, Target: rec.Target, Set: rec.PolicySet, Version: rec.Version,
			VersionID: rec.VersionID, PublishedAt: rec.CreatedAt,
		}
	}
	var policies []cedar.Named
	for _, e := range q.set.Entries {
		texts := stored[policytest.Entry{Set: q.set.Name, Policy: e.Label()}]
		if source := q.tree.Sources[e.Source]; source != nil {
			texts = []*cedar.Policy{source}
		}
		for _, text := range texts {
			policies = append(policies, cedar.Named{Name: e.Label(), Policy: text})
		}
		if texts == nil {
			doc.Unread = append(doc.Unread, e.Label())
		} else {
			doc.Considered++
		}
	}
	d := cedar.NewAuthorizer(policies).Decide(a.entities, a.request)
	effect := "forbid"
	if d.Allow {
		doc.Decision, effect = "allow", "permit"
	}
	for _, name := range d.Reasons {
		doc.Determining = append(doc.Determining, q.policy(name, effect))
	}
	for _, e := range d.Errors {
		failed := q.policy(e.Policy, "")
		i := slices.IndexFunc(policies, func(p cedar.Named) bool { return p.Name == e.Policy })
		failed.Effect = policies[i].Policy.Effect()
		doc.Errors = append(doc.Errors, report.WhyError{WhyPolicy: failed, Message: e.Message})
	}
	// As in decision tests: a forbid stays one, all else could be turned.
	doc.Certain = len(doc.Unread) == 0 || !d.Allow && len(d.Reasons) > 0
	return doc
}

// policy is what the files say of a policy of the set.
func (q *question) policy(name, effect string) report.WhyPolicy {
	y := report.WhyPolicy{Policy: name, Effect: effect, Since: []report.WhyChange{}}
	e := q.entry(name)
	at := e.Position
	if source := q.tree.Sources[e.Source]; source != nil {
		y.Source, at = true, source.Position()
	}
	y.File, y.Line, y.Version = at.File, at.Line, e.Version
	if q.pin != nil && q.pin.Record.PolicySet == q.set.Name {
		for _, pinned := range q.pin.Record.Entries {
			if pinned.Policy == name || pinned.PolicyID == name {
				y.Version = pinned.Version
			}
		}
	}
	return y
}

// entry is the entry of a policy that decided.
func (q *question) entry(name string) manifest.Entry {
	i := slices.IndexFunc(q.set.Entries, func(e manifest.Entry) bool { return e.Label() == name })
	return q.set.Entries[i]
}

// trace finds the commits that the policies of an answer come from.
func (q *question) trace(doc *report.Why) error {
	base := q.state.commit
	if base.IsZero() && q.repo != nil {
		var err error
		if base, err = q.repo.Resolve("HEAD"); err != nil && !errors.Is(err, gitstore.ErrNoRevision) && !errors.Is(err, gitstore.ErrNoCommit) {
			return err
		}
	}
	var policies []*report.WhyPolicy
	for i := range doc.Determining {
		policies = append(policies, &doc.Determining[i])
	}
	for i := range doc.Errors {
		policies = append(policies, &doc.Errors[i].WhyPolicy)
	}
	return q.traceAll(base, policies)
}
