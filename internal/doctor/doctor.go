// Package doctor looks for what will make policypin fail, before it fails: the
// clone, the remote, the environment, the zone. It writes nothing, unless it is
// asked to try the lock.
package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// Statuses of a check.
const (
	OK         = "ok"
	Warning    = "warning"     // works, but somebody should look
	Failure    = "failure"     // something will fail
	NotChecked = "not-checked" // can't be known, or needs what failed before
)

// A Check is one thing that was looked at.
type Check struct {
	Name    string `json:"name"` // stable
	Status  string `json:"status"`
	Message string `json:"message"` // a sentence
	Remedy  string `json:"remedy"`  // what to do, "" if it is ok
}

// A Report is all checks in the order in which they build on each other.
type Report struct {
	Schema   int     `json:"schema"`
	Target   string  `json:"target"` // "" if none could be chosen
	ZoneID   string  `json:"zone_id"`
	Checks   []Check `json:"checks"`
	Warnings int     `json:"warnings"`
	Failures int     `json:"failures"`
}

// A Setup is what the checks look at. An error beside a value says why it is
// missing.
type Setup struct {
	Repo    *gitstore.Repo
	RepoErr error

	// The project as it is committed.
	Project    *manifest.Project
	Tree       *manifest.Tree // nil if it has problems
	Commit     gitstore.Hash
	ProjectErr error

	Target      manifest.Target
	TargetNamed bool // on the command line
	TargetErr   error

	Origin    gitstore.Origin
	OriginErr error

	Getenv func(string) string
	APIURL string // the flag, or ""
	Local  bool   // the target is the built-in zone

	// Connect opens the zone for reading. Every request attempt is given to trace.
	Connect func(trace func(keycard.Trace)) (r *keycard.Reader, done func(), err error)

	TryLock bool // create and delete the lock ref
	Lock    gitstore.LockOptions
	Now     func() time.Time // nil: time.Now
}

// Run makes all checks. Nothing that fails ends it.
func Run(ctx context.Context, s Setup) *Report {
	if s.Now == nil {
		s.Now = time.Now
	}
	d := &doctor{Setup: s, report: &Report{Schema: 1, Checks: []Check{}}}
	if s.TargetErr == nil {
		d.report.Target, d.report.ZoneID = s.Target.Name, s.Target.ZoneID
	}
	d.repository()
	d.project()
	d.target()
	d.remote(ctx)
	d.environment()
	d.zone(ctx)
	return d.report
}

// A doctor makes the checks, and keeps what later ones need.
type doctor struct {
	Setup
	report *Report

	refs *gitstore.Refs
	pins map[string]string // tag by version id; nil if the pins can't be read
	sets map[string]string // the same by policy set id: one tag of each
}

func (d *doctor) add(name, status, remedy, format string, args ...any) {
	switch status {
	case Warning:
		d.report.Warnings++
	case Failure:
		d.report.Failures++
	}
	d.report.Checks = append(d.report.Checks, Check{name, status, fmt.Sprintf(format, args...), remedy})
}

func (d *doctor) ok(name, format string, args ...any) { d.add(name, OK, "", format, args...) }

// skip says that checks weren't made, and why.
func (d *doctor) skip(why string, names ...string) {
	for _, name := range names {
		d.add(name, NotChecked, "", "not checked: %s", why)
	}
}

// failed tells whether a check that another needs has failed.
func (d *doctor) failed(name string) bool {
	for _, c := range d.report.Checks {
		if c.Name == name {
			return c.Status == Failure || c.Status == NotChecked
		}
	}
	return true
}
