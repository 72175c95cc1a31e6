package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

// publishOptions are what plan and publish have in common: the commit, and the
// guards that this run may pass.
type publishOptions struct {
	rev           string
	activate      bool
	behindTip     bool
	newBase       string
	acceptProject string
	adopt         cli.StringSlice
	recreate      cli.StringSlice
	approve       cli.StringSlice
	replaceActive string
	// ask looks elsewhere for approvals of the gates that a plan finds closed.
	ask func(context.Context, *publish.Plan) ([]gitstore.Approval, error)
	zoneOptions
}

// flags are those of the options; formats are written beside text and JSON.
func (o *publishOptions) flags(formats ...string) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "rev", Usage: "the commit is `REVISION`", Value: "HEAD", Destination: &o.rev},
		&cli.BoolFlag{Name: "activate", Usage: "let the target's active set decide with the new version", Destination: &o.activate},
		&cli.BoolFlag{Name: "behind-tip", Usage: "accept a commit that is not the tip of the branch, for promotion", Destination: &o.behindTip},
		&cli.StringFlag{Name: "new-base", Usage: "start again after a rewritten history; `REASON` is recorded", Destination: &o.newBase},
		&cli.StringFlag{Name: "accept-project-change", Usage: "accept that the project file's guards changed; `REASON` is recorded", Destination: &o.acceptProject},
		&cli.StringSliceFlag{Name: "adopt", Usage: "take over the foreign policy or policy set `NAME`, repeatable", Destination: &o.adopt},
		&cli.StringSliceFlag{Name: "recreate", Usage: "create policy `NAME` anew, which was archived in the zone, repeatable", Destination: &o.recreate},
		&cli.StringSliceFlag{Name: "approve", Usage: "pass a gate: `GATE=REASON` is recorded, repeatable", Destination: &o.approve},
		&cli.StringFlag{Name: "replace-active", Usage: "activation may replace `VERSION_ID`, which isn't ours", Destination: &o.replaceActive},
	}, o.zoneOptions.flags(formats...)...)
}

// approveVariable holds approvals beside --approve, one GATE=REASON a line.
const approveVariable = "POLICYPIN_APPROVE"

// build turns the flags into options of package publish.
func (o *publishOptions) build(w *world) (publish.Options, error) {
	opts := publish.Options{
		Activate: o.activate, BehindTip: o.behindTip, NewBase: o.newBase, AcceptProjectChange: o.acceptProject,
		Adopt: o.adopt.Value(), Recreate: o.recreate.Value(), ReplaceActive: o.replaceActive,
		Progress: w.progress(), Ask: o.ask,
	}
	given := []struct{ name, source, text string }{}
	for _, a := range o.approve.Value() {
		given = append(given, struct{ name, source, text string }{"--approve", "flag", a})
	}
	for line := range strings.Lines(w.getenv(approveVariable)) {
		if line = strings.TrimSpace(line); line != "" {
			given = append(given, struct{ name, source, text string }{approveVariable, "environment", line})
		}
	}
	for _, g := range given {
		gate, reason, _ := strings.Cut(g.text, "=")
		if gate == "" || strings.TrimSpace(reason) == "" {
			return opts, &usage{msg: fmt.Sprintf("%s %q has no reason", g.name, g.text), hint: g.name + " GATE=REASON"}
		}
		if !slices.Contains(publish.Gates, gate) {
			return opts, &usage{msg: fmt.Sprintf("there is no gate %q", gate), hint: "gates: " + strings.Join(publish.Gates, ", ")}
		}
		opts.Approvals = append(opts.Approvals, gitstore.Approval{
			// Who it was is a claim: a variable of the environment is no proof.
			Gate: gate, Reason: reason, By: cmp.Or(w.getenv("GITHUB_ACTOR"), w.getenv("USER")), Source: g.source,
		})
	}
	return opts, w.testDuration("POLICYPIN_TEST_LOOKUP_FOR", &opts.LookupFor)
}

// lockFlags are those of commands that take the zone's lock.
type lockFlags struct {
	wait     time.Duration
	takeOver bool
}

// lockWait is how long a run waits for another one by default: longer than the
// two minutes after which the lock of a dead run is taken over.
const lockWait = 10 * time.Minute

func (o *lockFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "lock-wait", Usage: "wait at most `TIME` for another run; 0 doesn't wait", Value: lockWait, Destination: &o.wait},
		&cli.BoolFlag{Name: "break-lock", Usage: "take the lock at once, from a run that is known to be dead", Destination: &o.takeOver},
	}
}

func (o *lockFlags) build(w *world) (gitstore.LockOptions, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	said := "" // the last moments of a wait come quickly
	opts := gitstore.LockOptions{
		Wait: o.wait, Break: o.takeOver,
		Holder: fmt.Sprintf("%s pid %d", host, os.Getpid()),
		Waiting: func(holder string, waited time.Duration) {
			text := fmt.Sprintf("waiting for %s, which holds the lock (%s)", report.Clean(holder), waited.Round(time.Second))
			if text != said {
				w.say("%s", text)
			}
			said = text
		},
	}
	if server, repo, id := w.getenv("GITHUB_SERVER_URL"), w.getenv("GITHUB_REPOSITORY"), w.getenv("GITHUB_RUN_ID"); id != "" {
		opts.Holder += fmt.Sprintf(", run %s/%s/actions/runs/%s", server, repo, id)
	}
	for name, dest := range map[string]*time.Duration{
		"POLICYPIN_TEST_LOCK_RENEW":    &opts.Renew,
		"POLICYPIN_TEST_LOCK_EXPIRE":   &opts.Expire,
		"POLICYPIN_TEST_LOCK_TAKEOVER": &opts.TakeOver,
	} {
		if err := w.testDuration(name, dest); err != nil {
			return opts, err
		}
	}
	return opts, nil
}

// progress shows steps on a terminal; elsewhere the result says it all.
func (w *world) progress() func(string) {
	if !w.terminal.stderr {
		return nil
	}
	return func(step string) { w.say("%s", report.Clean(step)) }
}

// publishTarget is the target of a command that changes a zone. In CI the
// default of the local zone would be green and publish nothing, so it must be
// named there.
func (w *world) publishTarget(p *manifest.Project) (manifest.Target, error) {
	named := w.global.target.value != ""
	if ci := w.getenv("CI"); !named && slices.Contains([]string{"true", "1"}, strings.ToLower(ci)) {
		return manifest.Target{}, &usage{msg: "no --target, and CI is set", hint: "name the target: a missing setting would be taken for the default target"}
	}
	return w.target(p)
}
