package main

import (
	"bytes"
	"testing"
	"time"
)

func TestWaitingIsSaidOnce(t *testing.T) {
	var stderr bytes.Buffer
	opts, err := (&lockFlags{}).build(&world{stderr: &stderr, getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	opts.Waiting("ada", 0)
	opts.Waiting("ada", 5*time.Second)
	opts.Waiting("ada", 5*time.Second+time.Millisecond)
	opts.Waiting("bo", 5*time.Second+2*time.Millisecond)
	want := "waiting for ada, which holds the lock (0s)\nwaiting for ada, which holds the lock (5s)\nwaiting for bo, which holds the lock (5s)\n"
	if got := stderr.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
