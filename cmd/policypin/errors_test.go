package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/zone"
)

func TestStatusAndHints(t *testing.T) {
	var problems diag.List
	problems.Errorf(diag.Position{File: "a.yaml", Line: 1}, "some-rule", "something is wrong")
	refusal := &publish.Refusal{Code: publish.Foreign, Message: "policy x is foreign", Hint: "--adopt x"}
	tests := []struct {
		name   string
		err    error
		status int
		text   string // in the lines
		hint   string // in the hints
	}{
		{"a usage error", &usage{msg: "no", hint: "yes"}, statusUsage, "no", "yes"},
		{"problems of files", problems, statusProblems, "a.yaml:1: error: something is wrong [some-rule]", "policypin validate"},
		{"printed problems", errProblems, statusProblems, "", ""},
		{"changes", errChanges, statusChanges, "", ""},
		{"a refusal", refusal, statusRefused, "refused: policy x is foreign", "--adopt x"},
		{"refusals", publish.Refusals{refusal}, statusRefused, "refused: policy x is foreign", "--adopt x"},
		{"a refusal within a run", &publish.Incomplete{Err: publish.Refusals{refusal}}, statusRefused, "refused: policy x is foreign", "--adopt x"},
		{"an unknown revision", fmt.Errorf("revision: %w", gitstore.ErrNoRevision), statusFailed, "no such revision", "shallow"},
		{"no commit yet", fmt.Errorf("%w: %w", gitstore.ErrNoRevision, gitstore.ErrNoCommit), statusFailed, "no commit yet", "git commit"},
		{"a step over a shallow boundary", fmt.Errorf("%w: %w", gitstore.ErrNoRevision, gitstore.ErrShallow), statusFailed, "shallow", "--unshallow"},
		{"a revision that isn't spoken", gitstore.ErrRevisionSyntax, statusUsage, "syntax", "a branch, a tag"},
		{"no repository", gitstore.ErrNoRepository, statusFailed, "not inside", "-C DIR"},
		{"no remote", gitstore.ErrNoRemote, statusFailed, "no such remote", "--local"},
		{"a remote that isn't there", gitstore.ErrUnreachable, statusFailed, "can't be reached", "--local"},
		{"a remote that refuses", gitstore.ErrAccess, statusFailed, "refuses access", "POLICYPIN_GIT_TOKEN"},
		{"a service that isn't there", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, statusFailed, "refused", "KEYCARD_API_BASE_URL"},
		{"shallow history", gitstore.ErrShallow, statusFailed, "shallow", "fetch-depth: 0"},
		{"an unmerged index", gitstore.ErrConflict, statusFailed, "unmerged", "resolve"},
		{"a held lock", gitstore.ErrLocked, statusRefused, "lock", "--lock-wait"},
		{"a taken pin", gitstore.ErrPinExists, statusRefused, "pin", "never move"},
		{"a bad pin", gitstore.ErrBadPin, statusFailed, "pin", "cat-file"},
		{"a busy store", zone.ErrBusy, statusRefused, "in use", "serve"},
		{"a newer store", zone.ErrNewerFormat, statusFailed, "newer", "update"},
		{"bad credentials", &keycard.Error{Status: 401}, statusFailed, "401", "KEYCARD_API_CLIENT_ID"},
		{"no right", &keycard.Error{Status: 403}, statusFailed, "403", "role"},
		{"nothing there", &keycard.Error{Status: 404}, statusFailed, "404", "zone_id"},
		{"a token command that fails", fmt.Errorf("x: %w: exit status 1", keycard.ErrTokenCommand), statusFailed, "token command: exit status 1", "KEYCARD_API_TOKEN_COMMAND"},
		{"a lost answer", keycard.ErrAmbiguous, statusFailed, "lost", "same command"},
		{"no plan file", publish.ErrPlanFile, statusUsage, "plan", "--out"},
		{"no pin", publish.ErrNoPin, statusFailed, "pin", "policypin log"},
		{"no project", errNoProject, statusFailed, "policypin.yaml", "policypin init"},
		{"a hint besides", &hinted{err: &keycard.Error{Status: 401}, also: "do this"}, statusFailed, "401", "KEYCARD_API_BASE_URL\ndo this"},
		{"a better hint", &hinted{err: gitstore.ErrNoRevision, hint: "do this"}, statusFailed, "no such revision", "do this"},
		{"anything else", errors.New("disk full"), statusFailed, "disk full", ""},
		{"control characters", errors.New("a\x1b[2Jb\nc\u202e"), statusFailed, `a\x1b[2Jb`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, lines, hints := explain(tt.err)
			if status != tt.status {
				t.Errorf("got status %d, want %d", status, tt.status)
			}
			if got := strings.Join(lines, "\n"); !strings.Contains(got, tt.text) || tt.text == "" && got != "" {
				t.Errorf("got %q, want %q in it", got, tt.text)
			}
			if got := strings.Join(hints, "\n"); !strings.Contains(got, tt.hint) || tt.hint == "" && got != "" {
				t.Errorf("got hint %q, want %q in it", got, tt.hint)
			}
			if strings.ContainsAny(strings.Join(lines, ""), "\x1b\n\u202e") {
				t.Errorf("got control characters in %q", lines)
			}
		})
	}
}

// Every status that can be given has its meaning in the help.
func TestEveryStatusHasAMeaning(t *testing.T) {
	for _, a := range advice {
		if statusMeaning[a.status] == "" {
			t.Errorf("status %d of %q has no meaning", a.status, a.err)
		}
	}
}
