package publish

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
)

// judgeAll turns what was read into findings. It is pure.
func (d *driftRun) judgeAll() *Drift {
	out := &Drift{
		Schema: 1, Target: d.target.Name, ZoneID: d.target.ZoneID, Origin: d.src.Origin.Name(),
		Branch: d.branch, Tip: d.tip, Sets: len(d.sets), Findings: []Finding{},
	}
	j := &driftJudge{driftRun: d}
	if a := d.active; a != nil {
		out.Active = &ActiveBinding{Set: a.Name, SetID: a.ID, VersionID: a.ActiveVersionID, Version: a.ActiveVersion}
		if _, p := d.pinned(a.ActiveVersionID); p != nil {
			out.Active.Tag = p.ref.Name
		}
	}
	if err := d.problems.Err(); err != nil {
		j.add(Finding{
			Kind: DriftUnpublished, Detail: detailInvalid,
			Message:  fmt.Sprintf("%s at %s has problems, so it can't be published: %s", d.branch, d.tip.Short(), firstLine(err)),
			Commands: []string{command("validate", "--rev", d.tip.String())},
		})
	}
	for _, s := range d.sets {
		for _, p := range s.pins {
			j.pin(s, p)
		}
	}
	j.activation()
	for _, name := range d.odd {
		tag := strings.TrimPrefix(name, "refs/tags/")
		j.add(Finding{
			Kind: DriftPinDamaged, Detail: PinMalformed, Tag: tag,
			Message:  fmt.Sprintf("tag %s is among the pins of target %s, but doesn't have the name of one", tag, d.target.Name),
			Commands: []string{d.deleteTag(tag)},
		})
	}
	for _, s := range d.sets {
		out.Pins += len(s.pins)
		for _, p := range s.pins {
			if p.checked {
				out.Checked++
			}
		}
		j.set(s)
	}
	sortFindings(j.findings)
	out.Findings = append(out.Findings, j.findings...)
	out.Drifted = slices.ContainsFunc(out.Findings, func(f Finding) bool { return !f.Information })
	return out
}

// A driftJudge collects findings.
type driftJudge struct {
	*driftRun
	findings []Finding
}

func (j *driftJudge) add(f Finding) {
	if f.Commands == nil {
		f.Commands = []string{}
	}
	j.findings = append(j.findings, f)
}

// pinned finds the pin of a version of the zone.
func (d *driftRun) pinned(versionID string) (*driftSet, *driftPin) {
	for _, s := range d.sets {
		for _, p := range s.pins {
			if p.live != nil && !p.untrue && p.live.ID == versionID {
				return s, p
			}
		}
	}
	return nil, nil
}

// publishedBy tells whether an account also created versions that are pinned.
func (s *driftSet) publishedBy(account string) bool {
	return account != "" && slices.ContainsFunc(s.pins, func(p *driftPin) bool { return p.live != nil && !p.untrue && p.live.CreatedBy == account })
}

// damaged tells whether the tag for the version of this number can't be
// believed.
func (s *driftSet) damaged(number int) bool {
	return slices.ContainsFunc(s.pins, func(p *driftPin) bool {
		return p.ref.Number == number && (p.live == nil || p.untrue)
	})
}

// exists tells whether the zone has a version of this number.
func (s *driftSet) exists(number int) bool {
	for _, live := range s.live {
		if slices.ContainsFunc(live.versions, func(v *keycard.PolicySetVersion) bool { return v.Version == number }) {
			return true
		}
	}
	return false
}

// newest is the pin of the newest version that has a tag. If it can't be
// believed, nobody knows what was published last.
func (s *driftSet) newest() *driftPin {
	return find(s.pins, func(p *driftPin) bool { return s.exists(p.ref.Number) })
}

// expected is the set whose version is to decide: the one that the target names,
// or its only one.
func (d *driftRun) expected() *driftSet {
	var only *driftSet
	n := 0
	for _, s := range d.sets {
		if s.decl == nil {
			continue
		}
		if s.name == d.target.Active {
			return s
		}
		only, n = s, n+1
	}
	if n == 1 && d.target.Active == "" {
		return only
	}
	return nil
}

// activation compares what decides with what was published last.
func (j *driftJudge) activation() {
	want := j.expected()
	var last *driftPin
	if want != nil {
		last = want.last()
	}
	f := Finding{Kind: DriftActivated}
	published := func() string {
		if last != want.newest() {
			return fmt.Sprintf("v%d of %s, the last whose pin can be believed", last.ref.Number, want.name)
		}
		return fmt.Sprintf("v%d of %s, which was published last", last.ref.Number, want.name)
	}
	restore := func(extra ...string) []string {
		if last == nil || last.live == nil || last.live.ArchivedAt != nil || last != want.newest() {
			return []string{}
		}
		return []string{j.command("activate", append(extra, want.name, fmt.Sprintf("v%d", last.ref.Number))...)}
	}
	if j.active == nil {
		if last == nil {
			return
		}
		f.Detail, f.Set, f.Commands = detailNothing, want.name, restore()
		f.Message = fmt.Sprintf("no version decides requests in zone %s, not %s", j.target.ZoneID, published())
		j.add(f)
		return
	}
	id := j.active.ActiveVersionID
	f.Set, f.VersionID, f.Version = j.active.Name, id, j.active.ActiveVersion
	f.created(j.bound)
	what := fmt.Sprintf("v%d of %s", f.Version, f.Set)
	set, pin := j.pinned(id)
	owner := find(j.sets, func(s *driftSet) bool { return s.live[j.active.ID] != nil })
	switch {
	case pin == nil && owner != nil && owner.damaged(f.Version):
		return // its pin can't be read, which is a finding
	case pin != nil && set.decl == nil && !set.other && j.problems == nil:
		return // undeclared says it
	case pin != nil && set.other && j.target.Active == "":
		return // another project's set decides, and this one doesn't claim to
	case pin != nil && (want == nil || set == want) && pin == set.last():
		return
	case pin != nil && (want == nil || set == want):
		f.Detail, f.Tag = detailOlder, pin.ref.Name
		if want == nil {
			want, last = set, set.last()
		}
		f.Message = fmt.Sprintf("%s is active, the last pin is v%d: it was rolled back, or v%d was never activated",
			what, last.ref.Number, last.ref.Number)
		f.Commands = restore()
	case pin != nil:
		f.Detail, f.Tag = detailOtherSet, pin.ref.Name
		f.Message = fmt.Sprintf("%s is active, but the project says that %s decides in target %s", what, want.name, j.target.Name)
		f.Commands = restore()
	case owner != nil:
		f.Detail = detailUnpinned
		f.Message = fmt.Sprintf("%s is active, which no pin records", what)
		if !owner.publishedBy(f.By) || owner.isBefore(id) { // a version of ours is repinned, not replaced
			f.Commands = restore()
		}
	case last == nil:
		return // nothing was published that could be active
	default:
		f.Detail = detailForeign
		manager := ""
		if j.active.OwnerType == keycard.OwnerPlatform {
			manager = ", which Keycard manages,"
		}
		f.Message = fmt.Sprintf("%s (%s)%s is active, not %s", what, j.active.ID, manager, published())
		f.Commands = restore("--replace-active", id)
	}
	j.add(f)
}

// set judges one policy set.
func (j *driftJudge) set(s *driftSet) {
	j.missing(s)
	last := s.last()
	switch {
	case j.problems != nil:
		// What the tip declares isn't known.
	case s.other:
		// Drift of that project is for that project to find.
	case s.decl == nil:
		j.undeclared(s)
	case len(s.pins) == 0:
		j.unpinned(s)
	case last != nil && last == s.newest() && last.digest != s.digest:
		j.add(Finding{
			Kind: DriftUnpublished, Detail: detailChanged, Set: s.name, Tag: last.ref.Name,
			Message: fmt.Sprintf("%s at %s has set digest %s, the last pin, v%d, has %s",
				j.branch, j.tip.Short(), short(s.digest), last.ref.Number, short(last.pin.Record.SetDigest)),
			Commands: j.publish(),
		})
	}
	if last == nil || last.live == nil || last != s.newest() {
		return
	}
	if s.decl != nil || j.problems != nil {
		j.setObject(s, last)
	}
	if s.decl != nil {
		j.policiesOf(s, last)
	}
}

// unpinned says that nothing of a declared set was published, as far as the pins
// say.
func (j *driftJudge) unpinned(s *driftSet) {
	f := Finding{Kind: DriftUnpublished, Detail: detailNoPin, Set: s.name, Commands: j.publish()}
	f.Message = fmt.Sprintf("%s at %s declares it, and it has no pin", j.branch, j.tip.Short())
	if n := j.named[s.name]; n != nil {
		f.By, f.At = n.CreatedBy, stamp(n.CreatedAt)
		f.Message += fmt.Sprintf("; the zone has a policy set of that name (%s) with %s: it is somebody else's, or its pins were deleted",
			n.ID, count(n.LatestVersion, "version", "versions"))
	}
	j.add(f)
}

// undeclared says that a pinned set is not in the project any more. One that is
// archived in the zone, or has no version left, is as it should be.
func (j *driftJudge) undeclared(s *driftSet) {
	last := s.last()
	if last == nil || last.live == nil {
		return
	}
	live := s.live[last.pin.Record.PolicySetID]
	if live.archived() {
		return
	}
	f := Finding{Kind: DriftUndeclared, Detail: detailInactive, Set: s.name, Tag: last.ref.Name}
	f.created(last.live)
	f.VersionID, f.Version = last.live.ID, last.live.Version
	for _, v := range live.versions {
		active := j.active != nil && v.ID == j.active.ActiveVersionID
		if active {
			f.Detail, f.VersionID, f.Version = detailActive, v.ID, v.Version
		} else if v.ArchivedAt == nil {
			f.Commands = append(f.Commands, j.command("versions archive", s.name, fmt.Sprintf("v%d", v.Version)))
		}
	}
	if f.Detail == detailActive {
		f.Message = fmt.Sprintf("%s at %s doesn't declare it for target %s, but its v%d decides requests", j.branch, j.tip.Short(), j.target.Name, f.Version)
		if want := j.expected(); want != nil && want.last() != nil {
			f.Commands = []string{j.command("activate", want.name, fmt.Sprintf("v%d", want.last().ref.Number))}
		} else {
			f.Commands = nil // only another version can end it
		}
	} else {
		if len(f.Commands) == 0 {
			return
		}
		f.Message = fmt.Sprintf("%s at %s doesn't declare it for target %s; its versions are still in the zone", j.branch, j.tip.Short(), j.target.Name)
	}
	j.add(f)
}

// setObject compares the set and its last version with what was pinned.
func (j *driftJudge) setObject(s *driftSet, last *driftPin) {
	rec := &last.pin.Record
	live := s.live[rec.PolicySetID]
	f := Finding{Set: s.name, Tag: last.ref.Name, VersionID: last.live.ID, Version: last.live.Version}
	switch {
	case live.archived():
		f.Kind, f.Detail = DriftArchived, detailSet
		f.Message = fmt.Sprintf("policy set %s (%s) is archived in the zone, so it can get no new version: a new set needs another name, or other pins for target %s",
			s.name, rec.PolicySetID, j.target.Name)
		if live.set != nil {
			f.At = live.set.ArchivedAt
		}
		j.add(f)
		return
	case last.live.ArchivedAt != nil:
		f.Kind, f.Detail, f.At = DriftArchived, detailVersion, last.live.ArchivedAt
		f.Message = fmt.Sprintf("v%d, which was published last, is archived in the zone", last.live.Version)
		f.Commands = j.publish()
		j.add(f)
	}
	// A rename that the tip declares is done by the next publish.
	if name := live.set.Name; name != rec.PolicySet && name != s.name {
		j.add(Finding{
			Kind: DriftRenamed, Detail: detailSet, Set: s.name, Tag: last.ref.Name, At: stamp(live.set.UpdatedAt), By: live.set.UpdatedBy,
			Message: fmt.Sprintf("policy set %s (%s) is called %q in the zone: rename it back there, or take the name over with name: and was: in its manifest",
				rec.PolicySet, rec.PolicySetID, name),
		})
	}
}

// policiesOf compares the policies of the last version with what was pinned.
func (j *driftJudge) policiesOf(s *driftSet, last *driftPin) {
	sources, names := map[string]string{}, map[string]bool{}
	for _, e := range s.decl.Entries {
		sources[e.Policy] = e.Source
		names[e.Policy] = true
	}
	for _, e := range last.pin.Record.Entries {
		live := j.policies[e.PolicyID]
		if live == nil {
			continue
		}
		f := Finding{Set: s.name, Policy: e.Policy, Tag: last.ref.Name}
		if live.policy == nil || live.policy.ArchivedAt != nil {
			f.Kind, f.Detail = DriftArchived, detailPolicy
			f.Message = fmt.Sprintf("policy %s (%s) is archived in the zone, so it can get no new version", e.Policy, e.PolicyID)
			if live.policy != nil {
				f.At = live.policy.ArchivedAt
			}
			if sources[e.Policy] != "" {
				f.Commands = []string{j.command("publish", "--recreate", e.Policy)}
			}
			j.add(f)
			continue
		}
		p := live.policy
		if e.Policy != "" && p.Name != e.Policy && !names[p.Name] {
			f.Kind, f.Detail, f.By, f.At = DriftRenamed, detailPolicy, p.UpdatedBy, stamp(p.UpdatedAt)
			f.Message = fmt.Sprintf("policy %s (%s) is called %q in the zone: rename it back there, or take the name over with policy: and was: in the manifest",
				e.Policy, e.PolicyID, p.Name)
			j.add(f)
		}
		if v := live.latest; v != nil && sources[e.Policy] != "" && v.ArchivedAt == nil {
			f.Kind, f.Detail, f.By, f.At = DriftAdded, detailPolicyVer, v.CreatedBy, stamp(v.CreatedAt)
			f.Information = s.publishedBy(v.CreatedBy) // a publish broke off
			if source := j.tree.Sources[sources[e.Policy]]; source != nil && source.Same(v.CedarRaw) {
				f.Message = fmt.Sprintf("policy %s has v%d, which no pin records; it says what %s says", e.Policy, v.Version, sources[e.Policy])
			} else {
				f.Message = fmt.Sprintf("policy %s has v%d, which no pin records and %s doesn't say; it decides nothing as long as no active set version has it",
					e.Policy, v.Version, sources[e.Policy])
			}
			f.Commands = []string{j.command("versions unused")}
			j.add(f)
		}
	}
	for _, v := range last.policies {
		if v.ArchivedAt == nil {
			continue
		}
		i := slices.IndexFunc(last.pin.Record.Entries, func(e gitstore.RecordEntry) bool { return e.VersionID == v.ID })
		if i < 0 {
			continue
		}
		e := last.pin.Record.Entries[i]
		j.add(Finding{
			Kind: DriftArchived, Detail: detailPolicyVer, Set: s.name, Policy: e.Policy, Tag: last.ref.Name, At: v.ArchivedAt,
			Message:  fmt.Sprintf("v%d of policy %s, which v%d holds, is archived in the zone, so v%d can't be activated any more", v.Version, e.Policy, last.ref.Number, last.ref.Number),
			Commands: j.publish(),
		})
	}
}

// created says who created a version, if the zone has it.
func (f *Finding) created(v *keycard.PolicySetVersion) {
	if v != nil {
		f.By, f.At = v.CreatedBy, stamp(v.CreatedAt)
	}
}

func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// publish is the command that publishes the tip.
func (d *driftRun) publish() []string {
	if d.src.Commit == d.tip {
		return []string{d.command("publish")}
	}
	return []string{d.command("publish", "--rev", d.tip.String())}
}

// command is a command line of policypin for this target, as a POSIX shell takes
// it.
func (d *driftRun) command(name string, args ...string) string {
	return command(name, append([]string{"--target", d.target.Name}, args...)...)
}

func command(name string, args ...string) string {
	words := []string{"policypin", name}
	for _, a := range args {
		words = append(words, shellWord(a))
	}
	return strings.Join(words, " ")
}

// remoteName is what git calls the origin: a remote's name, or its URL.
func (d *driftRun) remoteName() string {
	name, _, _ := strings.Cut(d.src.Origin.Name(), " (")
	return name
}

func (d *driftRun) isClone() bool { return d.src.Origin.Name() == d.src.Repo.Local().Name() }

// deleteTag is the command that removes a tag where the pins are.
func (d *driftRun) deleteTag(tag string) string {
	if d.isClone() {
		return "git tag -d " + shellWord(tag)
	}
	return "git push " + shellWord(d.remoteName()) + " " + shellWord(":refs/tags/"+tag)
}

// shellWord quotes a word for a POSIX shell, if it needs it.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:@%+=,", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
