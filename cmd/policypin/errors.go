package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/importer"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/internal/zone"
)

// Exit statuses. Scripts depend on them.
const (
	statusOK          = 0
	statusFailed      = 1
	statusUsage       = 2
	statusProblems    = 3
	statusChanges     = 4
	statusRefused     = 5
	statusInterrupted = 130
)

// statusMeaning is what the help says about a status.
var statusMeaning = map[int]string{
	statusOK:          "done, or nothing to do",
	statusFailed:      "the operation failed: Git, network, service, files",
	statusUsage:       "the command line is wrong",
	statusProblems:    "the files have problems, or a test failed; they were printed",
	statusChanges:     "there are changes, with --exit-code",
	statusRefused:     "refused by a guard",
	statusInterrupted: "interrupted",
}

// A usage error means that the command line is wrong.
type usage struct{ msg, hint string }

func (u *usage) Error() string { return u.msg }

// A refusal is a guard's no that the command itself gives.
type refusal struct{ msg, hint string }

func (r *refusal) Error() string { return r.msg }

// A hinted error is a failure whose way out the command knows best.
type hinted struct {
	err  error
	hint string
	also string // follows the hint, or what explain says without one
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// A concluded error ends a command that has printed its error already.
type concluded struct{ status int }

func (c *concluded) Error() string { return statusMeaning[c.status] }

var (
	// errProblems ends a command that has printed the problems of the user's
	// files already.
	errProblems = errors.New("the files have problems")
	// errChanges ends a command that was asked for an exit status and found
	// changes.
	errChanges = errors.New("there are changes")
	// errNoProject is returned when there is no project file to be found.
	errNoProject = errors.New("no policypin.yaml here or in a folder above")
	// errBare is returned where a clone has no files to look at.
	errBare = errors.New("this clone is bare: it has no work tree")
	// errNoWorkspaceProject is the same in a run of the Action.
	errNoWorkspaceProject = errors.New("the commit that is checked out has no policypin.yaml")
)

// advice says, for each outcome that a package names, which status it has and
// what to do about it. The first match counts, so narrower ones come first.
var advice = []struct {
	err    error
	status int
	hint   string
}{
	{errNoProject, statusFailed, "policypin init writes one; -C DIR looks elsewhere"},
	{errNoWorkspaceProject, statusFailed, "run actions/checkout first, and name the project's folder with the input working-directory; a change that removes the project removes this step with it"},
	{errBare, statusFailed, "what reads takes a commit: --rev HEAD for validate, test and digest, two states for diff and impact; what writes needs a clone with files"},

	{gitstore.ErrNoRepository, statusFailed, "run it inside a clone, or give one with -C DIR"},
	{gitstore.ErrRevisionSyntax, statusUsage, "use a branch, a tag, a commit hash or HEAD, each optionally followed by ~N or ^N"},
	{gitstore.ErrNoCommit, statusFailed, "commit the project's files first: git add . && git commit"},
	{gitstore.ErrShallow, statusFailed, "git fetch --unshallow, or fetch-depth: 0 in actions/checkout"},
	{gitstore.ErrNoRevision, statusFailed, "git branch --all and git tag list what is in this clone, and a pin is SET/vN; a shallow one lacks history (fetch-depth: 0 in actions/checkout)"},
	{gitstore.ErrUnsupported, statusFailed, ""},
	{gitstore.ErrDamagedRef, statusFailed, "delete its file in the Git directory, and set it again: git update-ref REF COMMIT; logs/REF there lists the commits it had"},
	{gitstore.ErrObject, statusFailed, "git fsck lists what is missing or damaged in this clone; a fresh clone has it, unless the remote is damaged too"},
	{gitstore.ErrConflict, statusFailed, "resolve the merge and stage the result first"},
	{gitstore.ErrNoRemote, statusFailed, "git remote add origin URL, --remote NAME for another one that there is, or --local to use the pins of this clone"},
	{gitstore.ErrUnreachable, statusFailed, "check the network and git remote -v; log and verify read the pins of this clone with --local"},
	{gitstore.ErrAccess, statusFailed, "give a token that may read and push: POLICYPIN_GIT_TOKEN, on GitHub GITHUB_TOKEN, or Git's credential helper"},
	{gitstore.ErrLocked, statusRefused, "wait with --lock-wait, or take the lock of a run that is dead with --break-lock"},
	{gitstore.ErrLockRefused, statusFailed, "allow refs/policypin/lock/* for this identity; without the lock two runs may create a spare version"},
	{gitstore.ErrPinExists, statusRefused, "pins never move: see both with git show, and find out who wrote the other one"},
	{gitstore.ErrSigningKey, statusFailed, "--signing-key FILE takes an SSH key, --no-sign leaves pins unsigned"},
	{gitstore.ErrBadPin, statusFailed, "see it with git cat-file -p; a tag of that name that policypin didn't write must be removed by hand"},

	{keycard.ErrUnauthorized, statusFailed, "check KEYCARD_API_CLIENT_ID and KEYCARD_API_CLIENT_SECRET, or KEYCARD_API_TOKEN, and KEYCARD_API_BASE_URL"},
	{keycard.ErrForbidden, statusFailed, "the service account lacks a role for this, or the object is managed by Keycard"},
	{keycard.ErrNotFound, statusFailed, "check the target's zone_id and KEYCARD_API_BASE_URL"},
	{keycard.ErrAddress, statusFailed, "it is that of --api-url, else of KEYCARD_API_BASE_URL"},
	{keycard.ErrTokenCommand, statusFailed, "KEYCARD_API_TOKEN_COMMAND is run by the shell, and has to print a token and nothing else"},
	{keycard.ErrPrecondition, statusFailed, "somebody changed it at the same moment; run the same command again"},
	{keycard.ErrConflict, statusFailed, ""},
	{keycard.ErrAmbiguous, statusFailed, "run the same command again: it looks for what was created before it creates anything"},

	{zone.ErrBusy, statusRefused, "another command, or policypin serve, has it open; wait for it or end it"},
	{zone.ErrNewerFormat, statusFailed, "update policypin"},

	{importer.ErrNoSet, statusFailed, "policypin versions list lists the policy sets"},
	{publish.ErrNoPin, statusFailed, "policypin log lists the pins of a target; --target names another one"},
	{publish.ErrNoBranch, statusFailed, "push the branch, or name another one: branch: of the target in policypin.yaml; git ls-remote --symref lists those that there are"},
	{publish.ErrPlanFile, statusUsage, "write one with policypin plan --out FILE"},
}

// conclude prints an error for people and returns the exit status. It is the
// one place that knows both.
func (w *world) conclude(ctx context.Context, err error) int {
	if err == nil {
		return statusOK
	}
	status, lines, hints := explain(err)
	if ctx.Err() != nil && status == statusFailed {
		// Whatever failed, it failed because the run was told to end.
		status, hints = statusInterrupted, nil
		lines = []string{"interrupted"}
	}
	if incomplete := (*publish.Incomplete)(nil); errors.As(err, &incomplete) {
		for _, done := range incomplete.Done {
			w.say("done: %s", done)
		}
		hints = append(hints, "the same command goes on from here")
	}
	style := w.errStyle()
	for _, l := range lines {
		w.say("%s %s", style.Error("error:"), l)
	}
	for _, h := range hints {
		w.say("%s %s", style.Hint("hint:"), h)
	}
	return status
}

// explain gives an error's exit status, its lines, and what to do about it.
// Outcomes that were printed already have no lines.
func explain(err error) (status int, lines, hints []string) {
	var (
		u        *usage
		r        *refusal
		refusals publish.Refusals
		one      *publish.Refusal
		unknown  *publish.UnknownTargetError
		problems diag.List
		h        *hinted
		done     *concluded
	)
	switch {
	case errors.As(err, &done):
		return done.status, nil, nil
	case errors.Is(err, errProblems):
		return statusProblems, nil, nil
	case errors.Is(err, errChanges):
		return statusChanges, nil, nil
	case errors.As(err, &u):
		return statusUsage, []string{report.Clean(u.msg)}, optional(u.hint)
	case errors.As(err, &r):
		return statusRefused, []string{report.Clean(r.msg)}, optional(r.hint)
	case errors.As(err, &unknown):
		return statusUsage, []string{report.Clean(unknown.Error())}, nil
	case errors.As(err, &problems):
		for _, p := range problems {
			if p.Severity == diag.Error || problems.Errors() == 0 { // warnings stop nothing
				lines = append(lines, report.Clean(p.String()))
			}
		}
		if errors.As(err, &h) && h.hint != "" {
			return statusProblems, lines, optional(h.hint)
		}
		return statusProblems, lines, []string{"policypin validate shows all problems of the work tree, with --rev those of a commit"}
	case errors.As(err, &refusals):
		for _, one := range refusals {
			lines = append(lines, "refused: "+report.Clean(one.Message))
			hints = append(hints, optional(one.Hint)...)
		}
		return statusRefused, lines, hints
	case errors.As(err, &one):
		return statusRefused, []string{"refused: " + report.Clean(one.Message)}, optional(one.Hint)
	}
	status = statusFailed
	if errors.As(err, &h) {
		hints = optional(h.hint)
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			status = a.status
			if len(hints) == 0 {
				hints = optional(a.hint)
			}
			break
		}
	}
	if unreached := (*net.OpError)(nil); len(hints) == 0 && errors.As(err, &unreached) {
		hints = []string{"check the network, and KEYCARD_API_BASE_URL if the address is the wrong one"}
	}
	if h != nil {
		hints = append(hints, optional(h.also)...)
	}
	for line := range strings.Lines(err.Error()) {
		lines = append(lines, report.Clean(strings.TrimRight(line, "\r\n")))
	}
	if len(lines) == 0 {
		lines = []string{fmt.Sprintf("%T", err)}
	}
	return status, lines, hints
}

func optional(hint string) []string {
	if hint == "" {
		return nil
	}
	return []string{report.Clean(hint)}
}

// say writes one line to stderr. A broken stderr is nothing one could report.
func (w *world) say(format string, args ...any) {
	fmt.Fprintf(w.stderr, format+"\n", args...)
}

// missing tells whether an error means that a file isn't there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
