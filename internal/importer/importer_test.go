package importer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/gittest"
	"github.com/policypin/policypin/internal/importer"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/zone"
	"github.com/policypin/policypin/manifest"
)

const (
	zoneID = "zone_prd"
	schema = "2026-06-18"
)

// A live zone, to be filled by a test.
type live struct {
	testing.TB
	*keycard.Client
	ids map[string]string // policy name to id
}

func newZone(t testing.TB) *live {
	t.Helper()
	z, err := zone.Open(zone.Options{NoAuth: true, FixedClock: true, SequentialIDs: true, Zones: []string{zoneID}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	c, err := keycard.New(keycard.Config{Transport: z.Transport(), RetryBase: time.Millisecond, LookupFor: 50 * time.Millisecond}, zoneID)
	if err != nil {
		t.Fatal(err)
	}
	l := &live{t, c, map[string]string{}}
	for p, err := range c.Policies(t.Context(), keycard.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		l.ids[p.Name] = p.ID
	}
	return l
}

// policy gives a policy a version, and returns its entry.
func (l *live) policy(name, text string) keycard.ManifestEntry {
	l.Helper()
	if l.ids[name] == "" {
		p, err := l.CreatePolicy(context.Background(), name, "About "+name+".")
		if err != nil {
			l.Fatal(err)
		}
		l.ids[name] = p.ID
	}
	v, err := l.CreatePolicyVersion(context.Background(), l.ids[name], schema, text)
	if err != nil {
		l.Fatal(err)
	}
	return keycard.ManifestEntry{PolicyID: v.PolicyID, VersionID: v.ID}
}

// platform is an entry of the set that a zone begins with.
func (l *live) platform(name string, number int) keycard.ManifestEntry {
	l.Helper()
	for v, err := range l.PolicyVersions(context.Background(), l.ids[name], keycard.ListOptions{}) {
		if err != nil {
			l.Fatal(err)
		}
		if v.Version == number {
			return keycard.ManifestEntry{PolicyID: v.PolicyID, VersionID: v.ID}
		}
	}
	l.Fatalf("no version %d of %s", number, name)
	panic("unreachable")
}

func (l *live) set(name string) *keycard.PolicySet {
	l.Helper()
	s, err := l.CreatePolicySet(context.Background(), name, "")
	if err != nil {
		l.Fatal(err)
	}
	return s
}

func (l *live) version(s *keycard.PolicySet, entries ...keycard.ManifestEntry) *keycard.PolicySetVersion {
	l.Helper()
	v, err := l.CreateSetVersion(context.Background(), s.ID, schema, entries)
	if err != nil {
		l.Fatal(err)
	}
	return v
}

func (l *live) activate(v *keycard.PolicySetVersion) {
	l.Helper()
	if _, err := l.Activate(context.Background(), v.PolicySetID, v.ID); err != nil {
		l.Fatal(err)
	}
}

func group(name string) string {
	return fmt.Sprintf("permit (principal is Keycard::User, action, resource)\nwhen { principal has groups && principal.groups.contains(%q) };\n", name)
}

// build imports into a folder and returns the files.
func (l *live) build(dir string, proj *manifest.Project, names ...string) (*importer.Import, error) {
	l.Helper()
	ctx := context.Background()
	snap, err := importer.Read(ctx, l.Reader, names)
	if err != nil {
		return nil, err
	}
	schemas := map[string]string{}
	for _, v := range snap.SchemaVersions() {
		s, err := l.Schema(ctx, v, "cedar")
		if err != nil {
			l.Fatal(err)
		}
		schemas[v] = s.CedarSchema
	}
	return importer.Build(snap, schemas, importer.Place{Target: "production", ZoneID: zoneID, Project: proj, Tree: os.DirFS(dir)})
}

func (l *live) mustBuild(names ...string) map[string]string {
	l.Helper()
	imp, err := l.build(l.TempDir(), nil, names...)
	if err != nil {
		l.Fatal(err)
	}
	return texts(imp)
}

func texts(imp *importer.Import) map[string]string {
	m := map[string]string{}
	for _, f := range imp.Files {
		m[f.Name] = string(f.Text)
	}
	return m
}

// publish commits files to a new repository and publishes them.
func (l *live) publish(files map[string]string) (*publish.Receipt, *publish.Plan) {
	l.Helper()
	dir := l.TempDir()
	remote, clone := filepath.Join(dir, "remote.git"), filepath.Join(dir, "clone")
	gittest.Git(l, dir, "init", "-q", "--bare", "-b", "main", remote)
	gittest.Git(l, dir, "init", "-q", "-b", "main", clone)
	gittest.Git(l, clone, "remote", "add", "origin", remote)
	for name, text := range files {
		path := filepath.Join(clone, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			l.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			l.Fatal(err)
		}
	}
	gittest.Git(l, clone, "add", "-A")
	gittest.Git(l, clone, "commit", "-q", "-m", "import")
	gittest.Git(l, clone, "push", "-q", "origin", "main")
	repo, err := gitstore.Open(clone, nil)
	if err != nil {
		l.Fatal(err)
	}
	defer repo.Close()
	origin, err := repo.Remote(gitstore.RemoteOptions{Name: "origin"})
	if err != nil {
		l.Fatal(err)
	}
	defer origin.Close()
	head, err := repo.Resolve("HEAD")
	if err != nil {
		l.Fatal(err)
	}
	src := publish.Source{Repo: repo, Origin: origin, Commit: head, Dir: ".", Target: "production"}
	plan, err := publish.Prepare(context.Background(), l.Reader, src, publish.Options{})
	if err != nil {
		l.Fatalf("plan: %v", err)
	}
	rc, err := publish.Publish(context.Background(), l.Client, src, publish.Options{})
	if err != nil {
		l.Fatalf("publish: %v", err)
	}
	return rc, plan
}

// createsNothing publishes an import, and checks that it only pins, and that
// the next import has the same bytes.
func (l *live) createsNothing(files map[string]string, pins map[string]int) {
	l.Helper()
	rc, plan := l.publish(files)
	for _, step := range plan.Steps {
		if step.Kind != publish.PinVersion {
			l.Errorf("plan has the step %s: %s", step.Kind, step.Text)
		}
	}
	if want := (publish.Created{Pins: len(pins)}); rc.Created != want {
		l.Errorf("created %+v, want %+v", rc.Created, want)
	}
	for _, s := range rc.Sets {
		if s.Version != pins[s.Name] || s.Status != publish.Published {
			l.Errorf("%s: got v%d %s, want v%d published", s.Name, s.Version, s.Status, pins[s.Name])
		}
	}
	if again := l.mustBuild(); !equal(again, files) {
		l.Errorf("the second import differs: %v", differing(again, files))
	}
}

func equal(a, b map[string]string) bool { return len(differing(a, b)) == 0 }

func differing(a, b map[string]string) (names []string) {
	for name := range a {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// 300 policies over several pages, whose newest versions are not the ones that
// the active version pins.
func TestPublishingAnImportCreatesNothing(t *testing.T) {
	l := newZone(t)
	var one, two []keycard.ManifestEntry
	for i := range 300 {
		name := fmt.Sprintf("group-%03d", i)
		one = append(one, l.policy(name, group(name)))
	}
	for i := range 150 {
		name := fmt.Sprintf("group-%03d", 2*i)
		two = append(two, l.policy(name, group(name+"-new")))
	}
	slices.Reverse(one) // the manifest's order is not that of the lists
	one = append(one, l.platform("default-user-grants", 3))
	agents := l.set("agents")
	l.activate(l.version(agents, one...))
	l.version(agents, two...)
	other := l.set("other")
	l.version(other, one[:3]...)
	l.version(other, append(two[:5:5], one[7], l.policy("several", group("a")+group("b")))...)

	files := l.mustBuild()
	if len(files) != 1+2+1+300 {
		t.Errorf("got %d files, want a project, two manifests, a schema and 300 sources", len(files))
	}
	agentsText := files["policy-sets/agents.yaml"]
	if !strings.HasPrefix(agentsText, "apiVersion: policypin.dev/v1\nkind: PolicySet\nname: agents\nschema_version: \"2026-06-18\"\nentries:\n"+
		"  - policy: group-299\n    source: policies/group-299.cedar\n    description: About group-299.\n  - policy: group-298\n") ||
		!strings.HasSuffix(agentsText, "  - policy: default-user-grants\n    version: 3\n") {
		t.Errorf("the manifest is\n%.400s…\n…%s", agentsText, agentsText[len(agentsText)-100:])
	}
	if want := "name: other\nschema_version: \"2026-06-18\"\nentries:\n  - policy: group-000\n    version: 2\n"; !strings.Contains(files["policy-sets/other.yaml"], want) {
		t.Errorf("the other set's manifest is\n%s\nwant %q in it", files["policy-sets/other.yaml"], want)
	}
	if want := "  - policy: several\n    version: 1\n"; !strings.HasSuffix(files["policy-sets/other.yaml"], want) {
		t.Errorf("the other set's manifest is\n%s\nwant %q in it", files["policy-sets/other.yaml"], want)
	}
	l.createsNothing(files, map[string]int{"agents": 1, "other": 2})
}

// Names that a file system, a manifest or a reader would stumble over.
func TestHostileNames(t *testing.T) {
	l := newZone(t)
	names := []string{
		"con", "CON", "lpt1.txt", "nul", "caf\u00e9", "cafe\u0301", "a/b", `a\b`, "a:b", "../../etc/passwd", ".git", ".hidden", "dot.", "-rf",
		"Finance", "finance", "FINANCE", "naïve", "日本", "本日", "true", "1e3", "~", "- x", "a: b # c", "{x}", "*a", "&b", "!c", "%d", "|",
		"with space", " leading", "trailing ", "zero\u200bwidth", "soft\u00adhyphen", "bidi \u202e name", strings.Repeat("n", 200), strings.Repeat("n", 199) + "m",
		strings.Repeat("x", 201), "yes", "ends.cedar", "`code`", "<b>", "a|b", "ghp_" + strings.Repeat("a1B2", 9),
	}
	var entries []keycard.ManifestEntry
	for i, name := range names {
		entries = append(entries, l.policy(name, group(fmt.Sprint(i))))
	}
	archived := l.policy("archived", group("archived"))
	entries = append(entries, archived)
	set := l.set("Agents / all")
	v := l.version(set, entries...)
	if _, err := l.ArchivePolicy(t.Context(), archived.PolicyID); err != nil {
		t.Fatal(err)
	}
	_ = v

	files := l.mustBuild()
	seen := map[string]string{}
	for name := range files {
		if !fs.ValidPath(name) || len(filepath.Base(name)) > 200 {
			t.Errorf("file name %q", name)
		}
		base := strings.ToLower(filepath.Base(name))
		if other, ok := seen[strings.ToLower(name)]; ok {
			t.Errorf("%s and %s are one file on some systems", name, other)
		}
		seen[strings.ToLower(name)] = name
		device, _, _ := strings.Cut(base, ".")
		if device == "con" || device == "nul" || device == "lpt1" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "-") {
			t.Errorf("file name %q", name)
		}
		if strings.Trim(base, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			t.Errorf("file name %q has odd characters", name)
		}
	}
	text := files["policy-sets/Agents-all.yaml"]
	for _, want := range []string{"targets: [production]\n", `  - policy: "a: b # c"` + "\n", "  - policy: FINANCE\n    source: policies/FINANCE.cedar\n", "    source: policies/etc-passwd.cedar\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the manifest is\n%s\nwant %q in it", text, want)
		}
	}
	for _, never := range []string{"ghp_", "\u202e", "policy: archived", "policy: \" leading", "policy: finance"} {
		if strings.Contains(text, never) {
			t.Errorf("the manifest has %q", never)
		}
	}
	l.createsNothing(files, map[string]int{"Agents / all": 1})
}

// A source is the zone's text; what can't be a source is pinned by its number.
func TestSourcesAreTheZonesText(t *testing.T) {
	l := newZone(t)
	entries := []keycard.ManifestEntry{
		l.policy("plain", group("plain")),
		l.policy("two", group("a")+group("b")),
		l.policy("unknown-action", `permit (principal, action == Keycard::Action::"Nothing", resource);`),
		l.policy("secret", `permit (principal is Keycard::User, action, resource) when { principal has email && principal.email == "ghp_`+strings.Repeat("a1B2", 9)+`" };`),
	}
	set := l.set("agents")
	l.version(set, entries...)
	imp, err := l.build(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := l.PolicyVersion(t.Context(), entries[0].PolicyID, entries[0].VersionID, "cedar")
	if err != nil {
		t.Fatal(err)
	}
	files := texts(imp)
	if files["policies/plain.cedar"] != stored.CedarRaw || stored.CedarRaw == group("plain") {
		t.Errorf("the source is\n%s\nthe zone has\n%s", files["policies/plain.cedar"], stored.CedarRaw)
	}
	if got := imp.Sets[0]; got.Sources != 1 || got.ByNumber != 3 {
		t.Errorf("got %+v, want one source and three by number", got)
	}
	notes := strings.Join(imp.Notes, "\n")
	for _, want := range []string{"policy two, version 1: it is pinned by its number: source holds 2 statements", "policy unknown-action, version 1: ", "policy secret, version 1: it is pinned by its number: this looks like a credential"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes are\n%s\nwant %q", notes, want)
		}
	}
	if imp.Files[len(imp.Files)-1].Name != manifest.ProjectFile {
		t.Errorf("the last file is %s, want the project file", imp.Files[len(imp.Files)-1].Name)
	}
	l.createsNothing(files, map[string]int{"agents": 1})
}

func TestSetsThatCantBeImported(t *testing.T) {
	ctx := context.Background()
	l := newZone(t)
	a, b := l.policy("a", group("a")), l.policy("b", group("b"))
	good := l.set("good")
	l.version(good, a)
	l.set("empty")
	l.version(l.set("Good"), a)
	retired := l.set("retired")
	v := l.version(retired, a)
	if _, err := l.ArchiveSetVersion(ctx, retired.ID, v.ID); err != nil {
		t.Fatal(err)
	}
	l.version(l.set("pins archived"), b)
	if _, err := l.ArchivePolicyVersion(ctx, b.PolicyID, b.VersionID); err != nil {
		t.Fatal(err)
	}
	l.version(l.set("bad\u200bname"), a)

	snap, err := importer.Read(ctx, l.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range snap.Skipped {
		got = append(got, s.Set+": "+s.Reason)
	}
	want := []string{
		"bad\u200bname: its name has a character that doesn't print",
		"default-zone-policies: it is managed by Keycard, and can't get versions",
		"empty: it has no version",
		"good: its name differs from Good only in case or in how its letters are encoded",
		"pins archived: v1 pins version 1 of policy " + b.PolicyID + ", which is archived",
		"retired: its newest version, v1, is archived",
	}
	if !slices.Equal(got, want) {
		t.Errorf("skipped\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(snap.Sets) != 1 || snap.Sets[0].Name != "Good" {
		t.Errorf("got %d sets", len(snap.Sets))
	}
	var cant *importer.CantImportError
	if _, err := importer.Read(ctx, l.Reader, []string{"empty"}); !errors.As(err, &cant) || cant.Set != "empty" {
		t.Errorf("by name: got %v", err)
	}
	if _, err := importer.Read(ctx, l.Reader, []string{"good", "nobody"}); !errors.Is(err, importer.ErrNoSet) {
		t.Errorf("unknown name: got %v", err)
	}
	if snap, err := importer.Read(ctx, l.Reader, []string{"good"}); err != nil || len(snap.Sets) != 1 {
		t.Errorf("by name: got %v", err)
	}
}

// A project that is there keeps its own layout, and its own files come first.
func TestImportIntoAProject(t *testing.T) {
	l := newZone(t)
	l.version(l.set("agents"), l.policy("a", group("a")))
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	project := func(text string) *manifest.Project {
		write(manifest.ProjectFile, "apiVersion: policypin.dev/v1\nkind: Project\n"+text)
		p, problems, err := manifest.LoadProject(os.DirFS(dir))
		if err != nil || problems.Err() != nil {
			t.Fatal(err, problems)
		}
		return p
	}
	targets := "targets:\n  production: {zone_id: zone_prd}\n  staging: {zone_id: zone_stg}\n"
	imp, err := l.build(dir, project("manifests: ['sets/[a-m]/*.yaml', sets/*.yml]\nschemas: s/{version}.txt\n"+targets))
	if err != nil {
		t.Fatal(err)
	}
	files := texts(imp)
	if got := files["sets/agents.yml"]; !strings.Contains(got, "targets: [production]\n") || files["s/2026-06-18.txt"] == "" || files[manifest.ProjectFile] != "" {
		t.Errorf("got %v", imp.Files)
	}
	var problems diag.List
	if _, err := l.build(dir, project("manifests: [sets/one.yaml]\n"+targets)); err == nil || errors.As(err, &problems) {
		t.Errorf("no place for a manifest: got %v", err)
	}
	proj := project(targets)
	write("policy-sets/mine.yaml", strings.Replace(files["sets/agents.yml"], "targets: [production]\n", "", 1))
	if _, err := l.build(dir, proj); !errors.As(err, &problems) || !bytes.Contains([]byte(err.Error()), []byte("duplicate-set")) {
		t.Errorf("a set that is declared already: got %v", err)
	}
}
