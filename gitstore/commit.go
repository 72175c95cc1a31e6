package gitstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// A Commit is what the log shows of a commit.
type Commit struct {
	Hash    Hash
	Tree    Hash
	Parents []Hash
	Author  string // name <email>
	When    time.Time
	// Committed is when the commit got its place in history, which a rebase
	// moves and When keeps.
	Committed time.Time
	Subject   string
}

// Commit reads a commit. The error wraps [ErrNoRevision] if it isn't here.
func (r *Repo) Commit(h Hash) (Commit, error) { return readCommit(stored{r.store}, h) }

func readCommit(o objects, h Hash) (Commit, error) {
	content, err := o.read(plumbing.CommitObject, h)
	if errors.Is(err, errMissing) {
		return Commit{}, fmt.Errorf("%w: commit %s", ErrNoRevision, h)
	}
	if err != nil {
		return Commit{}, err
	}
	c, err := parseCommit(content)
	if err != nil {
		return Commit{}, fmt.Errorf("commit %s is malformed: %w", h, err)
	}
	c.Hash = h
	return c, nil
}

// parseCommit reads a commit object: header lines, an empty line, the message.
// Text that isn't UTF-8 is repaired, since it is only shown.
func parseCommit(content []byte) (Commit, error) {
	header, message, _ := strings.Cut(string(content), "\n\n")
	var c Commit
	for line := range strings.SplitSeq(header, "\n") {
		key, value, _ := strings.Cut(line, " ")
		var err error
		switch key {
		case "tree":
			c.Tree, err = ParseHash(value)
		case "parent":
			var p Hash
			p, err = ParseHash(value)
			c.Parents = append(c.Parents, p)
		case "author":
			c.Author, c.When = parseSignature(value)
		case "committer":
			_, c.Committed = parseSignature(value)
		}
		if err != nil {
			return Commit{}, fmt.Errorf("%s: %w", key, err)
		}
	}
	if c.Tree.IsZero() {
		return Commit{}, errors.New("it names no tree")
	}
	c.Subject = subject(message)
	return c, nil
}

// parseSignature reads "name <email> seconds zone". What doesn't have that
// form, and there are such commits, gives the zero time.
func parseSignature(s string) (who string, when time.Time) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	end := strings.LastIndexByte(s, '>')
	if end < 0 {
		return s, time.Time{}
	}
	who = s[:end+1]
	fields := strings.Fields(s[end+1:])
	if len(fields) == 0 {
		return who, time.Time{}
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return who, time.Time{}
	}
	offset := 0
	if len(fields) > 1 {
		offset = zoneOffset(fields[1])
	}
	if offset == 0 {
		return who, time.Unix(seconds, 0).UTC()
	}
	return who, time.Unix(seconds, 0).In(time.FixedZone("", offset))
}

// zoneOffset reads +hhmm as seconds east of Greenwich, 0 if it is anything else.
func zoneOffset(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || len(s) != 5 || n < -9999 || n > 9999 {
		return 0
	}
	return (n/100*60 + n%100) * 60
}

// subject is the first paragraph of a message as one line, like git's %s.
func subject(message string) string {
	message = strings.TrimLeft(strings.ToValidUTF8(message, "\uFFFD"), "\n")
	paragraph, _, _ := strings.Cut(message, "\n\n")
	return strings.Join(strings.FieldsFunc(paragraph, func(c rune) bool { return c == '\n' }), " ")
}
