package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"unicode/utf8"

	"github.com/policypin/policypin/diag"
)

// Limits on files, applied before anything is parsed. A manifest with 10,000
// entries, the most that policypin is measured with, takes about 2 MB.
const (
	maxProjectBytes  = 1 << 20
	maxManifestBytes = 8 << 20
	maxSchemaBytes   = 4 << 20
)

// errTooLarge is returned by readFile for a file over its limit.
var errTooLarge = errors.New("file is too large")

// readFile reads a file of at most limit bytes. A file system with a ReadFile of
// its own has a limit of its own; asking it for the size first would make a Git
// tree look up every object twice.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	if whole, ok := fsys.(fs.ReadFileFS); ok {
		data, err := whole.ReadFile(name)
		if err == nil && int64(len(data)) > limit {
			return nil, fmt.Errorf("%w: %d bytes, the limit is %d", errTooLarge, len(data), limit)
		}
		if err == nil {
			return data, nil
		}
		if info, statErr := fs.Stat(fsys, name); statErr != nil || info.IsDir() || info.Size() <= limit {
			return nil, err
		}
	}
	return readPart(fsys, name, limit)
}

// readPart is readFile for a file whose claims about its size are not believed.
func readPart(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a folder")}
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", errTooLarge, info.Size(), limit)
	}
	// One byte more than the size saves the buffer from growing at the end.
	b := bytes.NewBuffer(make([]byte, 0, max(info.Size(), 0)+bytes.MinRead))
	n, err := b.ReadFrom(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("%w: the limit is %d bytes", errTooLarge, limit)
	}
	return b.Bytes(), nil
}

var byteOrderMark = []byte("\ufeff")

// checkText reports bytes that make a file look different from what it is, and
// returns the text without a byte order mark. ok is false when the text can't
// be parsed with sense.
func checkText(file string, data []byte, problems *diag.List) (text []byte, ok bool) {
	if bytes.HasPrefix(data, byteOrderMark) {
		problems.Add(diag.Problem{
			Position: diag.Position{File: file, Line: 1, Column: 1}, Rule: "byte-order-mark",
			Message: "the file starts with a byte order mark", Fix: "save it as UTF-8 without one",
		})
		data = data[len(byteOrderMark):]
	}
	ok = true
	line, start := 1, 0 // start is where the line begins
	for i := 0; i < len(data); {
		if len(*problems) > maxProblems {
			return data, false
		}
		c := data[i]
		size := 1
		switch {
		case c == '\n':
			line, start = line+1, i+1
		case c == '\r' && i+1 < len(data) && data[i+1] == '\n', c == '\t':
		case c < 0x20 || c == 0x7f:
			ok = false
			problems.Errorf(position(file, data, line, start, i), "control-character", "control character %U", rune(c))
		case c >= utf8.RuneSelf:
			var r rune
			r, size = utf8.DecodeRune(data[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				// What follows would be noise: the file is in another encoding.
				problems.Add(diag.Problem{
					Position: position(file, data, line, start, i), Rule: "not-utf8",
					Message: fmt.Sprintf("byte %#02x is not UTF-8", c), Fix: "save the file as UTF-8",
				})
				return data, false
			case bidirectional(r):
				problems.Add(diag.Problem{
					Position: position(file, data, line, start, i), Rule: "bidi-control",
					Message: fmt.Sprintf("bidirectional control character %U makes the text read differently from what it says", r),
					Fix:     "remove it",
				})
			case r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff':
				// YAML 1.1 ends a line at U+0085, U+2028 and U+2029; editors don't.
				ok = false
				problems.Errorf(position(file, data, line, start, i), "control-character", "control character %U", r)
			}
		}
		i += size
	}
	return data, ok
}

// bidirectional tells whether r is one of Unicode's explicit directional
// formatting characters (UAX 9, section 2), which can make text read as other
// than it is ("Trojan Source", CVE-2021-42574).
func bidirectional(r rune) bool {
	switch {
	case r == '\u061c', r == '\u200e', r == '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}

// position counts the column of the byte at offset in a line that begins at start.
func position(file string, data []byte, line, start, offset int) diag.Position {
	return diag.Position{File: file, Line: line, Column: utf8.RuneCount(data[start:offset]) + 1}
}

// positionAt finds the line and column of a byte.
func positionAt(file string, data []byte, offset int) diag.Position {
	line := 1 + bytes.Count(data[:offset], []byte{'\n'})
	start := bytes.LastIndexByte(data[:offset], '\n') + 1
	return position(file, data, line, start, offset)
}

// quote shows text of a user's file in a message: on one line, escaped, not
// longer than a line, and never if it could be a credential.
func quote(s string) string {
	if len(tokenSpans([]byte(s))) > 0 {
		return redacted
	}
	const maxRunes = 80
	if utf8.RuneCountInString(s) > maxRunes {
		s = string([]rune(s)[:maxRunes]) + "…"
	}
	return strconv.Quote(s)
}
