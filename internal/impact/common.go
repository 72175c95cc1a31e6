package impact

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// Limits on what is said in words: more than that is no summary.
const (
	maxFacts     = 8
	maxFactBytes = 300
)

// environment is the kind of request that one is.
func environment(r cedar.Request) cedar.Environment {
	principal, resource := r.Principal(), r.Resource()
	return cedar.Environment{Principal: principal.Type, Action: r.Action(), Resource: resource.Type, One: principal == resource}
}

type aspectsKey struct {
	cause string
	env   cedar.Environment
}

// about are what the policies of a finding's cause ask in an environment.
func (c *comparison) about(f Finding, env cedar.Environment) *cedar.Aspects {
	key := aspectsKey{f.key(), env}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.aspects[key] == nil {
		if c.aspects == nil {
			c.aspects = map[aspectsKey]*cedar.Aspects{}
		}
		c.aspects[key] = c.schema.Survey(env, c.concerned(f.Cause)).Aspects()
	}
	return c.aspects[key]
}

// A roster finds the changed policies of both sides.
type roster struct {
	named map[string][]int // their numbers by name
	alone map[bool][]int   // of the older side and the newer, whose name the other hasn't got
}

func newRoster(refs []Ref) roster {
	r := roster{named: map[string][]int{}, alone: map[bool][]int{}}
	for i, ref := range refs {
		r.named[ref.Policy] = append(r.named[ref.Policy], i)
	}
	for _, numbers := range r.named {
		side := refs[numbers[0]].From
		if !slices.ContainsFunc(numbers, func(i int) bool { return refs[i].From != side }) {
			r.alone[side] = append(r.alone[side], numbers...)
		}
	}
	return r
}

// maxReplaced is how many policies may have been replaced by others of another
// name, so that they are looked at together. More of them are another set.
const maxReplaced = 8

// concerned are the policies whose questions tell whom a finding is about: those
// of its cause, and what the other side has in their place. A policy that drops
// a condition asks nothing; who gains access is what the older one asked.
func (c *comparison) concerned(cause []Ref) (list []*cedar.Policy) {
	var numbers []int
	for _, ref := range cause {
		numbers = append(numbers, c.roster.named[ref.Policy]...)
		if i := slices.Index(c.refs, ref); slices.Contains(c.roster.alone[ref.From], i) && len(c.roster.alone[!ref.From]) <= maxReplaced {
			numbers = append(numbers, c.roster.alone[!ref.From]...)
		}
	}
	slices.Sort(numbers)
	for _, i := range slices.Compact(numbers) {
		list = append(list, c.asked[i])
	}
	return list
}

// note puts a request among those that a finding is about.
func (c *comparison) note(f *Finding, env cedar.Environment, world *cedar.Entities, r cedar.Request) {
	h := f.hulls[env]
	if h == nil {
		if f.hulls == nil {
			f.hulls = map[cedar.Environment]*cedar.Hull{}
		}
		h = c.about(*f, env).Hull()
		f.hulls[env] = h
	}
	h.Add(world, r)
}

// join adds the requests of a finding with the same cause.
func (f *Finding) join(more Finding) {
	for env, h := range more.hulls {
		if have := f.hulls[env]; have != nil {
			have.Join(h)
			continue
		}
		if f.hulls == nil {
			f.hulls = map[cedar.Environment]*cedar.Hull{}
		}
		f.hulls[env] = h
	}
}

// facts are what matters of a witness.
func (c *comparison) facts(f Finding, env cedar.Environment, world *cedar.Entities, r cedar.Request, made bool) []string {
	return shown(c.about(f, env).Facts(world, r, made))
}

// sum says what the requests of a finding have in common. Where a search
// couldn't try all combinations, an answer that wasn't seen may be one that
// wasn't tried, and nothing is said of policies that it is about.
func (c *comparison) sum(f *Finding, partial []cedar.Environment) {
	envs := slices.SortedFunc(maps.Keys(f.hulls), func(a, b cedar.Environment) int { return strings.Compare(a.String(), b.String()) })
	var hulls []*cedar.Hull
	for _, env := range envs {
		hulls = append(hulls, f.hulls[env])
		f.Actions = append(f.Actions, manifest.HideTokens(env.Action.String()))
		f.Principals = append(f.Principals, env.Principal)
		f.Resources = append(f.Resources, env.Resource)
	}
	f.hulls = nil
	for _, list := range []*[]string{&f.Actions, &f.Principals, &f.Resources} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	for _, p := range c.concerned(f.Cause) {
		if slices.ContainsFunc(partial, func(env cedar.Environment) bool { return c.schema.Concerns(p, env) }) {
			return
		}
	}
	f.Common = shown(cedar.Common(hulls))
}

// shown are the first few of some words, fit to be shown to people: they may
// come from a log.
func shown(list []string) (words []string) {
	for i, text := range list {
		if i == maxFacts {
			return append(words, "…")
		}
		text = manifest.HideTokens(text)
		if len(text) > maxFactBytes {
			end := maxFactBytes
			for !utf8.RuneStart(text[end]) {
				end--
			}
			text = text[:end] + "…"
		}
		words = append(words, text)
	}
	return words
}
