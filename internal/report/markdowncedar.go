package report

import (
	"fmt"
	"strings"

	"github.com/policypin/policypin/manifest"
)

// cedar shows what changed in the sources, each folded.
func (m *markdown) cedar() *part {
	type source struct {
		set   string
		entry *manifest.EntryDiff
	}
	var list []source
	for _, s := range m.all {
		if s.diff == nil {
			continue
		}
		for i := range s.diff.Entries {
			if e := &s.diff.Entries[i]; e.Kind != manifest.Layout && unixLines(e.FromText) != unixLines(e.ToText) {
				list = append(list, source{s.name, e})
			}
		}
	}
	return &part{
		n: len(list),
		item: func(i, room int) string {
			if i < len(list)-1 {
				room /= 2 // a long diff leaves room for the next ones
			}
			return m.fold(list[i].set, list[i].entry, room)
		},
		left: func(n int) string { return leftOut(n, "Cedar diff", "Cedar diffs") },
	}
}

func unixLines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// fold is one diff in at most room bytes. What is cut is cut at a line, and the
// fold says how many lines are missing. It is "" if there is no room for a few
// lines.
func (m *markdown) fold(set string, e *manifest.EntryDiff, room int) string {
	shown := *e
	shown.FromFile, shown.ToFile = Clean(e.FromFile), Clean(e.ToFile)
	var lines []string
	added, removed := 0, 0
	for line := range strings.Lines(unified(shown)) {
		switch {
		case len(lines) < 2: // the names of the files
		case line[0] == '+':
			added++
		case line[0] == '-':
			removed++
		}
		line, more := cut(strings.TrimRight(CleanLines(line), "\n"), m.line)
		lines = append(lines, line+more+"\n")
	}
	head := fmt.Sprintf("<details><summary>%s / %s %s, +%d −%d</summary>\n\n",
		m.htmlCode(set), m.htmlCode(e.Policy), plain(e.Kind), added, removed)
	const tail = "\n</details>\n\n"
	text := strings.Join(lines, "")
	whole := head + fence("diff", text) + tail
	if len(whole) <= room {
		return whole
	}
	note := func(n int) string {
		return "\n" + strings.TrimSuffix(leftOut(n, "line of this diff", "lines of this diff"), "\n")
	}
	// The fence around fewer lines is not longer than that around all.
	room -= len(whole) - len(text) + len(note(len(lines)))
	n := 0
	for n < len(lines) && room >= len(lines[n]) {
		room -= len(lines[n])
		n++
	}
	const fewest = 5 // lines that make a diff worth showing: its head and a change
	if n < fewest {
		return ""
	}
	return head + fence("diff", strings.Join(lines[:n], "")) + note(len(lines)-n) + tail
}
