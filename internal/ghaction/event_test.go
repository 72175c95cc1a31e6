package ghaction

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const (
	base  = "1111111111111111111111111111111111111111"
	head  = "2222222222222222222222222222222222222222"
	merge = "3333333333333333333333333333333333333333"
	stale = "4444444444444444444444444444444444444444"
	gone  = "5555555555555555555555555555555555555555"
)

func payloadOf(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "events", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer("BASE_SHA", base, "HEAD_SHA", head, "MERGE_SHA", merge, "STALE_SHA", stale, "GONE_SHA", gone).Replace(string(text)))
}

func TestEventsAndTheirCommits(t *testing.T) {
	pr := PullRequest{Number: 7, Action: "opened", Base: "main", BaseSHA: stale, HeadSHA: head}
	with := func(change func(*PullRequest)) *PullRequest {
		p := pr
		change(&p)
		return &p
	}
	onMerge := Range{Base: base, Head: head, Merged: true}
	tests := []struct {
		file    string
		event   string
		want    Event
		out     string   // what is checked out
		parents []string // of that
		commits Range
	}{
		{"pull_request", "pull_request", Event{PullRequest: &pr}, merge, []string{base, head}, onMerge},
		{"pull_request", "pull_request", Event{PullRequest: &pr}, head, []string{stale}, Range{Base: stale, Head: head, Diverged: true}},
		{"pull_request", "pull_request", Event{PullRequest: &pr}, head, []string{base, gone}, Range{Base: stale, Head: head, Diverged: true}},
		{"pull_request", "pull_request", Event{PullRequest: &pr}, merge, []string{head, base}, Range{Base: stale, Head: merge, Diverged: true}},
		{"pull_request", "pull_request", Event{PullRequest: &pr}, gone, nil, Range{Base: stale, Head: gone, Diverged: true}},
		{"pull_request_draft", "pull_request", Event{PullRequest: with(func(p *PullRequest) { p.Action = "synchronize" })}, merge, []string{base, head}, onMerge},
		{"pull_request_fork", "pull_request", Event{PullRequest: with(func(p *PullRequest) { p.Fork, p.NoSecrets = true, true })}, merge, []string{base, head}, onMerge},
		{"pull_request_fork_deleted", "pull_request", Event{PullRequest: with(func(p *PullRequest) { p.Fork, p.NoSecrets = true, true })}, merge, []string{base, head}, onMerge},
		{"pull_request_closed", "pull_request", Event{PullRequest: with(func(p *PullRequest) { p.Action, p.Closed = "closed", true })}, merge, []string{base, head}, onMerge},
		{"push", "push", Event{Push: &Push{Ref: "refs/heads/main", Before: base, After: head}}, head, []string{base}, Range{Base: base, Head: head}},
		{"push_new_branch", "push", Event{Push: &Push{Ref: "refs/heads/main", After: head}}, head, nil, Range{Head: head}},
		{"push_forced", "push", Event{Push: &Push{Ref: "refs/heads/main", Before: gone, After: head, Forced: true}}, head, nil, Range{Base: gone, Head: head}},
		{"push_deleted", "push", Event{Push: &Push{Ref: "refs/heads/topic", Before: base}}, merge, nil, Range{Base: base, Head: merge}},
		{"push_tag", "push", Event{Push: &Push{Ref: "refs/tags/v1.0.0", After: head}}, head, nil, Range{Head: head}},
		{"merge_group", "merge_group", Event{MergeGroup: &MergeGroup{BaseSHA: base, HeadSHA: head, BaseRef: "refs/heads/main"}}, head, []string{base, gone}, onMerge},
		{"schedule", "schedule", Event{}, head, []string{base}, Range{Head: head}},
		{"workflow_dispatch", "workflow_dispatch", Event{}, head, []string{base}, Range{Head: head}},
		{"workflow_run", "workflow_run", Event{}, head, []string{base}, Range{Head: head}},
		{"issue_comment", "issue_comment", Event{}, head, []string{base}, Range{Head: head}},
		{"pull_request", "pull_request_target", Event{}, base, nil, Range{Head: base}},
	}
	for _, tt := range tests {
		tt.want.Name, tt.want.DefaultBranch = tt.event, "main"
		got, err := ParseEvent(tt.event, payloadOf(t, tt.file))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v, want %+v", tt.file, got, err, tt.want)
		}
		if r := got.Compare(tt.out, tt.parents); r != tt.commits {
			t.Errorf("%s with %.4s checked out: got %+v, want %+v", tt.file, tt.out, r, tt.commits)
		}
	}
}

func TestBadPayloads(t *testing.T) {
	for _, tt := range []struct{ event, payload, want string }{
		{"push", `{`, "unexpected end"},
		{"push", `{}`, "has no ref"},
		{"pull_request", `{}`, "has no pull_request"},
		{"pull_request", `{"pull_request": {"number": 7, "head": {"sha": "main"}}}`, "has no pull_request"},
		{"pull_request", `{"pull_request": {"number": -1, "head": {"sha": "` + head + `"}}}`, "has no pull_request"},
		{"merge_group", `{"merge_group": {"base_sha": "--upload-pack=x"}}`, "has no merge_group"},
		{"merge_group", `{"merge_group": {"head_sha": "` + head + `", "base_ref": 1}}`, `number where something else belongs: "merge_group.base_ref"`},
		{"pull_request", `[]`, "array where something else belongs"},
		{"pull_request", ``, "unexpected end"},
	} {
		if _, err := ParseEvent(tt.event, []byte(tt.payload)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: got %v, want %q", tt.event, tt.payload, err, tt.want)
		}
	}
}

// A pull request can get labels after it was merged.
func TestLabelOnAClosedPullRequest(t *testing.T) {
	e, err := ParseEvent("pull_request", []byte(`{"action": "labeled", "pull_request": {"number": 7, "state": "closed", "head": {"sha": "`+head+`"}}}`))
	if err != nil || e.PullRequest == nil || !e.PullRequest.Closed {
		t.Errorf("got %+v, %v", e.PullRequest, err)
	}
}

func TestRunsWithoutSecrets(t *testing.T) {
	repo := `"repo": {"id": 1}`
	for login, want := range map[string]bool{"dependabot[bot]": true, "ada": false, "dependabot": false} {
		e, err := ParseEvent("pull_request", []byte(`{"pull_request": {"number": 7, "user": {"login": "`+login+`"}, "head": {"sha": "`+head+`", `+repo+`}, "base": {`+repo+`}}}`))
		if err != nil || e.PullRequest == nil || e.PullRequest.Fork || e.PullRequest.NoSecrets != want {
			t.Errorf("%s: got %+v, %v", login, e.PullRequest, err)
		}
	}
}

// An event that is used must not be green because nothing is known of it.
func TestMissingPayloads(t *testing.T) {
	for _, file := range []string{"", filepath.Join(t.TempDir(), "event.json")} {
		for _, name := range []string{PullRequestEvent, PushEvent, MergeGroupEvent} {
			r := &Runner{EventName: name, EventPath: file}
			if _, err := r.ReadEvent(); err == nil || !strings.Contains(err.Error(), name+" has no payload") {
				t.Errorf("%s, file %q: got %v", name, file, err)
			}
		}
		for _, name := range []string{"", ScheduleEvent, "issue_comment"} {
			r := &Runner{EventName: name, EventPath: file}
			if e, err := r.ReadEvent(); err != nil || e.Name != name {
				t.Errorf("%s, file %q: got %+v, %v", name, file, e, err)
			}
		}
	}
}

// A merge group without its base, as it was recorded once: the commit knows.
func TestMergeGroupWithoutABase(t *testing.T) {
	e, err := ParseEvent("merge_group", []byte(`{"merge_group": {"head_sha": "`+head+`", "base_sha": "--upload-pack=x"}}`))
	if err != nil || e.MergeGroup == nil || e.MergeGroup.BaseSHA != "" {
		t.Fatalf("got %+v, %v", e.MergeGroup, err)
	}
	if r := e.Compare(head, []string{base, gone}); r.Base != base || !r.Merged {
		t.Errorf("got %+v", r)
	}
	if r := e.Compare(head, nil); r.Base != "" {
		t.Errorf("without parents: got %+v", r)
	}
}

// Other events may call other things by the names that are read here.
func TestEventsThatAreNotRead(t *testing.T) {
	for _, payload := range []string{`{"ref": null, "before": 7, "pull_request": []}`, `{"repository": "acme/policies"}`, `[]`, `nonsense`} {
		if e, err := ParseEvent("repository_dispatch", []byte(payload)); err != nil || e.Name != "repository_dispatch" || e.PullRequest != nil {
			t.Errorf("%s: got %+v, %v", payload, e, err)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for _, event := range []string{"pull_request", "push", "merge_group"} {
			f.Add(event, payloadOf(f, name))
		}
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e, err := ParseEvent(name, data)
		if err != nil {
			return
		}
		// Nothing but a commit's id gets to Git as one.
		if base := e.Compare(merge, []string{head, stale}).Base; base != "" && !isCommit(base) {
			t.Errorf("got base %q", base)
		}
		if e.PullRequest != nil && (e.PullRequest.Number <= 0 || !isCommit(e.PullRequest.HeadSHA)) {
			t.Errorf("got %+v", e.PullRequest)
		}
	})
}
