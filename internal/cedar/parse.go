package cedar

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	cedargo "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/policypin/policypin/diag"
)

// Parse reads a source that must hold exactly one statement. file is used in
// positions only. The policy is nil if and only if the list has errors.
// CRLF line ends are accepted; a byte order mark, templates, and several
// statements are problems with rules of their own.
func Parse(file string, text []byte) (*Policy, diag.List) {
	src, statements, trees, problems := parseAll(file, text)
	if problems.Err() != nil {
		return nil, problems
	}
	if len(statements) > 1 {
		problems.Add(diag.Problem{
			Position: src.at(statements[1].start), Rule: "cedar-several-statements",
			Message: fmt.Sprintf("source holds %d statements, not one", len(statements)),
			Fix:     "write each statement to a source of its own",
		})
		return nil, problems
	}
	return newPolicy(src, statements, 0, trees[0]), problems
}

// ParseSet reads a text that may hold several statements, as the service
// accepts them in one policy version. Each policy's Text is the whole text. The
// list of policies is empty if and only if that of problems has errors.
func ParseSet(file string, text []byte) ([]*Policy, diag.List) {
	src, statements, trees, problems := parseAll(file, text)
	if problems.Err() != nil {
		return nil, problems
	}
	policies := make([]*Policy, len(trees))
	for i := range trees {
		policies[i] = newPolicy(src, statements, i, trees[i])
	}
	return policies, problems
}

// parseAll reads one or more statements of a text that a user wrote.
func parseAll(file string, text []byte) (source, []statement, []*ast.Policy, diag.List) {
	src := source{file: file, text: string(text)}
	var problems diag.List
	if len(text) > MaxSourceBytes {
		problems.Errorf(diag.Position{File: file}, "cedar-too-large", "source has %d bytes, more than %d", len(text), MaxSourceBytes)
		return src, nil, nil, problems
	}
	if src.checkText(&problems); len(problems) > 0 {
		return src, nil, nil, problems
	}
	statements, err := src.statements(sourceLimits)
	if err != nil {
		problems.Add(diag.Problem{Position: src.at(err.offset), Rule: err.rule, Message: err.message, Fix: err.fix})
		return src, nil, nil, problems
	}
	if len(statements) == 0 {
		problems.Errorf(diag.Position{File: file}, "cedar-no-statement", "source holds no statement")
		return src, nil, nil, problems
	}
	trees, engineErr := src.trees()
	if engineErr != nil || len(trees) != len(statements) {
		problems.Add(src.engineProblem(engineErr))
		return src, nil, nil, problems
	}
	return src, statements, trees, problems
}

// statements reads the text with our own parser, which enforces the limits.
func (s source) statements(lim limits) ([]statement, *syntaxError) {
	tokens, bad := s.scan(false)
	if bad != nil {
		return nil, &syntaxError{offset: bad.offset, rule: "cedar-syntax", message: bad.message}
	}
	return parseSyntax(s.text, tokens, lim)
}

// trees hands the text to the engine. It must have passed statements before.
func (s source) trees() ([]*ast.Policy, error) {
	list, err := cedargo.NewPolicyListFromBytes(s.file, []byte(s.text))
	if err != nil {
		return nil, err
	}
	trees := make([]*ast.Policy, len(list))
	for i, p := range list {
		trees[i] = (*ast.Policy)(p.AST())
	}
	return trees, nil
}

var enginePosition = regexp.MustCompile(`^(?:parser error: )?(?:parse error at )?<input>:(\d+):(\d+) (?:"(?:[^"\\]|\\.)*")?:? ?`)

// engineProblem is for what the engine refuses and our own parser took: its
// words are the best there are then.
func (s source) engineProblem(err error) diag.Problem {
	p := diag.Problem{Position: diag.Position{File: s.file, Line: 1, Column: 1}, Rule: "cedar-syntax"}
	if err == nil {
		p.Message = "the Cedar engine reads another number of statements"
		return p
	}
	p.Message = strings.TrimPrefix(err.Error(), "parser error: ")
	if m := enginePosition.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Column, _ = strconv.Atoi(m[2])
		p.Message = strings.TrimPrefix(err.Error(), m[0])
	}
	return p
}

var errNotCedar = errors.New("not Cedar within the limits")

// parseStored reads a text that a service or an engine printed.
func parseStored(text string) ([]*ast.Policy, error) {
	src := source{text: text}
	if len(text) > maxStoredBytes {
		return nil, errNotCedar
	}
	var problems diag.List
	if src.checkText(&problems); len(problems) > 0 {
		return nil, errNotCedar
	}
	if _, err := src.statements(storedLimits); err != nil {
		return nil, errNotCedar
	}
	return src.trees()
}

// maxStoredBytes is more than MaxSourceBytes, because printing adds parentheses
// and line ends.
const maxStoredBytes = 4 * MaxSourceBytes
