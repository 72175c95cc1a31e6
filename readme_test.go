package policypin_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents returns the project's pages by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || name != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if filepath.Ext(name) == ".md" {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			pages[name] = string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages["README.md"] == "" {
		t.Fatal("there is no README.md")
	}
	return pages
}

// TestTwoCommands holds README to what .ci/run takes from it: its first block
// of commands is these two.
func TestTwoCommands(t *testing.T) {
	_, rest, _ := strings.Cut(documents(t)["README.md"], "```sh\n")
	block, _, _ := strings.Cut(rest, "```")
	got := strings.Split(strings.TrimSuffix(block, "\n"), "\n")
	if want := []string{"./examples/quickstart.sh", "go test ./..."}; !slices.Equal(got, want) {
		t.Errorf("README.md starts with %q, want %q", got, want)
	}
}

var linkPattern = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// TestLinks follows the links inside the project, to files and to headings.
func TestLinks(t *testing.T) {
	pages := documents(t)
	for name, text := range pages {
		for _, m := range linkPattern.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, heading, _ := strings.Cut(m[1], "#")
			to := name
			if file != "" {
				to = filepath.Join(filepath.Dir(name), filepath.FromSlash(file))
				if _, err := os.Stat(to); err != nil {
					t.Errorf("%s: link %s: %v", name, m[1], err)
					continue
				}
			}
			if heading != "" && !slices.Contains(anchors(pages[to]), heading) {
				t.Errorf("%s: link %s: no such heading", name, m[1])
			}
		}
	}
}

// anchors returns the anchors of a page's headings, as GitHub forms them.
func anchors(page string) []string {
	var all []string
	for _, line := range strings.Split(page, "\n") {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || r > 127:
				return r
			}
			return -1
		}, strings.ToLower(strings.TrimSpace(title))))
	}
	return all
}

// TestShownCommands checks that every policypin command that the pages and the
// examples show exists and has the flags it is shown with.
func TestShownCommands(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "policypin")
	if out, err := exec.Command("go", "build", "-o", exe, "./cmd/policypin").CombinedOutput(); err != nil {
		t.Fatalf("building policypin: %v\n%s", err, out)
	}
	shown := map[string][]string{}
	for name, text := range documents(t) {
		switch name {
		case "CHANGELOG.md": // it may tell of what is gone
		case "docs/commands.md": // it is the help texts
		default:
			shown[name] = shownCommands(text)
		}
	}
	script, err := os.ReadFile("examples/quickstart.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(script), "\n") {
		if command, ok := strings.CutPrefix(line, "run policypin "); ok {
			shown["examples/quickstart.sh"] = append(shown["examples/quickstart.sh"], command)
		}
	}

	helps := map[string]string{}
	total := 0
	for name, commands := range shown {
		total += len(commands)
		for _, command := range commands {
			if problem := checkCommand(exe, helps, command); problem != "" {
				t.Errorf("%s shows policypin %s: %s", name, command, problem)
			}
		}
	}
	if total < 20 {
		t.Errorf("found only %d commands", total)
	}
	t.Logf("checked %d commands against %d help texts", total, len(helps))
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	// A row of README's table of commands, which leaves the word policypin out.
	commandRow = regexp.MustCompile("^\\| `([a-z][^`]*)` \\|")
)

// shownCommands returns what follows the word policypin in the commands of a
// page: in code spans, in blocks, and in the table of commands.
func shownCommands(page string) []string {
	var commands []string
	inBlock, section := false, ""
	for _, line := range strings.Split(page, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inBlock = !inBlock
		case inBlock:
			line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
			if command, ok := strings.CutPrefix(line, "policypin "); ok {
				commands = append(commands, command)
			}
		case strings.HasPrefix(line, "#"):
			section = strings.Trim(line, "# ")
		default:
			if m := commandRow.FindStringSubmatch(line); m != nil && section == "Commands" {
				commands = append(commands, m[1])
			}
			for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
				if command, ok := strings.CutPrefix(m[1], "policypin "); ok {
					commands = append(commands, command)
				}
			}
		}
	}
	return commands
}

var (
	subcommands = regexp.MustCompile(`(?m)^Commands:\n((?:  .*\n)+)`)
	firstWord   = regexp.MustCompile(`(?m)^  ([a-z-]+)`)
)

// checkCommand looks a command and its flags up in the help texts, and returns
// what is wrong, or "".
func checkCommand(exe string, helps map[string]string, command string) string {
	command, _, _ = strings.Cut(command, " #")
	var names []string
	help := func() string {
		path := strings.Join(names, " ")
		if _, ok := helps[path]; !ok {
			out, err := exec.Command(exe, append(slices.Clone(names), "--help")...).Output()
			if err != nil {
				return ""
			}
			helps[path] = string(out)
		}
		return helps[path]
	}
	var flags []string
	for _, word := range strings.Fields(command) {
		word = strings.Trim(word, `[]|\…"'`)
		if strings.ContainsAny(word, "><&;|") {
			break // the shell's business from here on
		}
		if flag, _, _ := strings.Cut(word, "="); strings.HasPrefix(flag, "-") && len(flag) > 1 {
			flags = append(flags, flag)
			continue
		}
		m := subcommands.FindStringSubmatch(help())
		if m == nil || word == "" || len(flags) > 0 && len(names) == 0 {
			continue
		}
		var known []string
		for _, c := range firstWord.FindAllStringSubmatch(m[1], -1) {
			known = append(known, c[1])
		}
		if !slices.Contains(known, word) {
			if word == strings.ToUpper(word) {
				continue // a placeholder
			}
			return "there is no command " + word
		}
		names = append(names, word)
	}
	text := help()
	if text == "" {
		return "its --help fails"
	}
	for _, flag := range flags {
		if !regexp.MustCompile(`(?m)^  (.*, )?` + regexp.QuoteMeta(flag) + `\b`).MatchString(text) {
			return "there is no flag " + flag
		}
	}
	return ""
}
