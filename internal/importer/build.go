package importer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/layerfs"
	"github.com/policypin/policypin/manifest"
)

// A Place is where an import goes.
type Place struct {
	Target  string
	ZoneID  string
	Project *manifest.Project // the project file that is there, or nil
	Tree    fs.FS             // the folder as it is
}

// A File is one file to write.
type File struct {
	Name string // slash path, relative to the project
	Text []byte
}

// An Import is a project that says what the zone has.
type Import struct {
	Files []File // sorted, the project file last
	Sets  []Summary
	Notes []string // why policies have no source
}

// A Summary says what became of one set.
type Summary struct {
	Name      string `json:"policy_set"`
	File      string `json:"file"`
	Version   int    `json:"version"`
	VersionID string `json:"policy_set_version_id"`
	Active    bool   `json:"active"`
	Entries   int    `json:"entries"`
	Sources   int    `json:"sources"`   // entries by source
	ByNumber  int    `json:"by_number"` // entries by name and number
	ByID      int    `json:"by_id"`     // entries by ids
}

// Build lays a snapshot out as files. schemas are the texts of its
// SchemaVersions. It is pure but for reading the place's files.
//
// The error is a [diag.List] if the files and those that are there would not be
// a valid project.
func Build(s *Snapshot, schemas map[string]string, at Place) (*Import, error) {
	b := &builder{
		snapshot: s, schemas: schemas, place: at, project: at.Project,
		named: map[string]bool{}, chosen: map[string]string{}, noSource: map[string]string{},
	}
	if b.project == nil {
		b.project = manifest.NewProject(manifest.Target{Name: at.Target, ZoneID: at.ZoneID, Active: s.Active()})
	}
	b.choose()
	before, err := b.problems(nil)
	if err != nil {
		return nil, err
	}
	for {
		files, sets, err := b.files()
		if err != nil {
			return nil, err
		}
		problems, err := b.problems(files)
		if err != nil {
			return nil, err
		}
		again, left := b.judge(problems, before)
		if again {
			continue // every round takes a source away, so there is an end
		}
		if err := left.Err(); err != nil {
			return nil, err
		}
		return &Import{Files: files, Sets: sets, Notes: b.notes()}, nil
	}
}

type builder struct {
	snapshot *Snapshot
	schemas  map[string]string
	place    Place
	project  *manifest.Project

	named    map[string]bool   // policy ids that can be in a manifest by name
	chosen   map[string]string // policy id to the version that is its source
	sources  map[string]string // policy id to the path of its source
	noSource map[string]string // policy version id to why it can't be a source
}

// choose decides which policies are written by their name, and which version of
// each is its source. One policy has one source in a project, so where two sets
// pin different versions, the active one goes first.
func (b *builder) choose() {
	var names []string
	byFold := map[string]*keycard.Policy{}
	for _, id := range b.policyIDs() {
		p := b.snapshot.Policies[id]
		// A name says which policy is meant only while it isn't archived.
		if p.ArchivedAt != nil || manifest.CheckName(p.Name) != nil || byFold[manifest.Fold(p.Name)] != nil {
			continue
		}
		byFold[manifest.Fold(p.Name)] = p
		b.named[id] = true
		names = append(names, p.Name)
	}
	files := stems(names, "policy")
	b.sources = make(map[string]string, len(names))
	for id := range b.named {
		b.sources[id] = "policies/" + files[b.snapshot.Policies[id].Name] + ".cedar"
	}
	b.chooseSources()
}

// policyIDs lists the pinned policies by name, then id.
func (b *builder) policyIDs() []string {
	ids := make([]string, 0, len(b.snapshot.Policies))
	for id := range b.snapshot.Policies {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y string) int {
		return cmp.Or(cmp.Compare(b.snapshot.Policies[x].Name, b.snapshot.Policies[y].Name), cmp.Compare(x, y))
	})
	return ids
}

func (b *builder) chooseSources() {
	clear(b.chosen)
	sets := slices.Clone(b.snapshot.Sets)
	slices.SortStableFunc(sets, func(x, y Set) int {
		return cmp.Compare(y.ActiveVersionID, x.ActiveVersionID) // "" is not active
	})
	for _, set := range sets {
		for _, e := range set.Version.Entries {
			if b.chosen[e.PolicyID] == "" && b.isSource(set.Contents[e.VersionID]) {
				b.chosen[e.PolicyID] = e.VersionID
			}
		}
	}
}

// isSource tells whether a version can be published from a source: somebody
// else's policy can't get versions, and a policy without a name has no entry.
func (b *builder) isSource(v *keycard.PolicyVersion) bool {
	p := b.snapshot.Policies[v.PolicyID]
	return b.named[v.PolicyID] && p.OwnerType != keycard.OwnerPlatform && v.OwnerType != keycard.OwnerPlatform &&
		v.CedarRaw != "" && b.noSource[v.ID] == ""
}

// files writes everything that the import needs.
func (b *builder) files() (files []File, sets []Summary, err error) {
	text := map[string][]byte{}
	if b.place.Project == nil {
		text[manifest.ProjectFile] = manifest.WriteProject(b.project)
	}
	for version, schema := range b.schemas {
		text[strings.ReplaceAll(b.project.Schemas, "{version}", version)] = []byte(schema)
	}
	var names []string
	for _, set := range b.snapshot.Sets {
		names = append(names, set.Name)
	}
	stem := stems(names, "policy-set")
	for _, set := range b.snapshot.Sets {
		decl, sum := b.set(set)
		if sum.File, err = b.manifestFile(stem[set.Name]); err != nil {
			return nil, nil, err
		}
		sets = append(sets, sum)
		text[sum.File] = manifest.WriteSet(decl)
		for i, e := range decl.Entries {
			if e.Source != "" {
				text[e.Source] = []byte(set.Contents[set.Version.Entries[i].VersionID].CedarRaw)
			}
		}
	}
	for name, t := range text {
		files = append(files, File{name, t})
	}
	slices.SortFunc(files, func(x, y File) int {
		return cmp.Or(last(x.Name == manifest.ProjectFile)-last(y.Name == manifest.ProjectFile), cmp.Compare(x.Name, y.Name))
	})
	return files, sets, nil
}

// last is a key that sorts what it is true for to the end.
func last(is bool) int {
	if is {
		return 1
	}
	return 0
}

// set is the manifest of one set, in the order of the server's entries.
func (b *builder) set(set Set) (*manifest.Set, Summary) {
	v := set.Version
	decl := &manifest.Set{Name: set.Name, SchemaVersion: v.SchemaVersion, TargetType: set.TargetType}
	sum := Summary{Name: set.Name, Version: v.Version, VersionID: v.ID, Active: set.ActiveVersionID != "", Entries: len(v.Entries)}
	for _, pinned := range v.Entries {
		content, policy := set.Contents[pinned.VersionID], b.snapshot.Policies[pinned.PolicyID]
		var e manifest.Entry
		switch {
		case !b.named[pinned.PolicyID]:
			e.PolicyID, e.VersionID, e.SHA = pinned.PolicyID, pinned.VersionID, keycard.NormalSHA(content.SHA)
			sum.ByID++
		case b.chosen[pinned.PolicyID] == pinned.VersionID:
			e.Policy, e.Source = policy.Name, b.sources[pinned.PolicyID]
			if manifest.CheckDescription(policy.Description) == nil {
				e.Description = policy.Description
			}
			sum.Sources++
		default:
			e.Policy, e.Version = policy.Name, content.Version
			sum.ByNumber++
		}
		decl.Entries = append(decl.Entries, e)
	}
	// Ids belong to one zone. And a project with other targets should not get
	// their sets by surprise.
	if sum.ByID > 0 || len(b.others()) > 0 {
		decl.Targets = []string{b.place.Target}
	}
	return decl, sum
}

// others lists the targets of the project that nothing is imported for.
func (b *builder) others() []string {
	var names []string
	for _, t := range b.project.Targets {
		if t.Name != b.place.Target {
			names = append(names, t.Name)
		}
	}
	return names
}

// manifestFile is a path that the project takes for a manifest.
func (b *builder) manifestFile(stem string) (string, error) {
	const usual = "policy-sets/*.yaml"
	patterns := slices.Clone(b.project.Manifests)
	slices.SortStableFunc(patterns, func(x, y string) int { return last(x != usual) - last(y != usual) })
	for _, pattern := range patterns {
		file := strings.Replace(pattern, "*", stem, 1)
		if strings.ContainsAny(path.Dir(pattern), "*?[") || strings.Count(pattern, "*") != 1 {
			continue
		}
		if ok, err := path.Match(pattern, file); ok && err == nil {
			return file, nil
		}
	}
	return "", errNoPattern
}

var errNoPattern = errors.New("no pattern of the project's manifests: has a place for a new file, such as policy-sets/*.yaml")

// problems are those of the place with these files in it.
func (b *builder) problems(files []File) (diag.List, error) {
	text := make(map[string][]byte, len(files))
	for _, f := range files {
		text[f.Name] = f.Text
	}
	tree, err := layerfs.New(b.place.Tree, text)
	if err != nil {
		return nil, err
	}
	_, problems, err := manifest.Load(tree)
	if errors.Is(err, fs.ErrNotExist) && files == nil {
		return nil, nil // no project yet
	}
	return problems, err
}

// judge finds the sources that can't be one, such as several statements in one
// text, or a text that validate would refuse: those entries pin by number. left
// are the errors that remain and were not there before.
func (b *builder) judge(problems, before diag.List) (again bool, left diag.List) {
	version := map[string]string{}
	for policy, id := range b.chosen {
		version[b.sources[policy]] = id
	}
	old := map[string]int{}
	for _, p := range before {
		old[p.File+"\x00"+p.Rule+"\x00"+p.Message]++
	}
	for _, p := range problems {
		if p.Severity != diag.Error {
			continue
		}
		if id := version[p.File]; id != "" {
			if b.noSource[id] == "" {
				b.noSource[id] = p.Message
				again = true
			}
			continue
		}
		key := p.File + "\x00" + p.Rule + "\x00" + p.Message
		if old[key] > 0 {
			old[key]--
			continue
		}
		left = append(left, p)
	}
	if again {
		b.chooseSources()
	}
	return again, left
}

// notes say which of the customer's own policies are not a source, and why, and
// what an existing project file should say.
func (b *builder) notes() []string {
	notes := []string{}
	if t, _ := b.project.Target(b.place.Target); b.snapshot.Active() != "" && t.Active != b.snapshot.Active() {
		notes = append(notes, fmt.Sprintf("policy set %s decides requests in zone %s; %s can say so: targets.%s.active",
			b.snapshot.Active(), b.place.ZoneID, manifest.ProjectFile, t.Name))
	}
	seen := map[string]bool{}
	for _, set := range b.snapshot.Sets {
		for _, e := range set.Version.Entries {
			v, p := set.Contents[e.VersionID], b.snapshot.Policies[e.PolicyID]
			if seen[v.ID] || b.chosen[e.PolicyID] == v.ID {
				continue
			}
			seen[v.ID] = true
			why := ""
			switch {
			case !b.named[e.PolicyID] && p.ArchivedAt != nil:
				why = "it is pinned by its ids, since the policy is archived"
			case !b.named[e.PolicyID]:
				why = "it is pinned by its ids, since a manifest can't have its name"
			case p.OwnerType == keycard.OwnerPlatform || v.OwnerType == keycard.OwnerPlatform:
				continue // the usual case
			case b.noSource[v.ID] != "":
				why = "it is pinned by its number: " + b.noSource[v.ID]
			case v.CedarRaw == "":
				why = "it is pinned by its number, since the zone sent no text"
			default:
				why = "it is pinned by its number, since another policy set has another version of it"
			}
			notes = append(notes, fmt.Sprintf("policy set %s: policy %s, version %d: %s", set.Name, p.Name, v.Version, why))
		}
	}
	return notes
}
