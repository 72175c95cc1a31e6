package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// WithSchema returns the text of the set's file with another schema version.
// Only the value changes: comments, layout, line ends and the kind of quotes
// stay, byte for byte. It fails for a value that is written over several lines,
// and for a set that was not read from a file.
func (s *Set) WithSchema(version string) ([]byte, error) {
	if bad := badSchemaVersion(version); bad != "" {
		return nil, fmt.Errorf("the schema version %s %s", quote(version), bad)
	}
	start, ok := offsetOf(s.raw, s.places.schemaVersion)
	if !ok {
		return nil, errors.New("no schema_version to change")
	}
	old, value := s.raw[start:], version
	var length int
	switch {
	case bytes.HasPrefix(old, []byte(`"`)):
		// What badSchemaVersion allows needs no escapes, but the old value may
		// have been written with some.
		length = closing(old, '"', '\\')
		value = strconv.Quote(version)
	case bytes.HasPrefix(old, []byte(`'`)):
		length = closing(old, '\'', 0)
		value = "'" + version + "'"
	case bytes.HasPrefix(old, []byte(s.SchemaVersion)):
		length = len(s.SchemaVersion)
		if scalar(version) != version && !plainDate(version) {
			value = strconv.Quote(version)
		}
	}
	if length == 0 {
		return nil, errors.New("write the schema_version on one line")
	}
	text := bytes.Join([][]byte{s.raw[:start], []byte(value), old[length:]}, nil)
	if now, problems, _ := parseSet(s.File, text); now == nil || problems.Err() != nil || now.SchemaVersion != version || len(now.Entries) != len(s.Entries) {
		return nil, errors.New("the schema_version can't be changed in place; change it by hand")
	}
	return text, nil
}

// plainDate tells whether s is what YAML 1.1 takes for a date, which is text in
// YAML 1.2 and here.
func plainDate(s string) bool {
	const form = "2006-01-02"
	return len(s) == len(form) && strings.Trim(s, "0123456789-") == "" && s[4] == '-' && s[7] == '-'
}

// closing returns the length of a quoted scalar, or 0 if it doesn't end on its
// line.
func closing(text []byte, mark, escape byte) int {
	for i := 1; i < len(text) && text[i] != '\n'; i++ {
		switch text[i] {
		case escape:
			if i++; i < len(text) && text[i] == '\n' {
				return 0
			}
		case mark:
			return i + 1
		}
	}
	return 0
}

// offsetOf finds the byte at a place, whose column counts characters.
func offsetOf(text []byte, at place) (offset int, ok bool) {
	for line := 1; line < at.line; line++ {
		n := bytes.IndexByte(text[offset:], '\n')
		if n < 0 {
			return 0, false
		}
		offset += n + 1
	}
	for column := 1; column < at.column; column++ {
		if offset >= len(text) || text[offset] == '\n' {
			return 0, false
		}
		_, size := utf8.DecodeRune(text[offset:])
		offset += size
	}
	return offset, at.line > 0 && offset < len(text)
}
