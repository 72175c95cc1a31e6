package report

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// notRules are texts that look like the id of a rule and are none.
var notRules = map[string]bool{"2006-01-02": true, "if-then-else": true}

var ruleLike = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)+$`)

// TestRules: every rule that this and the checking packages report is described, and
// nothing else is.
func TestRules(t *testing.T) {
	used := map[string]bool{}
	for _, pattern := range []string{"../../manifest/*.go", "../cedar/*.go", "test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != gotoken.STRING {
					return true
				}
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				if _, known := rules[text]; known {
					used[text] = true
				} else if ruleLike.MatchString(text) && !notRules[text] {
					t.Errorf("%s: the rule %q is not described in rules.go", file, text)
				}
				return true
			})
		}
	}
	for id, r := range rules {
		if !used[id] {
			t.Errorf("the rule %q is described and never reported", id)
		}
		if r.title == "" || !strings.HasSuffix(r.help, ".") {
			t.Errorf("the rule %q is described by %q", id, r)
		}
	}
}

// TestRulesPage keeps docs/rules.md, which reports link to.
func TestRulesPage(t *testing.T) {
	var b strings.Builder
	if err := RulesPage(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "../../docs/rules.md", b.String())
	text, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	for id := range rules {
		if !strings.Contains(string(text), "\n## "+id+"\n") {
			t.Errorf("docs/rules.md has no heading %s", id)
		}
	}
}
