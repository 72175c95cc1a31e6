package keycard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestErrorBodies(t *testing.T) {
	tests := []struct {
		name, body             string
		code, message, request string
	}{
		{"full", `{"status":400,"code":"bad_request","message":"human text","request_id":"r-1","timestamp":"2026-07-01T12:00:00Z","details":[],"path":"/zones/x"}`, "bad_request", "human text", "r-1"},
		{"three fields", `{"status":400,"code":"bad_request","message":"m"}`, "bad_request", "m", ""},
		{"OAuth", `{"error":"invalid_request","error_description":"both styles"}`, "invalid_request", "both styles", ""},
		{"a message alone", `{"message":"m"}`, "", "m", ""},
		{"details", `{"code":"c","message":"m","details":[{"code":"invalid_cedar","message":"line 1","path":"entries.0"},"and more",7,{}]}`, "c", "m (invalid_cedar entries.0 line 1; and more)", ""},
		{"a gateway's object", `{"error":{"code":"E1","message":"no route"},"request_id":"r-2"}`, "E1", "no route", "r-2"},
		{"wrong types", `{"code":7,"message":["x"],"request_id":{}}`, "", `{"code":7,"message":["x"],"request_id":{}}`, ""},
		{"text", "upstream\n  connect  error", "", "upstream connect error", ""},
		{"HTML", "<html><body>502</body></html>", "", "<html><body>502</body></html>", ""},
		{"JSON that isn't an object", `"x"`, "", `"x"`, ""},
		{"null", `null`, "", `null`, ""},
		{"half", `{"code":"c`, "", `{"code":"c`, ""},
		{"empty", ``, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(422)
				fmt.Fprint(w, tt.body)
			})
			var e *Error
			if err := read(client(t, cfg)); !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Code != tt.code || e.Message != tt.message || string(e.Raw) != tt.body || e.Status != 422 || e.Op != "GET /zones/z1/policies/p1" {
				t.Errorf("got %+v", e)
			}
			if tt.request != "" && e.RequestID != tt.request || len(e.RequestID) == 0 {
				t.Errorf("got request id %q, want %q, or else the one that was sent", e.RequestID, tt.request)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	e := &Error{Op: "GET /x", Status: 400, Code: "bad\x1b[2J", Message: "a\r\n::error::b\u202ec\x00\xff", RequestID: "r\n1"}
	want := `GET /x: 400 Bad Request (bad\x1b[2J): a\r\n::error::b\u202ec\x00` + "�" + ` [request id r\n1]`
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := (&Error{Op: "GET /x", Status: 799}).Error(), "GET /x: 799"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorsAreShort(t *testing.T) {
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		fmt.Fprint(w, mustJSON(jsonObject{"message": strings.Repeat("ä", 1<<14), "code": "c"}))
	})
	var e *Error
	if err := read(client(t, cfg)); !errors.As(err, &e) || len(err.Error()) > maxMessage+200 || e.Code != "c" {
		t.Errorf("got %d bytes", len(err.Error()))
	}
	_, cfg = serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		fmt.Fprint(w, strings.Repeat("x", 1<<20))
	})
	if err := read(client(t, cfg)); !errors.As(err, &e) || len(err.Error()) > maxMessage+200 || len(e.Raw) != maxRaw {
		t.Errorf("got %d bytes and %d raw", len(err.Error()), len(e.Raw))
	}
}

func TestErrorKinds(t *testing.T) {
	tests := []struct {
		e    Error
		want error
	}{
		{Error{Status: 401}, ErrUnauthorized},
		{Error{Status: 400, Code: "invalid_client"}, ErrUnauthorized},
		{Error{Status: 403}, ErrForbidden},
		{Error{Status: 404}, ErrNotFound},
		{Error{Status: 409, Code: "policy_name_conflict"}, ErrConflict},
		{Error{Status: 400, Code: "policy_name_conflict"}, ErrConflict},
		{Error{Status: 400, Message: `A policy named "x" Already Exists.`}, ErrConflict},
		{Error{Status: 400, Message: "conflicting values of filter[active]"}, nil},
		{Error{Status: 422, Code: "conflict"}, nil},
		{Error{Status: 412}, ErrPrecondition},
		{Error{Status: 500}, nil},
	}
	for _, tt := range tests {
		for _, kind := range []error{ErrUnauthorized, ErrForbidden, ErrNotFound, ErrConflict, ErrPrecondition, ErrAmbiguous} {
			if got, want := errors.Is(fmt.Errorf("x: %w", &tt.e), kind), kind == tt.want; got != want {
				t.Errorf("%v is %v: got %v, want %v", &tt.e, kind, got, want)
			}
		}
	}
}

func TestIfMatchIsSentWhenKnown(t *testing.T) {
	var got http.Header
	_, cfg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		if r.Header.Get("If-Match") == "" {
			w.Header().Set("ETag", `"2"`)
			answer(w, 200, aPolicy("p1"))
			return
		}
		status(412)(w)
	})
	c := client(t, cfg)
	ctx := context.Background()
	p, err := c.RenamePolicy(ctx, &Policy{ID: "p1"}, "n-p1")
	if err != nil || p.ETag != `"2"` {
		t.Fatalf("without an ETag: got %+v, %v", p, err)
	}
	if _, ok := got["If-Match"]; ok {
		t.Errorf("without an ETag: got %v", got)
	}
	for name, do := range map[string]func() error{
		"policy":  func() error { _, err := c.RenamePolicy(ctx, &Policy{ID: "p1", ETag: `W/"1"`}, "x"); return err },
		"set":     func() error { _, err := c.RenamePolicySet(ctx, &PolicySet{ID: "p1", ETag: `W/"1"`}, "x"); return err },
		"archive": func() error { _, err := c.ArchivePolicySet(ctx, &PolicySet{ID: "p1", ETag: `W/"1"`}); return err },
	} {
		if err := do(); !errors.Is(err, ErrPrecondition) || got.Get("If-Match") != `W/"1"` {
			t.Errorf("%s: got %v and If-Match %q", name, err, got.Get("If-Match"))
		}
	}
}
