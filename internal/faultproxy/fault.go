// Package faultproxy is a reverse proxy for tests that fails one chosen request
// in one chosen way. It stands before policypin serve and before git
// http-backend and answers the question "what if it broke exactly here?" for
// every request of a run in turn.
//
// The kills are aimed at the client's process, from outside: the proxy knows
// when a request is about to be forwarded, was answered, or was passed on, and a
// function of the test ends the process at that moment.
package faultproxy

import (
	"fmt"
	"time"
)

// An Action is one way to fail.
type Action string

const (
	// KillBefore kills the client before the request is forwarded: the server
	// never hears of it.
	KillBefore Action = "kill-before"
	// KillAfterForward kills the client after the server has answered in full
	// and before any of the answer is passed on.
	KillAfterForward Action = "kill-after-forward"
	// KillAfterAnswer kills the client after the whole answer was passed on.
	KillAfterAnswer Action = "kill-after-answer"
	// Drop forwards the request and closes the connection instead of answering.
	Drop Action = "drop"
	// Refuse closes the connection without forwarding the request.
	Refuse Action = "refuse"
	// TooManyRequests answers 429 with Retry-After, and forwards nothing.
	TooManyRequests Action = "429"
	// Unavailable answers 503, and forwards nothing.
	Unavailable Action = "503"
	// Truncate forwards the request, passes on half of the answer's body, or of
	// its header if it has no body, and closes the connection.
	Truncate Action = "truncate"
)

// Actions are all of them, for tests that go through every one.
var Actions = []Action{
	KillBefore, KillAfterForward, KillAfterAnswer,
	Drop, Refuse, TooManyRequests, Unavailable, Truncate,
}

// Kills tells whether the action ends the client's process.
func (a Action) Kills() bool {
	return a == KillBefore || a == KillAfterForward || a == KillAfterAnswer
}

// A Fault is what goes wrong. The zero value is a proxy that works.
type Fault struct {
	At     int // number of the request, from 1; 0 is none
	Action Action
	// Times is how many requests in a row fail, from At on; 0 is 1. A kill
	// happens once in any case.
	Times int
	// RetryAfter is sent with a 429, in whole seconds.
	RetryAfter time.Duration
	// Grace is how long KillAfterAnswer lets the client live with its answer.
	Grace time.Duration
}

// String names the fault for the names of subtests: "drop at request 3".
func (f Fault) String() string {
	if f.At == 0 {
		return "no fault"
	}
	if f.Times > 1 {
		return fmt.Sprintf("%s at requests %d to %d", f.Action, f.At, f.At+f.Times-1)
	}
	return fmt.Sprintf("%s at request %d", f.Action, f.At)
}

// hits tells whether request number n fails.
func (f Fault) hits(n int) bool {
	return f.At > 0 && n >= f.At && n < f.At+max(f.Times, 1)
}
