package gitstore

import (
	"strings"
	"unicode"
)

// maxSaid is room for the few lines that say why a program failed, and bounds
// what a hostile repository or key can put into a message.
const maxSaid = 500

// said is what a program printed to its error output, on one line for a message:
// the lines that it marks as errors, or else all that aren't only chatter.
func said(stderr string) string {
	var all, marked []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return ' '
			}
			return r
		}, strings.ToValidUTF8(line, "\uFFFD")))
		if text, ok := strings.CutPrefix(line, "fatal: "); ok {
			marked = append(marked, text)
		} else if text, ok := strings.CutPrefix(line, "error: "); ok {
			marked = append(marked, text)
		}
		if line != "" && !isChatter(line) {
			all = append(all, line)
		}
	}
	if len(marked) > 0 {
		all = marked
	}
	text := strings.Join(all, "; ")
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "…"
	}
	return text
}

// isChatter tells whether a line of gpg's says nothing about why it failed: that
// it made its folders, or doesn't like their permissions.
func isChatter(line string) bool {
	return strings.HasSuffix(line, "' created") || strings.HasSuffix(line, ": trustdb created") || strings.HasPrefix(line, "WARNING: unsafe ")
}
