package gitstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var (
	// ErrNoRevision is returned when a revision names nothing here. In a
	// shallow clone the commit may still exist upstream.
	ErrNoRevision = errors.New("no such revision")
	// ErrNoCommit is returned, with ErrNoRevision, when HEAD is a branch that has
	// no commit yet, as in a new repository.
	ErrNoCommit = errors.New("the branch has no commit yet")
	// ErrRevisionSyntax is returned for a revision outside the closed grammar.
	ErrRevisionSyntax = errors.New("revision syntax is not supported")
)

const (
	// maxRevisionBytes is above what a ref name on disk can have.
	maxRevisionBytes = 4096
	// maxSteps limits ~n and ^n; no history is longer.
	maxSteps = 1 << 30
)

// A revision is a parsed revision: a name and the steps from it.
//
//	revision = base { "^" [ number ] | "~" [ number ] }
//	base     = "HEAD" | "@" | hash | abbreviated hash | ref name
//
// It is the part of gitrevisions(7) that names one commit without reading the
// reflog, the work tree or commit messages. go-git 5.19 answers some of the
// rest with HEAD's commit, without a word, so it is refused before go-git sees
// it.
type revision struct {
	base  string
	steps []step
}

// A step leads from a commit to an ancestor.
type step struct {
	parent bool // ^n: the n-th parent, n = 0 being the commit itself; else ~n: n first parents up
	n      int
}

// parseRevision reads a revision. The error wraps [ErrRevisionSyntax].
func parseRevision(s string) (revision, error) {
	refuse := func(why string) (revision, error) {
		return revision{}, fmt.Errorf("%w: %q: %s; write a branch, tag, full ref name, commit id or HEAD, followed by any ^, ^n, ~ or ~n",
			ErrRevisionSyntax, clip(s), why)
	}
	if s == "" {
		return refuse("it is empty")
	}
	if len(s) > maxRevisionBytes {
		return refuse("it is too long")
	}
	end := strings.IndexAny(s, "^~")
	if end < 0 {
		end = len(s)
	}
	rev := revision{base: s[:end]}
	if why := badBase(rev.base); why != "" {
		return refuse(why)
	}
	if rev.base == "@" {
		rev.base = "HEAD"
	}
	for rest := s[end:]; rest != ""; {
		st := step{parent: rest[0] == '^', n: 1}
		if !st.parent && rest[0] != '~' {
			return refuse("only ^ and ~ may follow the name")
		}
		rest = rest[1:]
		if strings.HasPrefix(rest, "{") {
			return refuse("^{…} is not supported")
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits > 0 {
			n, err := strconv.Atoi(rest[:digits])
			if err != nil || n > maxSteps {
				return refuse("the number is too large")
			}
			st.n, rest = n, rest[digits:]
		}
		rev.steps = append(rev.steps, st)
	}
	return rev, nil
}

// badBase says why a name can be no ref name or hash, after
// git-check-ref-format(1), or "".
func badBase(name string) string {
	switch {
	case name == "":
		return "it doesn't begin with a name"
	case name == "@":
		return ""
	case strings.Contains(name, "@{"):
		return "@{…}, the reflog, is not supported"
	case strings.Contains(name, ".."):
		return "a range names more than one commit"
	case strings.HasPrefix(name, ":"):
		return "searches and staged files are not supported"
	case strings.Contains(name, ":"):
		return "REVISION:PATH names a file, not a commit"
	case name[0] == '-':
		return "a name can't begin with -"
	case strings.ContainsAny(name, " ?*[\\\x7f"):
		return "it has a character that no ref name has"
	case name[0] == '/', strings.HasSuffix(name, "/"), strings.Contains(name, "//"), strings.HasSuffix(name, "."):
		return "it is no ref name"
	}
	for part := range strings.SplitSeq(name, "/") {
		if part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return "it is no ref name"
		}
	}
	for _, c := range []byte(name) {
		if c < ' ' {
			return "it has a control character"
		}
	}
	return ""
}

// clip shortens s for a message.
func clip(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
