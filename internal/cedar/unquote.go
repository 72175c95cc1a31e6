package cedar

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// unquote returns the value of a string literal's inside. If an escape is
// wrong, bad is its byte offset; otherwise it is -1. \* is an escape in a
// pattern only, where the value doesn't tell it from a wildcard. A star by its
// number is wrong there: to the official engine it is a wildcard, to cedar-go a
// star.
func unquote(s string, pattern bool) (value string, bad int) {
	if !strings.ContainsRune(s, '\\') {
		return s, -1
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		start := i
		if i++; i == len(s) {
			return "", start
		}
		switch c := s[i]; c {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case '0':
			b.WriteByte(0)
		case '\\', '\'', '"':
			b.WriteByte(c)
		case '*':
			if !pattern {
				return "", start
			}
			b.WriteByte(c)
		case 'x':
			if i+2 >= len(s) {
				return "", start
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil || n > 127 || pattern && n == '*' {
				return "", start
			}
			b.WriteByte(byte(n))
			i += 2
		case 'u':
			end := strings.IndexByte(s[i:], '}')
			if i+1 >= len(s) || s[i+1] != '{' || end < 0 {
				return "", start
			}
			digits := s[i+2 : i+end]
			if strings.HasPrefix(digits, "_") {
				return "", start
			}
			digits = strings.ReplaceAll(digits, "_", "")
			n, err := strconv.ParseUint(digits, 16, 32)
			if err != nil || len(digits) > 6 || !utf8.ValidRune(rune(n)) || pattern && n == '*' {
				return "", start
			}
			b.WriteRune(rune(n))
			i += end
		default:
			return "", start
		}
		i++
	}
	return b.String(), -1
}
