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
	if isLatin1(header) {
		header, message = fromLatin1(header), fromLatin1(message)
	}
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

// isLatin1 tells whether a commit's header says that its text is in ISO 8859-1,
// which Git has no other way to know than i18n.commitEncoding of who made it.
func isLatin1(header string) bool {
	for line := range strings.SplitSeq(header, "\n") {
		if name, ok := strings.CutPrefix(line, "encoding "); ok {
			switch strings.ToLower(name) {
			case "iso-8859-1", "iso8859-1", "latin1", "latin-1":
				return true
			}
		}
	}
	return false
}

// fromLatin1 decodes ISO 8859-1, whose bytes are the first code points of Unicode.
func fromLatin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

const (
	// The seconds of the years that RFC 3339, and so JSON, has.
	minSeconds = -62_167_219_200
	maxSeconds = 253_402_300_799
)

// parseSignature reads "name <email> seconds zone". What doesn't have that
// form, and there are such commits, gives the zero time.
func parseSignature(s string) (who string, when time.Time) {
	s = strings.TrimLeft(strings.ToValidUTF8(s, "\uFFFD"), " ") // the name may be empty
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
	if err != nil || seconds < minSeconds || seconds > maxSeconds {
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

// subject is the first paragraph of a message as one line, like git's %s: white
// space at the ends of lines, which may end in CRLF, doesn't count.
func subject(message string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.ToValidUTF8(message, "\uFFFD")) {
		line = strings.TrimRight(line, " \t\r\n\v\f")
		switch {
		case line != "" && b.Len() > 0:
			b.WriteByte(' ')
			fallthrough
		case line != "":
			b.WriteString(line)
		case b.Len() > 0:
			return b.String()
		}
	}
	return b.String()
}
