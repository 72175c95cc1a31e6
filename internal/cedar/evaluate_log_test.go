package cedar

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/policypin/policypin/diag"
)

var logLines = []string{
	`{"principal":{"type":"User","id":"a"},"action":{"type":"Action","id":"read"},"resource":{"type":"Doc","id":"d"},"context":{"n":1,"tags":["x"],"deep":{"a":[{}]}}}`,
	`{"time":"2026-01-01T00:00:00Z","principal":"User::\"a\"","action":"Action::\"read\"","resource":"Doc::\"d\"","decision":"Allow","trace":{"id":[1.5e-3]}}`,
	`{"principal":{"__entity":{"type":"A::User","id":"a\u00e9"}},"action":"Action::\"read\"","resource":"Doc::\"\"","entities":[{"uid":"User::\"a\"","attrs":{}}]}`,
	` { "action" : "Action::\"read\"" , "principal" : "User::\"a\"" , "resource" : "Doc::\"d\"" , "context" : { } , "entities" : null } `,
	`{"principal":"User::\"\u0061\"","entities":[ {"x": "]é"} ],"action":"Action::\"read\"","resource":"Doc::\"d\""}`,
	`{"principal":"User::\"a\"","action":"Action::\"read\""}`,
	`{"principal":"User::\"a\"","principal":"User::\"b\"","action":"Action::\"read\"","resource":"Doc::\"d\""}`,
	`{"x":1,"x":2,"principal":"User::\"a\"","action":"Action::\"read\"","resource":"Doc::\"d\""}`,
	`{"principal":"User::\"a\"","action":"Action::\"read\"","resource":"Doc::\"d\"","context":{"a":1,"a":2}}`,
	`{"principal":"User::\"a\"","action":"Action::\"read\"","resource":"Doc::\"d\"","context":{"n":01,"m":1.,"k":-}}`,
	`{"principal":"User::\"a\"","action":"Action::\"read\"","resource":"Doc::\"d\"",}`,
	`{"principal":"User::\"a\"","action":"Action::\"read\"","resource":"Doc::\"d\""} {}`,
	`{"principal":{"type":"User","id":"a","x":1},"action":"Action::\"read\"","resource":"Doc::\"d\""}`,
	`{"principal":"User::\"a\"","action":"Action::\"read\"","resource":"Doc::\"d\"","context":{"t":"\ud800"}}`,
	`[]`, `null`, `{`, ``, "\xff", "\ufeff{}",
	`{"principal":"User::\"a\"","action":"Action::\"read\"","resource":"Doc::\"d\"","x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
}

// plain leaves positions out: those of a log are lines.
func plain(d Datum) Datum {
	d.Position = diag.Position{}
	for i := range d.Items {
		d.Items[i] = plain(d.Items[i])
	}
	if len(d.Items) == 0 {
		d.Items = nil
	}
	for i := range d.Keys {
		d.Keys[i].Position = diag.Position{}
		d.Keys[i].Value = plain(d.Keys[i].Value)
	}
	if len(d.Keys) == 0 {
		d.Keys = nil
	}
	return d
}

// FuzzLogReader compares the quick way to read a line with the plain one.
func FuzzLogReader(f *testing.F) {
	for _, line := range logLines {
		f.Add(line)
	}
	reader := &LogReader{}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n") {
			return
		}
		at := diag.Position{File: "log", Line: 7}
		got, problems := reader.Read(at, line)
		want, others := ParseRequestJSON(at, []byte(line))
		if (problems == nil) != (others == nil) {
			t.Fatalf("got %v, want %v", problems, others)
		}
		if problems != nil {
			return
		}
		if got.Principal.UID != want.Principal.UID || got.Action.UID != want.Action.UID || got.Resource.UID != want.Resource.UID {
			t.Fatalf("got %v, want %v", got.RequestData, want)
		}
		if a, b := plain(got.Context), plain(want.Context); !reflect.DeepEqual(a, b) {
			t.Fatalf("got context %+v, want %+v", a, b)
		}
		var doc struct{ Entities json.RawMessage }
		if json.Unmarshal([]byte(strings.TrimPrefix(line, "\ufeff")), &doc) == nil && strings.Contains(line, `"entities"`) {
			var members map[string]json.RawMessage
			if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "\ufeff")), &members); err != nil {
				t.Fatal(err)
			}
			have := string(members["entities"])
			if have == "null" {
				have = ""
			}
			if got.Entities != have {
				t.Fatalf("got entities %q, want %q", got.Entities, have)
			}
		}
	})
}

// Most lines of a log are read the quick way.
func TestLogReaderIsQuick(t *testing.T) {
	for i, line := range logLines[:4] {
		l := LogReader{text: line}
		if _, ok := l.line(); ok == strings.Contains(line, `\u`) {
			t.Errorf("line %d: read the quick way: %t", i, ok)
		}
	}
}

func BenchmarkLogReader(b *testing.B) {
	line := strings.Replace(logLines[0], `"context"`, `"time":"2026-03-01T12:00:00.000Z","decision":"Allow","context"`, 1)
	l := &LogReader{}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := l.Read(diag.Position{File: "log", Line: 1}, line); problems != nil {
			b.Fatal(problems)
		}
	}
}
