package ghaction

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sethvargo/go-githubactions"
)

// Inputs are the values that a workflow gives with "with:". The runner passes
// them as INPUT_ variables, always: an input that the workflow leaves out has
// its default from action.yml. Outside a runner the defaults are those given
// here, which a test keeps equal.
type Inputs struct {
	action   *githubactions.Action
	getenv   func(string) string
	defaults map[string]string
}

// NewInputs reads inputs from the environment. defaults has every input's name.
func NewInputs(getenv func(string) string, defaults map[string]string) Inputs {
	return Inputs{githubactions.New(githubactions.WithGetenv(getenv)), getenv, defaults}
}

// Text is an input without surrounding blanks. An empty one counts as left out.
// It panics for a name without a default, which is a mistake in the program.
func (in Inputs) Text(name string) string {
	def, known := in.defaults[name]
	if !known {
		panic("no such input: " + name)
	}
	if v := in.action.GetInput(name); v != "" {
		return v
	}
	return def
}

// Bool is an input that is true or false, as YAML 1.2 and the toolkit of
// GitHub write it: true, True, TRUE and the same of false, nothing else.
func (in Inputs) Bool(name string) (bool, error) {
	switch v := in.Text(name); v {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	default:
		return false, fmt.Errorf("input %s is %q, not true or false", name, v)
	}
}

// Lines is an input with one value per line.
func (in Inputs) Lines(name string) []string {
	var lines []string
	for line := range strings.Lines(in.Text(name)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// Words is an input with words from a closed list, separated by commas or
// blanks. "none" alone is the empty list.
func (in Inputs) Words(name string, allowed ...string) ([]string, error) {
	words := strings.FieldsFunc(in.Text(name), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' })
	switch {
	case len(words) == 1 && words[0] == "none":
		return nil, nil
	case len(words) == 0: // nothing but commas
		return nil, fmt.Errorf("input %s names nothing; none is the word for that", name)
	}
	for _, w := range words {
		if !slices.Contains(allowed, w) {
			return nil, fmt.Errorf("input %s has %q, which is none of %s", name, w, strings.Join(allowed, ", "))
		}
	}
	return words, nil
}

// Choice is an input that is one of a few words.
func (in Inputs) Choice(name string, allowed ...string) (string, error) {
	v := in.Text(name)
	if !slices.Contains(allowed, v) {
		return "", fmt.Errorf("input %s is %q, not one of %s", name, v, strings.Join(allowed, ", "))
	}
	return v, nil
}
