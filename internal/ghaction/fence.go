package ghaction

import "strings"

// Fence writes text as a block of code. The fence is longer than any run of
// backticks in the text, so that no line of it can end the block (GFM, 4.5).
func Fence(text string) string {
	longest, run := 2, 0
	for i := range len(text) {
		if text[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	mark := strings.Repeat("`", longest+1)
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return mark + "text\n" + text + mark + "\n"
}
