package gitstore

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSaid(t *testing.T) {
	for _, c := range []struct{ name, stderr, want string }{
		{"nothing", "", ""},
		{
			"gpg makes its home first", "directory '/home/ada/.gnupg' created\nkeybox '/home/ada/.gnupg/pubring.kbx' created\n" +
				"/home/ada/.gnupg/trustdb.gpg: trustdb created\nerror reading key: No secret key\n",
			"error reading key: No secret key",
		},
		{
			"git explains at length", "Committer identity unknown\n\n*** Please tell me who you are.\n\nRun\n\n  git config\n\n" +
				"fatal: unable to auto-detect email address (got 'ada@host.(none)')\n",
			"unable to auto-detect email address (got 'ada@host.(none)')",
		},
		{"two errors", "error: no such object\nmore\nfatal: it ends here\n", "no such object; it ends here"},
		{"lines without marks", "one\r\ntwo\n", "one; two"},
		{"control characters", "a\x1b[31mred\x00\u202eb", "a [31mred  b"},
	} {
		if got := said(c.stderr); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := said(strings.Repeat("é", maxSaid)); len(got) > maxSaid+len("…") || !utf8.ValidString(got) {
		t.Errorf("a long line: got %d bytes", len(got))
	}
}

func FuzzSaid(f *testing.F) {
	f.Add("fatal: a\nerror: b\nc\xff\n")
	f.Fuzz(func(t *testing.T, stderr string) {
		got := said(stderr)
		if len(got) > maxSaid+len("…") || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) && r != utf8.RuneError }) {
			t.Errorf("%q: got %q", stderr, got)
		}
	})
}
