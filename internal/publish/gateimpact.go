package publish

import (
	"cmp"
	"context"
	"fmt"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/impact"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/manifest"
)

// readBefore reads the projects that were pinned last, of which the gates say
// where a policy stood. What those policies were is the zone's to say.
func (h *history) readBefore(ctx context.Context) error {
	if !h.gated() {
		return nil
	}
	type place struct {
		commit gitstore.Hash
		dir    string
	}
	trees := map[place]*manifest.Tree{}
	for _, s := range h.sets {
		if s.pin == nil || s.same || s.superseded != "" {
			continue
		}
		at := place{s.pin.Commit, s.pin.Record.Project}
		if _, known := trees[at]; !known {
			tree, err := h.treeOf(ctx, at.commit, at.dir)
			if err != nil {
				return err
			}
			trees[at] = tree
		}
		s.before = trees[at]
	}
	return nil
}

// A contrast is one set in two states.
type contrast struct {
	set      string
	from, to *manifest.Tree // with that set alone, under its new name; from may be nil
	texts    impact.Options
	what     string // the older state in words
}

// alone is a tree with one set, under a name.
func alone(tree *manifest.Tree, set *manifest.Set, name string) *manifest.Tree {
	one, only := *tree, *set
	only.Name, only.Was = name, ""
	one.Sets = []*manifest.Set{&only}
	return &one
}

// gateImpact holds a set to the gates about decisions.
func (c *computer) gateImpact(w *setWork) {
	if !c.h.gated() || !w.resolved() {
		return
	}
	now := c.now(w)
	c.before(w, now)
	report := c.contrasted(w, now)
	c.plan.decided(now, report)
	c.h.gateWidened(c.plan, now, report)
}

// gateSwitch holds a set that takes the place of another one, which decides now,
// to the gates about decisions as well. Each of the two passed them beside its own
// versions, and a set that nobody has changed for long may allow more than the
// one that decides.
func (c *computer) gateSwitch(w *setWork) {
	if !c.h.gated() || !c.h.opts.Activate || c.h.deciding(c.z) != w.past || !w.resolved() {
		return
	}
	if c.z.live == nil || w.state.pinned == nil || c.z.active.ID == w.state.id {
		return // compared with what is active already, or with the same set's
	}
	now := c.now(w)
	c.beforeLive(w, now)
	report := c.contrasted(w, now)
	c.plan.decided(now, report)
	c.h.gateWidened(c.plan, now, report)
}

// contrasted compares, and says what can't be said without a schema.
func (c *computer) contrasted(w *setWork, now *contrast) impact.Report {
	report := now.compare()
	if version := w.past.decl.SchemaVersion; now.to.Schemas[version] == nil {
		for i := range report.Sets { // whose reason is about a repository
			report.Sets[i].Uncovered = []impact.Uncovered{{Reason: fmt.Sprintf("the zone's schema %s can't be read here", version)}}
		}
	}
	return report
}

// compare finds the decisions that change.
func (n *contrast) compare() impact.Report {
	n.texts.Sets = []string{n.set}
	return impact.Compare(n.from, n.to, n.texts)
}

// now is a set as it will be in the zone: sources from the commit, other policies
// and the schema from the zone. A schema in the repository could hide requests
// that the zone knows.
func (c *computer) now(w *setWork) *contrast {
	name, decl := w.name(), w.past.decl
	n := &contrast{set: name, to: alone(c.h.tree, decl, name), texts: impact.Options{To: map[impact.Entry][]*cedar.Policy{}}}
	n.to.Schemas = map[string]*cedar.Schema{}
	if schema := c.schema(decl.SchemaVersion); schema != nil {
		n.to.Schemas[decl.SchemaVersion] = schema
	}
	for _, want := range w.wants {
		if want.fixed != nil {
			label := want.decl.Label()
			n.texts.To[impact.Entry{Set: name, Policy: label}] = c.stored(label, want.fixed)
		}
	}
	return n
}

// before sets the older state: what the pinned version holds in the zone, and
// without a pin what decides there now.
func (c *computer) before(w *setWork, n *contrast) {
	switch st := w.state; {
	case st.pinned != nil:
		n.what = w.past.pin.Name
		c.held(w, n, st.pinned.SchemaVersion, st.base)
	case w.past.decl.TargetType == "zone" && c.z.live != nil:
		c.beforeLive(w, n)
	case w.past.decl.TargetType != "zone" && st.adoption != nil:
		n.what = fmt.Sprintf("v%d, which the zone has", st.adoption.Version)
		c.held(w, n, st.adoption.SchemaVersion, st.base)
	default:
		n.what = "nothing, since the zone has no version to compare with"
	}
}

// beforeLive sets the older state to what decides in the zone.
func (c *computer) beforeLive(w *setWork, n *contrast) {
	n.what = fmt.Sprintf("v%d of %s, which is active", c.z.active.ActiveVersion, c.z.active.Name)
	c.held(w, n, c.z.live.schema, c.z.live.policies)
}

// held sets the older state to what a version holds.
func (c *computer) held(w *setWork, n *contrast, schema string, held []*keycard.PolicyVersion) {
	set := &manifest.Set{Name: n.set, File: "zone " + c.h.target.Name, SchemaVersion: schema, TargetType: w.past.decl.TargetType}
	n.from = &manifest.Tree{Sets: []*manifest.Set{set}, Schemas: map[string]*cedar.Schema{}}
	if s, ok := n.to.Schemas[schema]; ok {
		n.from.Schemas[schema] = s
	}
	n.texts.From = map[impact.Entry][]*cedar.Policy{}
	sources, same := c.sources(w)
	taken := map[string]bool{}
	for _, v := range held {
		label := cmp.Or(c.z.names[v.PolicyID], v.PolicyID)
		if taken[label] {
			label = v.ID
		}
		taken[label] = true
		set.Entries = append(set.Entries, manifest.Entry{Policy: label, PolicyID: v.PolicyID, VersionID: v.ID})
		// Of equal texts the repository's is taken, since it has a line in a file.
		source := find(sources[v.PolicyID], func(p *cedar.Policy) bool { return same[p] == v.ID || p.Same(v.CedarRaw) })
		texts := []*cedar.Policy{source}
		if source == nil {
			texts = c.stored(label, v)
		}
		n.texts.From[impact.Entry{Set: n.set, Policy: label}] = texts
	}
}

// sources are the sources of the commit, and those of the last pin's, by the ids
// of their policies. same has the policy version that a source was found to be.
func (c *computer) sources(w *setWork) (list map[string][]*cedar.Policy, same map[*cedar.Policy]string) {
	list, same = map[string][]*cedar.Policy{}, map[*cedar.Policy]string{}
	for _, want := range w.wants {
		if want.made == nil || want.made.policy.id == "" {
			continue
		}
		list[want.made.policy.id] = append(list[want.made.policy.id], want.made.source)
		if want.made.have != nil {
			same[want.made.source] = want.made.have.ID
		}
	}
	if w.past.pin == nil || w.past.before == nil {
		return list, same
	}
	rec := w.past.pin.Record
	set, ok := w.past.before.Set(rec.PolicySet)
	if !ok {
		return list, same
	}
	ids := map[string]string{}
	for _, e := range rec.Entries {
		ids[e.Policy] = e.PolicyID
	}
	for _, e := range set.Entries {
		if p, id := w.past.before.Sources[e.Source], ids[e.Policy]; p != nil && id != "" {
			list[id] = append(list[id], p)
		}
	}
	return list, same
}

// stored is the text of a policy version, or nil if it can't be read here. One
// version is parsed once.
func (c *computer) stored(label string, v *keycard.PolicyVersion) []*cedar.Policy {
	if known, ok := c.parsed[v.ID]; ok {
		return known
	}
	file := fmt.Sprintf("%s v%d in %s", label, v.Version, c.h.target.Name)
	policies, _ := cedar.ParseSet(file, []byte(v.CedarRaw)) // none if there is a problem
	c.parsed[v.ID] = policies
	return policies
}

// schema is the zone's schema, or nil if it can't be read here.
func (c *computer) schema(version string) *cedar.Schema {
	if known, ok := c.schemas[version]; ok {
		return known
	}
	var schema *cedar.Schema
	if s := c.z.schemas[version]; s != nil {
		schema, _ = cedar.ParseSchema("schema "+version+" of "+c.h.target.Name, []byte(s.CedarSchema)) // none if there is a problem
	}
	if schema != nil && len(schema.Environments()) == 0 {
		schema = nil // no request at all would look as if all were covered
	}
	c.schemas[version] = schema
	return schema
}

// gateWidened holds a set to the gates widened and uncovered. Without a witness
// nothing is said to be not widened unless every request is covered.
func (h *history) gateWidened(p *Plan, n *contrast, report impact.Report) {
	gates := h.tree.Project.Gates
	var open []impact.Uncovered
	for _, s := range report.Sets {
		open = append(open, s.Uncovered...)
	}
	if gates.Widened != wordAllow {
		switch {
		case report.Count(impact.Widened) > 0:
			h.holdWidened(p, n, report)
		case len(open) > 0:
			p.gate(gateWidened, n.set, GateNotChecked, "compared with %s, no request was found that is newly allowed, but not all are covered", n.what)
		default:
			p.gate(gateWidened, n.set, GatePassed, "compared with %s, no request is newly allowed", n.what)
		}
	}
	if gates.Uncovered != wordAllow {
		if len(open) > 0 {
			h.hold(p, gateUncovered, gates.Uncovered, n.set, fmt.Sprintf("compared with %s, it isn't known whether more is allowed: %s", n.what, reasons(open)))
		} else {
			p.gate(gateUncovered, n.set, GatePassed, "compared with %s, every request is covered", n.what)
		}
	}
}

func (h *history) holdWidened(p *Plan, n *contrast, report impact.Report) {
	h.hold(p, gateWidened, h.tree.Project.Gates.Widened, n.set, fmt.Sprintf("compared with %s, %s now allowed, such as %s",
		n.what, counted(report.Count(impact.Widened), "request that was tried is", "requests that were tried are"), witness(report)))
}
