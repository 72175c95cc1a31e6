package manifest

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/policypin/policypin/diag"
)

// seeds adds the files of the bad projects whose names have the prefix.
func seeds(f *testing.F, prefix string) {
	archives, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archives {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range a.Files {
			if strings.HasPrefix(part.Name, prefix) {
				f.Add(expand(part.Data))
			}
		}
	}
	for name, text := range goodFiles {
		if strings.HasPrefix(name, prefix) {
			f.Add([]byte(text))
		}
	}
}

// checkParsed checks what holds for any input: positions inside the file, no
// credential in a message, no more problems than allowed.
func checkParsed(t *testing.T, file string, data []byte, problems diag.List, secrets []string) {
	t.Helper()
	checkPositions(t, fstest.MapFS{file: &fstest.MapFile{Data: data}}, problems)
	if len(problems) > maxProblems+1 {
		t.Errorf("%d problems", len(problems))
	}
	redact(problems, secrets)
	for _, p := range problems {
		if p.File != file {
			t.Errorf("a problem in %q", p.File)
		}
		if strings.ContainsAny(p.Message+p.Fix, "\n\r\x1b\u202e") {
			t.Errorf("a message with control characters: %q", p.Message)
		}
		for _, secret := range secrets {
			if strings.Contains(p.Message+p.Fix, secret) {
				t.Errorf("a message shows a credential: %q", p.Message)
			}
		}
	}
}

func FuzzProject(f *testing.F) {
	seeds(f, ProjectFile)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, problems, secrets := parseProject(data)
		checkParsed(t, ProjectFile, data, problems, secrets)
		if p == nil {
			if problems.Errors() == 0 {
				t.Error("no project and no error")
			}
			return
		}
		var more diag.List
		checkTree(&Tree{Project: p}, false, &more)
		checkPositions(t, fstest.MapFS{ProjectFile: &fstest.MapFile{Data: data}}, more)
		for _, target := range p.Targets {
			if problems.Errors() == 0 && (badID(target.ZoneID) != "" || badWord(target.Pins) != "") {
				t.Errorf("accepted target %+v", target)
			}
		}
		again, _, _ := parseProject(data)
		if d := compareProjects(p, again); len(d) > 0 {
			t.Errorf("reading twice differs: %v", d)
		}
	})
}

func FuzzManifest(f *testing.F) {
	seeds(f, "policy-sets/")
	f.Fuzz(func(t *testing.T, data []byte) {
		const file = "policy-sets/x.yaml"
		s, problems, secrets := parseSet(file, data)
		checkParsed(t, file, data, problems, secrets)
		if s == nil {
			if problems.Errors() == 0 {
				t.Error("no set and no error")
			}
			return
		}
		if len(s.places.entry) != len(s.Entries) || len(s.places.targets) != len(s.Targets) {
			t.Fatal("places and values are not in step")
		}
		tree := &Tree{Project: defaultProject(), Sets: []*Set{s}}
		var more diag.List
		checkTree(tree, false, &more)
		checkPositions(t, fstest.MapFS{file: &fstest.MapFile{Data: data}}, more)
		if d := Compare(tree, &Tree{Project: defaultProject(), Sets: []*Set{s}}); !d.Empty() {
			t.Errorf("compared with itself, it differs: %s", show(d))
		}
		if problems.Errors() > 0 {
			return
		}
		if s.Name == "" || s.SchemaVersion == "" || len(s.Entries) == 0 {
			t.Errorf("accepted an incomplete set %+v", s)
		}
		for _, e := range s.Entries {
			if e.Source != "" && badSource(e.Source) != "" {
				t.Errorf("accepted source %q", e.Source)
			}
			// The byte search of LoadChanged must not miss a name.
			c := changes{sources: map[string]bool{e.Source: true}}
			if keep := c.searcher(); e.Source != "" && keep != nil && !keep(data) {
				t.Errorf("the byte search misses %q in\n%s", e.Source, data)
			}
		}
		// Line ends are not meaning.
		if bytes.ContainsAny(data, "\r|>") {
			return
		}
		crlf, _, _ := parseSet(file, bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")))
		if crlf == nil {
			t.Fatal("with CRLF it can't be read")
		}
		crlf.raw = s.raw
		if d := Compare(tree, &Tree{Project: defaultProject(), Sets: []*Set{crlf}}); !d.Empty() {
			t.Errorf("with CRLF it differs: %s", show(d))
		}
	})
}
