// Package ghaction speaks to the GitHub runner and to GitHub's REST API: it
// reads the inputs and the event of a job, writes annotations, outputs and the
// step summary, and keeps one comment on a pull request.
//
// Everything that a pull request can influence is text here and never a command:
// a line of a log can be one (github.com/actions/runner, ActionCommand.cs), and
// so can a line of an output file.
//
// The package decides nothing about policies. It never panics for what the
// runner left out: outside a runner there is just less to write.
package ghaction

import (
	"path/filepath"
	"strings"
)

// A Runner is what the environment says about the job. The runner sets these
// variables for every action; inside a container the paths are the container's.
type Runner struct {
	Workspace  string // GITHUB_WORKSPACE, the folder that paths of annotations are relative to
	EventName  string
	EventPath  string
	Repository string // owner/name
	ServerURL  string // of the web pages; https://github.com by default
	APIURL     string // of the REST API; never made from ServerURL, since servers differ
	GraphQLURL string
	SHA        string
	Ref        string // a full ref; unqualified ones of closed pull requests are completed
	RunID      string

	outputPath  string
	summaryPath string
}

// FromEnv reads the runner's variables.
func FromEnv(getenv func(string) string) *Runner {
	r := &Runner{
		Workspace:   getenv("GITHUB_WORKSPACE"),
		EventName:   getenv("GITHUB_EVENT_NAME"),
		EventPath:   getenv("GITHUB_EVENT_PATH"),
		Repository:  getenv("GITHUB_REPOSITORY"),
		ServerURL:   strings.TrimSuffix(getenv("GITHUB_SERVER_URL"), "/"),
		APIURL:      strings.TrimSuffix(getenv("GITHUB_API_URL"), "/"),
		GraphQLURL:  getenv("GITHUB_GRAPHQL_URL"),
		SHA:         getenv("GITHUB_SHA"),
		Ref:         getenv("GITHUB_REF"),
		RunID:       getenv("GITHUB_RUN_ID"),
		outputPath:  getenv("GITHUB_OUTPUT"),
		summaryPath: getenv("GITHUB_STEP_SUMMARY"),
	}
	if r.ServerURL == "" {
		r.ServerURL = "https://github.com"
	}
	if r.Ref != "" && !strings.HasPrefix(r.Ref, "refs/") {
		r.Ref = "refs/heads/" + r.Ref
	}
	return r
}

// RunURL is the page of this run, or "" outside a run.
func (r *Runner) RunURL() string {
	if r.Repository == "" || r.RunID == "" {
		return ""
	}
	return r.ServerURL + "/" + r.Repository + "/actions/runs/" + r.RunID
}

// Path is a file on disk as an annotation names it: relative to the workspace,
// with slashes. ok is false for a file elsewhere.
func (r *Runner) Path(file string) (path string, ok bool) {
	if r.Workspace == "" {
		return "", false
	}
	// Either may be reached through a symbolic link.
	workspace, err := filepath.EvalSymlinks(r.Workspace)
	if err != nil {
		workspace = r.Workspace
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		folder = filepath.Dir(file)
	}
	rel, err := filepath.Rel(workspace, filepath.Join(folder, filepath.Base(file)))
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}
