package zone

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/internal/jcs"
)

// content is the Cedar of one policy version, normalized, in both forms.
type content struct {
	Raw    string          `json:"raw"`
	JSON   json.RawMessage `json:"json"`
	SHA    string          `json:"sha"`
	Schema string          `json:"schema"` // that it was validated against

	warnings []warning
}

// A warning is what create-with-manifest answers about content it accepted.
type warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Rules of internal/cedar. The service takes the first for a warning, and the
// second follows from it.
const (
	ruleUnknownAction      = "cedar-unknown-action"
	ruleNoApplicableAction = "cedar-no-applicable-action"
)

// contentOf reads cedar_raw or cedar_json of a request, exactly one of which
// must be there, and validates it against a schema that may be authored for.
func contentOf(o object, schemaVersion string) (*content, error) {
	text, err := cedarText(o)
	if err != nil {
		return nil, err
	}
	return newContent(text, schemaVersion)
}

func cedarText(o object) (string, error) {
	raw, err := o.text("cedar_raw")
	if err != nil {
		return "", err
	}
	switch {
	case raw != nil && o.has("cedar_json"):
		return "", badRequest("cedar_raw and cedar_json can't be combined")
	case raw != nil:
		return *raw, nil
	case o.has("cedar_json"):
		text, err := cedar.FromJSON(o["cedar_json"])
		if err != nil {
			return "", badRequest("cedar_json: %v", err).with("invalid_cedar")
		}
		return text, nil
	}
	return "", badRequest("cedar_raw or cedar_json is required").with("missing_cedar_content")
}

func unknownSchema(version string) *apiError {
	return badRequest("there is no policy schema %q", clip(version)).with("schema_version_unsupported")
}

// newContent normalizes and validates Cedar text.
func newContent(text, schemaVersion string) (*content, error) {
	i, ok := findSchema(schemaVersion)
	if !ok {
		return nil, unknownSchema(schemaVersion)
	}
	if schemas[i].status == schemaArchived {
		return nil, badRequest("policy schema %s is archived", schemaVersion).with("schema_version_unsupported")
	}
	return checkContent(text, schemas[i])
}

// checkContent doesn't mind an archived schema; the seed has a policy version
// from before it was.
func checkContent(text string, sch schema) (*content, error) {
	if strings.TrimSpace(text) == "" {
		return nil, badRequest("the Cedar content is empty").with("missing_cedar_content")
	}
	normalized, doc, problems := cedar.CheckSet("cedar_raw", []byte(text))
	if problems.Err() != nil {
		return nil, invalidCedar(problems)
	}
	out := &content{Raw: normalized, JSON: doc, Schema: sch.version}
	if err := out.validate(text, sch); err != nil {
		return nil, err
	}
	out.SHA = contentSHA(doc)
	return out, nil
}

// contentSHA is the SHA-256 of the Cedar JSON's canonical form (RFC 8785), which
// a client can recompute from cedar_json. Numbers above 2^53, which Cedar has
// and that form hasn't, leave the JSON as it is stored.
func contentSHA(doc []byte) string {
	canonical, err := jcs.Canonicalize(doc)
	if err != nil {
		canonical = doc
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// validate checks the types of every statement. An unknown action is a warning,
// as the service has it.
func (t *content) validate(text string, sch schema) error {
	loaded, err := sch.load()
	if err != nil {
		return err
	}
	statements, err := t.statements(text)
	if err != nil {
		return err
	}
	var failed diag.List
	for _, p := range statements {
		problems := loaded.parsed.Validate(p)
		unknown := slices.ContainsFunc(problems, func(p diag.Problem) bool { return p.Rule == ruleUnknownAction })
		for _, problem := range problems {
			switch {
			case problem.Rule == ruleUnknownAction:
				t.warnings = append(t.warnings, warning{"unknown_actions", problem.Message})
			case unknown && problem.Rule == ruleNoApplicableAction:
				// Nothing but the unknown action is wrong.
			case problem.Severity == diag.Error:
				failed.Add(problem)
			}
		}
	}
	if len(failed) > 0 {
		return invalidCedar(failed)
	}
	return nil
}

// statements parses each statement by itself. Positions are those of the
// request's text if it has only one.
func (t *content) statements(text string) ([]*cedar.Policy, error) {
	if p, _ := cedar.Parse("cedar_raw", []byte(text)); p != nil {
		return []*cedar.Policy{p}, nil
	}
	var set struct {
		StaticPolicies map[string]json.RawMessage `json:"staticPolicies"`
	}
	if err := json.Unmarshal(t.JSON, &set); err != nil {
		return nil, err
	}
	var out []*cedar.Policy
	for i := range len(set.StaticPolicies) {
		name := fmt.Sprintf("policy%d", i)
		one, err := cedar.FromJSON(set.StaticPolicies[name])
		if err != nil {
			return nil, err
		}
		p, problems := cedar.Parse(name, []byte(one))
		if p == nil {
			return nil, invalidCedar(problems)
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, errors.New("the Cedar JSON has no policies")
	}
	return out, nil
}

// maxProblems is how many problems a message names.
const maxProblems = 10

func invalidCedar(problems diag.List) *apiError {
	var lines []string
	for _, p := range problems {
		if p.Severity == diag.Error && len(lines) < maxProblems {
			lines = append(lines, fmt.Sprintf("%s: %s", p.Position, p.Message))
		}
	}
	return badRequest("invalid Cedar: %s", strings.Join(lines, "; ")).with("invalid_cedar")
}
