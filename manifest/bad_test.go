package manifest

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"golang.org/x/tools/txtar"

	"github.com/policypin/policypin/diag"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const golden = "diagnostics"

// jwtHead is {"alg":"none"}; the rest of the made-up credentials is repetition,
// so that no scanner takes this file for a leak.
var (
	jwtHead = "eyJhbGciOiJub25lIn0"
	secrets = map[string]string{
		"GHP":      "ghp_" + strings.Repeat("aB3", 12),
		"JWT":      jwtHead + "." + strings.Repeat("e30", 4) + "." + strings.Repeat("xY9", 7),
		"AKIA":     "AKIA" + strings.Repeat("ABC7", 4),
		"RANDOM":   "q7Zx2Kp9Lm4Vt1Bw8Nc3" + "Rj6Hd5Yg0FsAeUoIiTzQ",
		"ESCAPED":  "ghp_" + strings.Repeat("cD4", 12),
		"KEYBLOCK": "-----BEGIN " + "PRIVATE KEY-----",
	}
	marks = map[string]string{
		"BOM": "\ufeff", "FF": "\xff", "NUL": "\x00", "NEL": "\u0085", "ESC": "\x1b", "CR": "\r", "RLO": "\u202e", "RLI": "\u2067",
		"GHPESC": `\x67hp_` + strings.Repeat("cD4", 12), // ESCAPED as YAML may write it
	}
	markPattern = regexp.MustCompile(`<<([A-Z]+|([0-9]+)x([^>]*))>>`)
)

// expand replaces what can't stand in a text file: <<NAME>> by the mark or the
// credential of that name, <<300x[>> by 300 brackets.
func expand(text []byte) []byte {
	return markPattern.ReplaceAllFunc(text, func(m []byte) []byte {
		sub := markPattern.FindSubmatch(m)
		if n, err := strconv.Atoi(string(sub[2])); err == nil {
			return []byte(strings.Repeat(string(sub[3]), n))
		}
		if s, ok := marks[string(sub[1])]; ok {
			return []byte(s)
		}
		if s, ok := secrets[string(sub[1])]; ok {
			return []byte(s)
		}
		panic("unknown mark " + string(m))
	})
}

// project turns an archive into a file system. A file named "a -> b" is a
// symbolic link. The project file and the schemas are added where the archive
// has none of its own.
func project(t testing.TB, a *txtar.Archive) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	if a == nil {
		a = &txtar.Archive{}
	}
	for _, f := range a.Files {
		if link, target, ok := strings.Cut(f.Name, " -> "); ok {
			fsys[link] = &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Data: []byte(target)}
		} else if f.Name != golden {
			fsys[f.Name] = &fstest.MapFile{Mode: 0o644, Data: expand(f.Data)}
		}
	}
	if fsys[ProjectFile] == nil {
		fsys[ProjectFile] = &fstest.MapFile{Mode: 0o644, Data: []byte("apiVersion: policypin.dev/v1\nkind: Project\n")}
	}
	for _, version := range []string{"2026-02-24", "2026-03-16"} {
		data, err := os.ReadFile("testdata/" + version + ".cedarschema")
		if err != nil {
			t.Fatal(err)
		}
		fsys["schemas/"+version+".cedarschema"] = &fstest.MapFile{Mode: 0o644, Data: data}
	}
	return fsys
}

// Each project in testdata/bad gives exactly the diagnostics at its end, none of
// which shows a credential.
func TestBadProjects(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 60 {
		t.Fatalf("got %d bad projects, want at least 60", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fsys := project(t, a)
			_, problems, err := Load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, p := range problems {
				fmt.Fprintln(&got, p)
			}
			if len(problems) == 0 {
				t.Error("the project has no problem")
			}
			checkPositions(t, fsys, problems)
			for name, secret := range secrets {
				if strings.Contains(got.String(), secret) {
					t.Errorf("diagnostics show the credential %s", name)
				}
			}
			last := len(a.Files) - 1
			if a.Files[last].Name != golden {
				t.Fatalf("the last section is %q, not %q", a.Files[last].Name, golden)
			}
			if *update {
				a.Files[last].Data = []byte(got.String())
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := string(a.Files[last].Data); got.String() != want {
				t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
			}
			again, _, err := Load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			if again != nil && again.Project == nil {
				t.Error("a tree without a project")
			}
		})
	}
}

// checkPositions checks that every problem points into a file, or at one.
func checkPositions(t *testing.T, fsys fstest.MapFS, problems diag.List) {
	t.Helper()
	for _, p := range problems {
		if p.Rule == "" || p.Message == "" || p.File == "" {
			t.Errorf("incomplete problem %+v", p)
		}
		f := fsys[p.File]
		if f == nil || p.Line == 0 {
			continue
		}
		lines := strings.Split(strings.TrimPrefix(string(f.Data), "\ufeff"), "\n")
		if p.Line < 0 || p.Line > len(lines) {
			t.Errorf("%s: the file has %d lines", p, len(lines))
			continue
		}
		if n := utf8.RuneCountInString(lines[p.Line-1]); p.Column < 0 || p.Column > n+1 {
			t.Errorf("%s: the line has %d characters", p, n)
		}
	}
}
