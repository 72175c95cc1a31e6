package manifest

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// Large inputs, each made to hit one loop. None may take
// time that grows faster than the file.
func TestHostileManifestsAreRefusedInTime(t *testing.T) {
	const header = "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: a\nschema_version: x\n"
	fill := func(unit string) string { return strings.Repeat(unit, maxManifestBytes/8/len(unit)) }
	var keys, missing, tokens strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&keys, "key%d: x\n", i)
		fmt.Fprintf(&tokens, "# AKIA%016d\n", i)
	}
	for i := range 20_000 {
		fmt.Fprintf(&missing, "  - policy: p%d\n    source: policies/p%d.cedar\n    was: w%d\n", i, i, i)
	}
	for name, text := range map[string]string{
		"unknown keys":        header + keys.String(),
		"credentials":         header + tokens.String(),
		"control characters":  header + fill("\x01"),
		"bidi controls":       header + "#" + fill("\u202e"),
		"long names":          header + "was: " + fill("a"),
		"one source for all":  header + "entries:\n" + fill("  - policy: x\n    source: policies/p.cedar\n"),
		"missing sources":     header + "entries:\n" + missing.String(),
		"empty entries":       header + "entries:\n" + fill("  -\n"),
		"anchors and aliases": header + "was: &a x\nentries:\n" + fill("  - *a\n"),
		"flow":                header + "entries: [" + fill("{},"),
		"comments":            header + fill("#\n\n"),
		"documents":           fill("---\n"),
		"directives":          fill("%TAG !a! b\n"),
		"brackets":            header + "was: \"" + fill("[]") + "\"",
		"quotes":              header + "was: \"" + fill("\\n") + "\"",
	} {
		t.Run(name, func(t *testing.T) {
			if len(text) > maxManifestBytes {
				t.Fatalf("%d bytes are over the limit and test nothing", len(text))
			}
			fsys := project(t, nil)
			fsys["policy-sets/a.yaml"] = &fstest.MapFile{Data: []byte(text)}
			start := time.Now()
			_, problems, err := Load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			if problems.Errors() == 0 {
				t.Error("no error")
			}
			// Generous for a busy machine under the race detector: quadratic loops
			// over these inputs take minutes.
			if d := time.Since(start); d > 30*time.Second {
				t.Errorf("it took %v", d)
			} else {
				t.Log(d)
			}
		})
	}
}

func TestFilesOverTheirLimits(t *testing.T) {
	big := func(n int) *fstest.MapFile { return &fstest.MapFile{Data: []byte(strings.Repeat("#", n+1))} }
	for file, limit := range map[string]int{
		"policypin.yaml": maxProjectBytes, "policy-sets/agents.yaml": maxManifestBytes,
		"schemas/2026-03-16.cedarschema": maxSchemaBytes, "policies/read.cedar": 1 << 20,
	} {
		fsys := goodFiles.fs(t)
		fsys[file] = big(limit)
		for _, fsys := range []fs.FS{fsys, struct{ fs.FS }{fsys}} {
			_, problems, err := Load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, p := range problems {
				found = found || p.Rule == "file-too-large" && p.File == file
			}
			if !found {
				t.Errorf("%s: got %v", file, problems)
			}
		}
	}
}
