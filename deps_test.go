// Package policypin_test holds the rules that the whole module must keep: who
// may import whom, and that what README and docs show works.
package policypin_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/policypin/policypin"

// arrows says which of our packages each package may import. A package that is
// not here may not exist: a new one starts with its line in this table.
// Arrows point down, so that what is pure stays pure: manifest and internal/cedar
// do no I/O, gitstore knows nothing of policies, and the local zone and the
// client share no wire types, so they can't agree on the same mistake.
var arrows = map[string][]string{
	"diag":                {},
	"schema":              {},
	"internal/jcs":        {},
	"internal/jws":        {},
	"internal/layerfs":    {},
	"internal/redact":     {},
	"internal/cedar":      {"diag", "internal/jcs"},
	"manifest":            {"diag", "internal/cedar", "internal/jcs"},
	"gitstore":            {"internal/layerfs"},
	"internal/keycard":    {"internal/redact"},
	"internal/zone":       {"diag", "internal/cedar", "internal/jcs", "internal/jws"},
	"internal/publish":    {"diag", "gitstore", "internal/cedar", "internal/impact", "internal/jcs", "internal/keycard", "manifest"},
	"internal/verify":     {"diag", "gitstore", "internal/cedar", "internal/jcs", "internal/jws", "internal/keycard", "manifest"},
	"internal/importer":   {"diag", "internal/keycard", "internal/layerfs", "manifest"},
	"internal/doctor":     {"gitstore", "internal/keycard", "manifest"},
	"internal/ghaction":   {"diag"},
	"internal/policytest": {"internal/cedar", "manifest"},
	"internal/impact":     {"diag", "internal/cedar", "manifest"},
	"internal/report":     {"diag", "gitstore", "internal/doctor", "internal/impact", "internal/importer", "internal/keycard", "internal/policytest", "internal/publish", "manifest"},
	"cmd/policypin":       {everything},
	"bench/authorize":     {"diag", "internal/cedar"},
	"bench/gendecisions":  {},
	"bench/genrepo":       {},
	"bench/measure":       {},
	"bench/countproxy":    {"internal/faultproxy"},
	"internal/e2e":        {}, // tests alone
	"internal/faultproxy": {},
	"internal/gittest":    {},
}

const everything = "*"

// testOnly are packages of ours that exist for tests and measuring. Nothing that
// ships may import them, and arrows doesn't limit the tests that do.
var testOnly = []string{"internal/faultproxy", "internal/gittest"}

// doors says which one package may import a dependency, so that its types, its
// quirks and its upgrades stay behind that package.
var doors = map[string]string{
	"github.com/go-git/go-git/v5":                 "gitstore",
	"github.com/go-git/go-billy/v5":               "gitstore",
	"golang.org/x/crypto/ssh":                     "gitstore",
	"github.com/cedar-policy/cedar-go":            "internal/cedar",
	"gopkg.in/yaml.v3":                            "manifest",
	"golang.org/x/text":                           "manifest",
	"github.com/go-json-experiment/json/jsontext": "internal/jcs",
	"github.com/go-jose/go-jose/v4":               "internal/jws",
	"go.etcd.io/bbolt":                            "internal/zone",
	"golang.org/x/sync":                           "internal/publish",
	"golang.org/x/oauth2":                         "internal/keycard",
	"github.com/google/uuid":                      "internal/keycard",
	"github.com/aymanbagabas/go-udiff":            "internal/report",
	"github.com/sethvargo/go-githubactions":       "internal/ghaction",
	"github.com/urfave/cli/v2":                    "cmd/policypin",
	"golang.org/x/term":                           "cmd/policypin",
}

// testLibraries may be imported by any test and by nothing else.
var testLibraries = []string{
	"github.com/rogpeppe/go-internal",          // testscript
	"github.com/gowebpki/jcs",                  // the second witness for RFC 8785
	"golang.org/x/tools/txtar",                 // small projects as one text
	"github.com/santhosh-tekuri/jsonschema/v6", // the contract in api/ is made of JSON Schemas
	"github.com/yuin/goldmark",                 // shows what a comment's Markdown becomes
}

// testDoors lists the packages whose tests may import a library beside its door.
var testDoors = map[string][]string{
	"gopkg.in/yaml.v3": {"internal/zone"}, // api/openapi.yaml is YAML
}

// TestImports reads the imports of every Go file, whatever system it is built
// for, and holds them against arrows and doors.
func TestImports(t *testing.T) {
	imports := readImports(t, ".")
	if len(imports) == 0 {
		t.Fatal("no Go files found")
	}
	unknown := map[string]bool{}
	for _, imp := range imports {
		if _, known := arrows[imp.from]; !known && imp.from != "." {
			if unknown[imp.from] {
				continue // once is enough
			}
			unknown[imp.from] = true
		}
		if rule := broken(imp); rule != "" {
			t.Errorf("%s: package %s imports %s: %s", imp.file, imp.from, imp.path, rule)
		}
	}
}

// TestImportRules shows that the rules can fail.
func TestImportRules(t *testing.T) {
	tests := []struct {
		name string
		imp  importLine
		want string // part of the rule that is broken; "" if none is
	}{
		{"the standard library is free", importLine{from: "diag", path: "net/http"}, ""},
		{"an arrow down", importLine{from: "manifest", path: module + "/diag"}, ""},
		{"an arrow up", importLine{from: "diag", path: module + "/manifest"}, "may import of ours: nothing"},
		{"the client and the local zone stay strangers", importLine{from: "internal/zone", path: module + "/internal/keycard"}, "may import of ours: diag, internal/cedar, internal/jcs, internal/jws"},
		{"tests may look anywhere", importLine{from: "internal/keycard", path: module + "/internal/zone", test: true}, ""},
		{"commands may use everything", importLine{from: "cmd/policypin", path: module + "/internal/zone"}, ""},
		{"except what exists for tests", importLine{from: "cmd/policypin", path: module + "/internal/faultproxy"}, "only tests may"},
		{"a dependency through its door", importLine{from: "gitstore", path: "github.com/go-git/go-git/v5/plumbing"}, ""},
		{"a dependency beside its door", importLine{from: "internal/publish", path: "github.com/go-git/go-git/v5/plumbing"}, "only gitstore may"},
		{"the door holds for tests too", importLine{from: "manifest", path: "github.com/cedar-policy/cedar-go", test: true}, "only internal/cedar may"},
		{"a door for one package's tests", importLine{from: "internal/zone", path: "gopkg.in/yaml.v3", test: true}, ""},
		{"which the package itself can't use", importLine{from: "internal/zone", path: "gopkg.in/yaml.v3"}, "only manifest may"},
		{"a longer name is another module", importLine{from: "manifest", path: "gopkg.in/yaml.v3x"}, "no door"},
		{"a new dependency", importLine{from: "manifest", path: "example.com/left/pad"}, "no door"},
		{"a test library in a test", importLine{from: "cmd/policypin", path: "github.com/rogpeppe/go-internal/testscript", test: true}, ""},
		{"a test library elsewhere", importLine{from: "cmd/policypin", path: "github.com/rogpeppe/go-internal/testscript"}, "only tests may"},
		{"a package that nobody announced", importLine{from: "internal/utils", path: "fmt"}, "not in the table"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := broken(tt.imp)
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want a rule with %q", got, tt.want)
			}
		})
	}
}

// An importLine is one import of one file.
type importLine struct {
	file string
	from string // importing package, relative to the module; "." is the root
	path string // imported path as written
	test bool   // the file is a test
}

// broken returns the rule that an import breaks, or "".
func broken(imp importLine) string {
	if imp.test && imp.from == "." {
		return "" // these tests are about the module as a whole
	}
	allowed, known := arrows[imp.from]
	if !known {
		return "package " + imp.from + " is not in the table of arrows in deps_test.go"
	}
	first, _, _ := strings.Cut(imp.path, "/")
	if ours, ok := strings.CutPrefix(imp.path, module+"/"); ok {
		switch {
		case imp.test:
			return ""
		case slices.Contains(testOnly, ours) && !strings.HasPrefix(imp.from, "bench/"):
			return "only tests may import " + ours
		case slices.Contains(allowed, everything) || slices.Contains(allowed, ours):
			return ""
		}
		return fmt.Sprintf("%s may import of ours: %s", imp.from, list(allowed))
	}
	if !strings.Contains(first, ".") {
		return "" // standard library
	}
	for _, lib := range testLibraries {
		if within(imp.path, lib) {
			if imp.test {
				return ""
			}
			return "only tests may import " + lib
		}
	}
	for lib, door := range doors {
		if within(imp.path, lib) {
			if imp.from == door || imp.test && slices.Contains(testDoors[lib], imp.from) {
				return ""
			}
			return fmt.Sprintf("only %s may import %s", door, lib)
		}
	}
	return "no door for this dependency in deps_test.go"
}

// within tells whether path is lib or a package below it.
func within(path, lib string) bool {
	rest, ok := strings.CutPrefix(path, lib)
	return ok && (rest == "" || rest[0] == '/')
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// readImports returns the imports of all Go files below root, build constraints
// aside.
func readImports(t *testing.T, root string) []importLine {
	t.Helper()
	var imports []importLine
	fset := token.NewFileSet()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); base == "testdata" || name != "." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(fset, filepath.Join(root, name), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, importLine{
				file: name,
				from: path.Dir(name),
				path: imported,
				test: strings.HasSuffix(name, "_test.go"),
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}
