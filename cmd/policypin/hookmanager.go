package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A hookManager is a tool that owns the hooks of a repository.
type hookManager struct {
	name     string
	markers  []string // files and folders at the top of the work tree that show it is used
	file     string   // the file to edit, where it isn't the marker
	activate string   // the command that makes Git call it
	snippet  func(project string) string
}

var hookManagers = []hookManager{
	{
		name:     "pre-commit",
		markers:  []string{".pre-commit-config.yaml"},
		activate: "pre-commit install",
		snippet:  preCommitSnippet,
	},
	{
		name: "lefthook",
		// The names that lefthook looks for, in YAML.
		markers:  []string{"lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", ".config/lefthook.yml", ".config/lefthook.yaml"},
		activate: "lefthook install",
		snippet: func(project string) string {
			return "pre-commit:\n  commands:\n    policypin:\n      run: " + yamlWord(validateStaged(project)) + "\n"
		},
	},
	{
		name:     "husky",
		markers:  []string{".husky"},
		file:     ".husky/pre-commit",
		activate: "npx husky",
		snippet:  shellSnippet,
	},
}

// managerOf finds the hook manager of a repository and the file to edit.
func managerOf(root string) (*hookManager, string) {
	for i, m := range hookManagers {
		for _, name := range m.markers {
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
				continue
			}
			if m.file != "" {
				name = m.file
			}
			return &hookManagers[i], name
		}
	}
	return nil, ""
}

// runsPolicypin tells whether a manager's file has a line, no comment, that
// names policypin.
func runsPolicypin(text string) bool {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if strings.Contains(line, "policypin") {
			return true
		}
	}
	return false
}

// validateStaged is the command that a hook runs for a project. It is one, since
// two would read the index and the manifests twice.
func validateStaged(project string) string {
	if project == "." {
		return "policypin validate --staged --fmt"
	}
	return "policypin -C " + shellQuote(project) + " validate --staged --fmt"
}

// shellSnippet is what a hook in sh needs.
func shellSnippet(project string) string {
	return validateStaged(project) + " || exit\n"
}

// preCommitSnippet is an entry of .pre-commit-config.yaml that runs the
// policypin that is on PATH. It always runs, since pre-commit doesn't count a
// deleted file as one that a hook is for.
func preCommitSnippet(project string) string {
	return `  - repo: local
    hooks:
      - id: policypin-validate
        name: policypin validate
        entry: ` + yamlWord(validateStaged(project)) + `
        language: system
        pass_filenames: false
        always_run: true
`
}

// yamlWord writes a command as a YAML scalar, plain where that is safe.
func yamlWord(s string) string {
	if !strings.ContainsAny(s, `'":#\`) {
		return s
	}
	return yamlQuote(s)
}

// yamlQuote writes text without line ends as a YAML scalar.
func yamlQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// executable tells whether git would run a hook. On Windows every file is.
func executable(info os.FileInfo) bool {
	return runtime.GOOS == "windows" || info.Mode().Perm()&0o111 == 0o111
}
