package manifest

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// maxNameBytes keeps names of policies and sets printable in a table. The
	// service documents no limit of its own.
	maxNameBytes = 200
	// maxEncodedSet is how long a set's name may be in a tag name, where other
	// bytes than [A-Za-z0-9_-] take three.
	maxEncodedSet = 200
	// maxWordBytes is the most for target names and pins, which become parts of
	// ref names: together they stay below the 255 bytes of a file name.
	maxWordBytes = 100
	maxPathBytes = 1024
)

// badLength says that a name is empty or longer than it may be, or returns "".
func badLength(s string, limit int) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > limit:
		return fmt.Sprintf("is longer than %d bytes", limit)
	}
	return ""
}

// badName says what is wrong with the name of a policy or a set, or returns "".
// The service takes any text; policypin refuses what can't be told apart in
// print.
func badName(s string) string {
	if bad := badLength(s, maxNameBytes); bad != "" {
		return bad
	}
	if strings.TrimSpace(s) != s {
		return "starts or ends with a space"
	}
	return unprintable(s)
}

// badSetName is badName for sets, whose names become part of a tag name.
func badSetName(s string) string {
	if bad := badName(s); bad != "" {
		return bad
	}
	n := 0
	for i := range len(s) {
		if alphanumeric(s[i]) || s[i] == '_' || s[i] == '-' {
			n++
		} else {
			n += 3
		}
	}
	if n > maxEncodedSet {
		return "is longer than 200 bytes as part of a tag name"
	}
	return ""
}

// maxIDBytes is the most that the API takes for a cursor, the only opaque value
// whose length it documents.
const maxIDBytes = 255

// badID says what is wrong with an id of the API, or returns "". Ids are opaque:
// nothing is asked of their form but that they can be seen and copied.
func badID(s string) string {
	if bad := badLength(s, maxIDBytes); bad != "" {
		return bad
	}
	if strings.ContainsFunc(s, unicode.IsSpace) {
		return "has a space"
	}
	return unprintable(s)
}

// badWord says what is wrong with a target's name or pins, which become parts of
// ref names, or returns "".
func badWord(s string) string {
	if bad := badStart(s); bad != "" {
		return bad
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !wordRune(r) }) {
		return "has other characters than letters, digits, _ and -"
	}
	return ""
}

// badSchemaVersion says what is wrong with a schema version, which becomes part
// of a file name, or returns "".
func badSchemaVersion(s string) string {
	if bad := badStart(s); bad != "" {
		return bad
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !wordRune(r) && r != '.' }) {
		return "has other characters than letters, digits, dots, _ and -"
	}
	return ""
}

// badStart says that a word is empty, too long, or begins with a sign.
func badStart(s string) string {
	if bad := badLength(s, maxWordBytes); bad != "" {
		return bad
	}
	if !alphanumeric(s[0]) {
		return "doesn't start with a letter or digit"
	}
	return ""
}

func wordRune(r rune) bool { return r < utf8.RuneSelf && alphanumeric(byte(r)) || r == '_' || r == '-' }

// badBranch says what is wrong with the name of a branch, by the rules of
// git check-ref-format --branch, or returns "".
func badBranch(s string) string {
	if bad := badLength(s, maxNameBytes); bad != "" {
		return bad
	}
	switch {
	case strings.HasPrefix(s, "refs/"):
		return "is a full ref name; leave refs/heads/ out"
	case strings.HasPrefix(s, "-") || s == "@" || s == "HEAD",
		strings.Contains(s, "..") || strings.Contains(s, "@{") || strings.ContainsAny(s, " ~^:?*[\\"),
		strings.HasSuffix(s, "."):
		return "is not a branch name that Git accepts"
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return "is not a branch name that Git accepts"
		}
	}
	return badName(s)
}

// badPath says what is wrong with a path relative to the project, or returns "".
func badPath(s string) string {
	if bad := badLength(s, maxPathBytes); bad != "" {
		return bad
	}
	switch {
	case strings.Contains(s, `\`):
		return "has a backslash; separate folders with /"
	case path.IsAbs(s) || len(s) > 1 && s[1] == ':':
		return "is absolute; paths are relative to " + ProjectFile
	case s == ".." || strings.HasPrefix(path.Clean(s), "../"):
		return "leaves the project's folder"
	case !fs.ValidPath(s) || s == ".":
		return "is not in its shortest form, without ., .. and double slashes"
	}
	for part := range strings.SplitSeq(s, "/") {
		if strings.EqualFold(part, ".git") {
			return "is inside .git"
		}
	}
	return unprintable(s)
}

// unprintable refuses what can't be seen in a list.
func unprintable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return "has a character that doesn't print"
		}
	}
	return ""
}

// badSource is badPath for sources.
func badSource(s string) string {
	if bad := badPath(s); bad != "" {
		return bad
	}
	if path.Ext(s) != ".cedar" {
		return "doesn't end with .cedar"
	}
	return ""
}

// badPattern is badPath for patterns, as path.Match reads them.
func badPattern(s string) string {
	if bad := badPath(s); bad != "" {
		return bad
	}
	if strings.Contains(s, "**") {
		return "has **, which isn't known here; name each folder level with *"
	}
	for part := range strings.SplitSeq(s, "/") {
		if _, err := path.Match(part, ""); err != nil {
			return "has a [ without its ]"
		}
	}
	return ""
}

// Fold maps names to one key that differ only in case, or in how their letters
// are encoded: é is one character or two (Unicode Standard Annex #15). People
// can't tell the latter apart, and macOS takes both for one file.
func Fold(s string) string { return norm.NFC.String(sameCase(norm.NFC.String(s))) }

// sameCase maps names that differ only in case to one key.
func sameCase(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// unalike is a problem about two names with one [Fold]: its rule, and in what
// they differ.
func unalike(a, b string) (rule, difference string) {
	if norm.NFC.String(a) == norm.NFC.String(b) {
		return "names-differ-in-encoding", "only in how its letters are encoded (Unicode normal forms)"
	}
	return "names-differ-in-case", "only in case"
}

// nearest returns the candidate that s is most likely a slip of, or "". Ties go
// to the first.
func nearest(s string, candidates []string) string {
	const maxRunes = 64 // a slip in something longer is not worth the quadratic time
	if utf8.RuneCountInString(s) > maxRunes {
		return ""
	}
	best, bestDistance := "", 1+max(1, utf8.RuneCountInString(s)/3)
	for _, c := range candidates {
		if c == s || utf8.RuneCountInString(c) > maxRunes {
			continue
		}
		if d := distance(sameCase(s), sameCase(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of runes to insert, delete, replace or swap with their
// neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	older, old, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		older, old, row = old, row, older
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, old[j]+1, old[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return row[len(y)]
}

// didYouMean is a fix for a name that nothing has.
func didYouMean(s string, candidates []string) string {
	if near := nearest(s, candidates); near != "" {
		return "did you mean " + quote(near) + "?"
	}
	return ""
}
