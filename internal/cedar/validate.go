package cedar

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/policypin/policypin/diag"
)

// Validate checks the types of one policy: unknown attributes, entity types,
// actions and enum ids, and type errors, each with a position in the source, a
// rule id, and a "did you mean" where a name is near. It is safe for concurrent
// use.
func (s *Schema) Validate(p *Policy) diag.List {
	read := s.read(p.ast)
	if len(read.errs) == 0 && s.namesKnown(p.ast) {
		return nil
	}
	// Only a policy with problems pays for the positions of its parts.
	c := check{schema: s, policy: p, budget: maxTrialNodes / s.environments}
	if statements, err := p.statements(sourceLimits); err == nil {
		c.statement = statements[p.index]
	}
	c.names()
	named := len(c.problems)
	c.engine(read)
	if read.hidden {
		for i := range c.problems[named:] {
			c.problems[named+i].Severity = diag.Warning
		}
	}
	c.problems.Sort()
	if len(c.problems) > maxProblems {
		c.problems = c.problems[:maxProblems]
	}
	return c.problems
}

// A check turns what is wrong with one policy into problems.
type check struct {
	schema    *Schema
	policy    *Policy
	statement statement
	problems  diag.List
	budget    int // nodes that may still be validated to find positions
}

func (c *check) add(offset int, rule, message, fix string) {
	c.problems.Add(diag.Problem{Position: c.policy.at(offset), Rule: rule, Message: message, Fix: fix})
}

// engine explains the validator's errors, which are texts without positions.
func (c *check) engine(read reading) {
	handled := map[string]bool{}
	var findings []finding
	for i, condition := range c.policy.ast.Conditions {
		if i >= len(c.statement.conditions) || len(read.errs) == 0 {
			break
		}
		l := locator{check: c}
		body, at := transform(condition.Body, c.statement.conditions[i], read.other)
		messages := l.messages(nil, body)
		l.descend(body, at, nil, messages)
		for message := range messages {
			handled[message] = true
		}
		findings = append(findings, l.found...)
	}
	type place struct {
		offset  int
		message string
	}
	seen := map[place]bool{}
	for _, f := range mergeActions(findings) {
		// An "is in" has its left side twice.
		if at := (place{f.offset, f.message}); !seen[at] {
			seen[at] = true
			c.reword(f)
		}
	}
	inapplicable := false
	for _, err := range read.errs {
		message := err.Error()
		switch {
		case handled[message], strings.HasPrefix(message, "unrecognized "):
			// An unknown name has been reported by names, with its place.
		case aboutScope(message):
			inapplicable = true
		default:
			c.reword(finding{message: message, offset: c.policy.start})
		}
	}
	// The official engine accepts such a policy and warns. Beside an error, it
	// says nothing new.
	if inapplicable && c.problems.Errors() == 0 {
		c.problems.Warnf(c.policy.Position(), "cedar-no-applicable-action",
			"policy never applies: no action takes this principal and this resource")
	}
}

// mergeActions makes one finding of those that differ in the action only: the
// engine checks a condition once for each action, with a context each.
func mergeActions(findings []finding) []finding {
	type key struct {
		offset  int
		message string
	}
	var merged []finding
	index := map[key]int{}
	for _, f := range findings {
		what, action, ok := strings.Cut(f.message, inContextFor)
		if !ok {
			merged = append(merged, f)
			continue
		}
		f.message, f.actions = what+"`", []string{strings.TrimSuffix(action, " not found")}
		k := key{f.offset, f.message}
		if i, ok := index[k]; ok {
			merged[i].actions = append(merged[i].actions, f.actions[0])
			continue
		}
		index[k] = len(merged)
		merged = append(merged, f)
	}
	return merged
}

// reword gives a message its rule, and words without the engine's internals.
func (c *check) reword(f finding) {
	quoted := backquoted(f.message)
	access, isAccess := f.node.(ast.NodeTypeAccess)
	switch {
	case strings.HasPrefix(f.message, "attribute "):
		owners := quoted[1:]
		attr, fix, owner := quoted[0], "", ownerText(owners)
		if isAccess {
			attr = string(access.Value)
			fix = didYouMean(attr, c.schema.attributesOf(access.Arg, append(f.actions, append(owners, "")...)[0]))
		}
		if isAccess && f.actions != nil && root(access.Arg) == "context" {
			var p printer
			p.node(access.Arg)
			owner = clip(p.String())
		}
		message := fmt.Sprintf("%s has no attribute `%s`", owner, attr)
		if owner != "record" {
			message += c.forActions(f.actions)
		}
		c.add(f.offset, "cedar-unknown-attribute", message, fix)
	case strings.HasPrefix(f.message, unsafeAttribute):
		fix := ""
		if isAccess {
			var p printer
			p.node(ast.NodeTypeHas(access))
			fix = "test it first: " + clip(p.String()) + " && …"
		}
		c.add(f.offset, "cedar-unsafe-optional", fmt.Sprintf("attribute `%s` is optional and may be missing here", quoted[0]), fix)
	case strings.HasPrefix(f.message, unsafeTag):
		c.add(f.offset, "cedar-unsafe-tag", "tag "+strings.TrimPrefix(f.message, unsafeTag)+" may be missing here", "test it first with hasTag")
	case strings.HasPrefix(f.message, "unexpected type: "):
		fix := ""
		if f.message == decimalOperator {
			fix = "decimals have lessThan, lessThanOrEqual, greaterThan and greaterThanOrEqual"
		}
		c.add(f.offset, "cedar-type", plainTypes(strings.TrimPrefix(f.message, "unexpected type: ")), fix)
	case strings.HasPrefix(f.message, "empty set literals"):
		c.add(f.offset, "cedar-empty-set", "an empty set has no type and isn't allowed in policies", "")
	case strings.HasPrefix(f.message, "extension constructors may not"):
		c.add(f.offset, "cedar-extension", "the argument must be a string literal", "")
	case strings.HasPrefix(f.message, extensionValue):
		c.add(f.offset, "cedar-extension", strings.Replace(strings.TrimPrefix(f.message, extensionValue), "`\"++", "`\"+", 1), "")
	default:
		c.add(f.offset, "cedar-type", plainTypes(f.message), "")
	}
}

// What messages of the validator start with, or hold.
const (
	inContextFor    = "` in context for "
	unsafeAttribute = "unable to guarantee safety of access to optional attribute "
	unsafeTag       = "unable to guarantee safety of access to tag "
	extensionValue  = "error during extension function argument validation: "
	decimalOperator = "unexpected type: expected datetime, or duration, or Long but saw decimal"
)

// forActions names the actions that a finding is about, unless it is all.
func (c *check) forActions(actions []string) string {
	if len(actions) == 0 || len(actions) == c.schema.contexts {
		return ""
	}
	slices.Sort(actions)
	more := ""
	if len(actions) > 3 {
		more = fmt.Sprintf(" and %d more", len(actions)-3)
		actions = actions[:3]
	}
	return " for " + strings.Join(actions, ", ") + more
}

// root returns the variable that a path of attributes starts from, or "".
func root(n ast.IsNode) string {
	for {
		switch m := n.(type) {
		case ast.NodeTypeAccess:
			n = m.Arg
		case ast.NodeTypeVariable:
			return string(m.Name)
		default:
			return ""
		}
	}
}

// plainTypes replaces the names that the engine has for kinds of types.
func plainTypes(message string) string { return typeNames.Replace(message) }

var typeNames = strings.NewReplacer(
	"Set<__cedar::internal::AnyEntity>, or __cedar::internal::AnyEntity", "an entity or a set of entities",
	"__cedar::internal::AnyEntity, or __cedar::internal::OpenRecord{}", "an entity or a record",
	"Set<__cedar::internal::Any>", "a set",
	"__cedar::internal::AnyEntity", "an entity",
	"__cedar::internal::True", "Bool",
	"__cedar::internal::False", "Bool",
	"__cedar::internal::Never", "nothing",
)

// backquoted returns the parts of a message between backquotes.
func backquoted(message string) []string {
	parts := strings.Split(message, "`")
	list := []string{}
	for i := 1; i < len(parts); i += 2 {
		list = append(list, parts[i])
	}
	return append(list, "")[:max(len(list), 1)]
}

func ownerText(types []string) string {
	switch len(types) {
	case 0:
		return "record"
	case 1:
		return types[0]
	}
	return strings.Join(types, " or ")
}

// flatten lists the errors that were joined into one.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, e := range joined.Unwrap() {
			list = append(list, flatten(e)...)
		}
		return list
	}
	return []error{err}
}

func clip(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}

// attributesOf lists the attributes that an expression has, as far as it is a
// path from a variable. owner is the entity type or action of the message.
func (s *Schema) attributesOf(base ast.IsNode, owner string) []string {
	var names []string
	for name := range s.recordOf(base, owner) {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names
}
