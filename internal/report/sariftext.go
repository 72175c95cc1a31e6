package report

import (
	"io"
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/policypin/policypin/diag"
)

// maxSourceBytes is more than any file that is parsed. Problems of a larger file
// are at its first line.
const maxSourceBytes = 16 << 20

// A sarifSource is the text of a file that has problems. Its zero value is that
// of a file that can't be read.
type sarifSource struct {
	lines  []string
	hashes []string // by line
}

// readSARIFSource reads a regular file of fsys, which may be nil.
func readSARIFSource(fsys fs.FS, name string) sarifSource {
	if fsys == nil {
		return sarifSource{}
	}
	if info, err := fs.Lstat(fsys, name); err != nil || !info.Mode().IsRegular() {
		return sarifSource{}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return sarifSource{}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSourceBytes+1))
	if err != nil || len(data) > maxSourceBytes {
		return sarifSource{}
	}
	text := string(data)
	return sarifSource{strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n"), lineHashes(text)}
}

// region is from a position to the end of its line, since problems have no end.
// Code scanning wants all four numbers. Without the text they are a point.
func (s sarifSource) region(at diag.Position) sarifRegion {
	line, column := max(at.Line, 1), max(at.Column, 1)
	if line > len(s.lines) {
		return sarifRegion{line, column, line, column}
	}
	before := strings.TrimSuffix(s.lines[line-1], "\r")
	start, end := column, 1
	for count := 1; before != ""; count++ {
		r, size := utf8.DecodeRuneInString(before)
		before = before[size:]
		if count < column && r > 0xffff {
			start++
		}
		end += utf16.RuneLen(r)
	}
	return sarifRegion{line, start, line, max(start, end)}
}

// fingerprint tells a problem of a line from one of another line, though lines
// before it come and go. The name is the only one that code scanning reads.
func (s sarifSource) fingerprint(at diag.Position) map[string]string {
	line := max(at.Line, 1)
	if line > len(s.hashes) {
		return nil
	}
	return map[string]string{"primaryLocationLineHash": s.hashes[line-1]}
}

// lineHashes returns for each line of a text what github/codeql-action computes
// where a file has no fingerprints (src/fingerprints.ts): it warns of any that
// are others. A hash covers the line's first 100 UTF-16 units that are no blanks,
// and goes on in the lines after it; -1 is the end and zeros follow. The number
// behind the colon tells equal ones apart.
func lineHashes(text string) []string {
	const block, factor = 100, 37
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", " ", "", "\t", "").Replace(text)
	units := append(utf16.Encode([]rune(text)), 0xffff)
	starts := []int{0}
	for i, u := range units {
		if u == '\n' {
			starts = append(starts, i+1)
		}
	}
	units = append(units, make([]uint16, block)...)
	hashes, seen := make([]string, 0, len(starts)), map[uint64]int{}
	for _, start := range starts {
		var hash uint64
		for _, u := range units[start : start+block] {
			hash = hash*factor + uint64(u)
		}
		seen[hash]++
		hashes = append(hashes, strconv.FormatUint(hash, 16)+":"+strconv.Itoa(seen[hash]))
	}
	return hashes
}
