package manifest

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/policypin/policypin/diag"
)

// changedFiles lists the files in which two projects differ.
func changedFiles(a, b files) []string {
	var list []string
	for file := range maps.Keys(a.with(b)) {
		if a[file] != b[file] {
			list = append(list, file)
		}
	}
	return list
}

// withoutDigests is a diff as CompareChanged makes it, without the set digests.
func withoutDigests(d Diff) Diff {
	for i := range d.Sets {
		d.Sets[i].From, d.Sets[i].To = Digest{}, Digest{}
	}
	return d
}

// agrees compares two projects in both ways.
func agrees(t *testing.T, a, b files) Diff {
	t.Helper()
	load := func(f files) *Tree {
		tree, _, err := Load(f.fs(t))
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	want := withoutDigests(Compare(load(a), load(b)))
	got, _, _, err := CompareChanged(a.fs(t), b.fs(t), changedFiles(a, b))
	if err != nil {
		t.Fatal(err)
	}
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("changed %q:\n got %s\nwant %s", changedFiles(a, b), g, w)
	}
	return got
}

func TestCompareChanged(t *testing.T) {
	const set, exact, read = "policy-sets/agents.yaml", "policy-sets/exact.yaml", "policies/read.cedar"
	moved := goodFiles[set]
	for _, tt := range []struct {
		name string
		b    files
		want string // kinds of sets and entries
	}{
		{"nothing", goodFiles, ""},
		{"another file", goodFiles.with(files{"README.md": "x"}), ""},
		{"a source", goodFiles.edit(t, read, "Access", "Read"), "agents changed: read changed"},
		{"a source that says the same", goodFiles.edit(t, read, "permit (", "// why\npermit("), "agents layout: read layout"},
		{"a source that says the same with parentheses and a quoted name",
			goodFiles.edit(t, "policies/deny-dcr.cedar", "principal.registration_method", `(principal["registration_method"])`), "agents layout: deny-dcr layout"},
		{"a source with a type error", goodFiles.edit(t, read, `"Access"`, `"Acces"`), "agents changed: read changed"},
		{"a source that doesn't parse any more", goodFiles.with(files{read: "permit ("}), "agents changed: read changed"},
		{"a source that is gone", goodFiles.with(files{read: ""}), "agents changed: read changed"},
		{"a source that nothing names", goodFiles.with(files{"policies/x.cedar": goodFiles[read]}), ""},
		{"a source that is too large", goodFiles.with(files{read: strings.Repeat("// long\n", 1<<18)}), "agents changed: read changed"},
		{"a manifest's comment", goodFiles.edit(t, set, "name: agents", "name: agents # us"), "agents layout:"},
		{"a description", goodFiles.edit(t, set, "Everybody", "Everyone"), "agents changed: read changed"},
		{"an entry by number", goodFiles.edit(t, set, "version: 3", "version: 4"), "agents changed: default-user-grants changed"},
		{"an entry that is new", goodFiles.edit(t, set, "  - policy: deny-dcr", "  - policy: x\n    source: policies/read.cedar\n  - policy: deny-dcr"),
			"agents changed: x added"},
		{"an entry with another source of the same content", goodFiles.edit(t, set, read, "policies/r.cedar").
			with(files{"policies/r.cedar": goodFiles[read], read: ""}), "agents changed: read changed"},
		{"an entry that is renamed", goodFiles.edit(t, set, "policy: read", "policy: look\n    was: read"), "agents changed: look renamed"},
		{"a set that is renamed", goodFiles.edit(t, set, "name: agents", "name: robots\nwas: agents"), "robots renamed:"},
		{"a set in another file", goodFiles.with(files{set: "", "policy-sets/z.yaml": moved}), "agents layout:"},
		{"a set that is gone", goodFiles.with(files{exact: ""}), "exact removed: pol_7 removed"},
		{"a set that is there twice", goodFiles.with(files{"policy-sets/b.yaml": strings.ReplaceAll(moved, "read", "other")}),
			"agents changed: other added, read removed"},
		{"a set that is there twice, the new one first", goodFiles.with(files{"policy-sets/a.yaml": strings.ReplaceAll(moved, "read", "other")}),
			"agents changed: other added, read removed"},
		{"a manifest that doesn't parse any more", goodFiles.with(files{exact: "{"}), "exact unread:"},
		{"a schema", goodFiles.with(files{"schemas/2026-03-16.cedarschema": "entity A;"}), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := agrees(t, goodFiles, tt.b)
			agrees(t, tt.b, goodFiles)
			var got []string
			for _, s := range d.Sets {
				var entries []string
				for _, e := range s.Entries {
					entries = append(entries, " "+e.Policy+" "+e.Kind)
				}
				got = append(got, s.Name+" "+s.Kind+":"+strings.Join(entries, ","))
			}
			if got := strings.Join(got, "; "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever happens to a project, reading what changed gives the same answer as
// reading everything.
func TestCompareChangedAgreesWithCompare(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(f files, ext string) string {
		var list []string
		for file := range f {
			if strings.HasSuffix(file, ext) && file != ProjectFile {
				list = append(list, file)
			}
		}
		if len(list) == 0 {
			return "policy-sets/none" + ext
		}
		slices.Sort(list)
		return list[random.IntN(len(list))]
	}
	a := bigProject(4, 4)
	for round := range 150 {
		b := maps.Clone(a)
		for range 1 + random.IntN(4) {
			source, set := pick(b, ".cedar"), pick(b, ".yaml")
			switch random.IntN(9) {
			case 0:
				b[source] = strings.Replace(b[source], "team-", "Team-", 1)
			case 1:
				b[source] = strings.ReplaceAll(b[source], "\n", "\n\n")
			case 2:
				b[source] = strings.Replace(b[source], "&&", "||", 1)
			case 3:
				b[source] = strings.TrimSuffix(b[source], ";\n")
			case 4:
				delete(b, source)
			case 5:
				b[set] = "# seen\n" + b[set]
			case 6:
				b[set] = strings.Replace(b[set], "name: s", "name: t", 1)
			case 7:
				b[set] = strings.Replace(b[set], "name: s", "was: s0\nname: u", 1)
			case 8:
				delete(b, set)
			}
		}
		agrees(t, a, b)
		if t.Failed() {
			t.Fatalf("seed %d, round %d", seed, round)
		}
		if round%10 != 9 {
			a = b
		} else {
			a = bigProject(4, 4)
		}
	}
}

// One changed source costs the project file, the manifests, and itself.
func TestCompareChangedOpensLittle(t *testing.T) {
	f := bigProject(10, 10)
	g := f.edit(t, "policies/s3/p7.cedar", "team-3", "team-4")
	var opened []string
	one := make(chan struct{}, 1)
	if _, _, _, err := CompareChanged(serialFS{loggingFS{f.fs(t), &opened}, one}, serialFS{loggingFS{g.fs(t), &opened}, one}, changedFiles(f, g)); err != nil {
		t.Fatal(err)
	}
	want := []string{"policies/s3/p7.cedar", "policies/s3/p7.cedar", "policypin.yaml", "policypin.yaml"}
	for i := range 10 {
		want = append(want, fmt.Sprintf("policy-sets/s%d.yaml", i))
	}
	slices.Sort(want)
	opened = slices.DeleteFunc(opened, func(name string) bool { return name == "." || name == "policy-sets" })
	slices.Sort(opened)
	if !slices.Equal(opened, want) {
		t.Errorf("got %q, want %q", opened, want)
	}
}

// A serialFS makes a file system safe for concurrent use.
type serialFS struct {
	loggingFS
	one chan struct{}
}

func (f serialFS) Open(name string) (fs.File, error) {
	f.one <- struct{}{}
	defer func() { <-f.one }()
	return f.loggingFS.Open(name)
}

func (f serialFS) ReadFile(name string) ([]byte, error) {
	f.one <- struct{}{}
	defer func() { <-f.one }()
	return f.loggingFS.ReadFile(name)
}

func TestCompareChangedWithoutAUsableProject(t *testing.T) {
	bad := goodFiles.with(files{ProjectFile: "["})
	_, _, _, err := CompareChanged(bad.fs(t), bad.fs(t), nil)
	if problems, ok := err.(diag.List); !ok || problems.Errors() == 0 {
		t.Errorf("got %v, want the problems of the project file", err)
	}
	if _, _, _, err := CompareChanged(fstest.MapFS{}, fstest.MapFS{}, nil); err == nil {
		t.Error("no project file: got no error")
	}
}

func BenchmarkCompareChanged(b *testing.B) {
	f := bigProject(500, 20)
	g := files{}
	for file, text := range f {
		g[file] = strings.Replace(text, `"resource-`, `"Resource-`, 1)
	}
	x, y, changed := f.fs(b), g.fs(b), changedFiles(f, g)
	for b.Loop() {
		if d, _, _, err := CompareChanged(x, y, changed); err != nil || len(d.Sets) != 500 {
			b.Fatal(err, len(d.Sets))
		}
	}
}

// A list of what may have changed can name more than did.
func TestCompareChangedTakesTooMuch(t *testing.T) {
	all := slices.Collect(maps.Keys(goodFiles))
	all = slices.DeleteFunc(all, func(file string) bool { return file == ProjectFile })
	for _, b := range []files{
		goodFiles,
		goodFiles.edit(t, "policies/read.cedar", "Access", "Read"),
		goodFiles.with(files{"policy-sets/exact.yaml": "", "policies/new.cedar": "permit ("}),
	} {
		want, _, _, err := CompareChanged(goodFiles.fs(t), b.fs(t), changedFiles(goodFiles, b))
		if err != nil {
			t.Fatal(err)
		}
		got, _, _, err := CompareChanged(goodFiles.fs(t), b.fs(t), append(all, "policies/new.cedar", "nothing.cedar"))
		if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); err != nil || g != w {
			t.Errorf("got %s, %v, want %s", g, err, w)
		}
	}
}
