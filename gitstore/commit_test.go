package gitstore

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// rawCommit writes a commit object that git commit wouldn't write.
func (g *gitRepo) rawCommit(author, headers, message string) Hash {
	g.t.Helper()
	text := fmt.Sprintf("tree %s\nauthor %s\ncommitter Ann <ann@example.com> 1700000000 +0000\n%s\n%s", noFiles, author, headers, message)
	h, err := ParseHash(g.gitIn(text, "hash-object", "-t", "commit", "-w", "--literally", "--stdin"))
	if err != nil {
		g.t.Fatal(err)
	}
	return h
}

func TestCommitTextIsThatOfGit(t *testing.T) {
	g := newGitRepo(t)
	r := g.open()
	const ann = "Ann <ann@example.com> 1700000000 +0100"
	for name, c := range map[string]struct{ author, headers, message string }{
		"a name that is empty":        {" <ann@example.com> 1 +0000", "", "one\n"},
		"Latin-1":                     {"J\xe9r\xf4me <j@example.com> 1700000000 +0100", "encoding ISO-8859-1\n", "caf\xe9\n\nbody"},
		"Latin-1 by another name":     {"J\xe9r\xf4me <j@example.com> 1700000000 +0100", "encoding latin1\n", "caf\xe9\n"},
		"UTF-8 that says so":          {"Jérôme <j@example.com> 1700000000 +0100", "encoding UTF-8\n", "café\n"},
		"an encoding in a signature":  {"Jérôme <j@example.com> 1700000000 +0100", "gpgsig x\n encoding latin1\n \n y\n", "café\n"},
		"lines that end in CRLF":      {ann, "", "one\r\ntwo\r\n\r\nbody\r\n"},
		"white space around":          {ann, "", "\n \t\n  one  two  \nthree \n \nbody\n"},
		"a message of white space":    {ann, "", " \n\n"},
		"a merged tag in the headers": {ann, "mergetag object 1\n type commit\n tag x\n tagger X <x@example.com> 1 +0000\n \n text\n", "merge\n"},
		"no message":                  {ann, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := g.rawCommit(c.author, c.headers, c.message)
			got, err := r.Commit(h)
			if err != nil {
				t.Fatal(err)
			}
			want := g.git("-c", "i18n.logOutputEncoding=UTF-8", "log", "-1", "--format=%an <%ae>", h.String())
			if want[0] == ' ' {
				want = want[1:] // it has no name
			}
			if got.Author != want {
				t.Errorf("author: got %q, want %q", got.Author, want)
			}
			if want := g.git("-c", "i18n.logOutputEncoding=UTF-8", "log", "-1", "--format=%s", h.String()); got.Subject != want {
				t.Errorf("subject: got %q, want %q", got.Subject, want)
			}
		})
	}
}

// A date that JSON can't write is none, whatever clock it is from.
func TestCommitDateCanBeWritten(t *testing.T) {
	g := newGitRepo(t)
	r := g.open()
	for date, want := range map[string]string{
		"1700000000 +0100":           "2023-11-14T22:13:20Z",
		"-100 +0000":                 "1969-12-31T23:58:20Z",
		"4200000000 +0530":           "2103-02-04T02:40:00Z",
		"253402300799 +0000":         "9999-12-31T23:59:59Z",
		"253402300800 +0000":         "0001-01-01T00:00:00Z",
		"99999999999999 +0000":       "0001-01-01T00:00:00Z",
		"-99999999999999 +0000":      "0001-01-01T00:00:00Z",
		"9223372036854775807 +0000":  "0001-01-01T00:00:00Z",
		"18446744073709551615 +0000": "0001-01-01T00:00:00Z",
		"1700000000 -7530":           "2023-11-14T22:13:20Z",
		"1700000000 +051800":         "2023-11-14T22:13:20Z",
		"1700000000":                 "2023-11-14T22:13:20Z",
		"":                           "0001-01-01T00:00:00Z",
	} {
		c, err := r.Commit(g.rawCommit("Ann <ann@example.com> "+date, "", "one\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.When.UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s: got %s, want %s", date, got, want)
		}
		if _, err := json.Marshal(c.When.UTC()); err != nil {
			t.Errorf("%s: %v", date, err)
		}
	}
}
