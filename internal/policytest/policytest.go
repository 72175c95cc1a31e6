// Package policytest runs decision tests: each case of the PolicyTest files is
// decided by the policies of the sets that it is about. It does no I/O, and the
// same tree always gives the same report.
package policytest

import (
	"regexp"
	"runtime"
	"sync"

	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// Options choose what runs. The zero value runs every case.
type Options struct {
	Filter *regexp.Regexp // of cases, by name or by file; nil takes all
	Set    string         // of sets; "" takes all
	// Stored are the policies of entries that have no source in the repository,
	// where their text is known from elsewhere.
	Stored map[Entry][]*cedar.Policy
}

// An Entry is one entry of one set.
type Entry struct{ Set, Policy string }

// What a case comes to.
const (
	Passed  = "passed"
	Failed  = "failed"
	Skipped = "skipped" // it rests on a policy whose text isn't known
)

// A Report says what the cases came to.
type Report struct {
	Schema  int         `json:"schema"`
	Commit  string      `json:"commit"` // "" for the work tree
	Passed  int         `json:"passed"`
	Failed  int         `json:"failed"`
	Skipped int         `json:"skipped"`
	Sets    []SetReport `json:"sets"`  // by name
	Cases   []Result    `json:"cases"` // by file and line, then by set
}

// A SetReport is about one policy set.
type SetReport struct {
	Set           string     `json:"set"`
	SchemaVersion string     `json:"schema_version"`
	Cases         int        `json:"cases"`
	Unread        []string   `json:"unread"`    // entries whose text isn't known
	Uncertain     int        `json:"uncertain"` // results that those could change
	Coverage      []Coverage `json:"coverage"`  // in the order of the manifest
}

// Coverage says how often a policy determined a decision.
type Coverage struct {
	Policy  string `json:"policy"`
	Source  string `json:"source"` // "" if it isn't in the repository
	Read    bool   `json:"read"`   // false: its text isn't known
	Allowed int    `json:"allowed"`
	Denied  int    `json:"denied"`
}

// A Result is one case decided by one set.
type Result struct {
	Case      string   `json:"case"`
	File      string   `json:"file"`
	Line      int      `json:"line"`
	Column    int      `json:"column"`
	Set       string   `json:"set"`
	Status    string   `json:"status"`
	Certain   bool     `json:"certain"` // whatever the unread policies say, the decision is this
	Principal string   `json:"principal"`
	Action    string   `json:"action"`
	Resource  string   `json:"resource"`
	Expected  Expected `json:"expected"`
	Got       Got      `json:"got"`
	Messages  []string `json:"messages"` // why it failed or was skipped
}

// Expected is what the case says.
type Expected struct {
	Decision    string   `json:"decision"`
	Determining []string `json:"determining"`
	Stated      bool     `json:"determining_stated"` // false: any policies will do
	Errors      []string `json:"errors"`
}

// Got is what the policies say.
type Got struct {
	Decision    string                  `json:"decision"`
	Determining []string                `json:"determining"`
	Errors      []cedar.EvaluationError `json:"errors"`
}

// Run decides the cases of a tree that has no errors, on all cores.
func Run(tree *manifest.Tree, opts Options) Report {
	report := Report{Schema: 1, Sets: []SetReport{}, Cases: []Result{}}
	prepared := map[*manifest.Set]*preparedSet{}
	for _, s := range tree.Sets {
		if opts.Set == "" || opts.Set == s.Name {
			prepared[s] = prepare(tree, s, opts.Stored)
		}
	}
	var jobs []job
	for _, f := range tree.Tests {
		for i := range f.Cases {
			c := &f.Cases[i]
			if opts.Filter != nil && !opts.Filter.MatchString(c.Label()) && !opts.Filter.MatchString(f.File) {
				continue
			}
			for _, s := range tree.TestedSets(f, c) {
				if p := prepared[s]; p != nil {
					jobs = append(jobs, job{f, c, p})
				}
			}
		}
	}
	report.Cases = make([]Result, len(jobs))
	parallel(len(jobs), func(i int) { report.Cases[i] = jobs[i].run() })
	for i, r := range report.Cases {
		jobs[i].set.count(r)
		switch r.Status {
		case Passed:
			report.Passed++
		case Failed:
			report.Failed++
		case Skipped:
			report.Skipped++
		}
	}
	for _, s := range tree.Sets {
		if p := prepared[s]; p != nil {
			report.Sets = append(report.Sets, p.report)
		}
	}
	return report
}

// parallel calls work for 0 to n-1 on all cores.
func parallel(n int, work func(i int)) {
	// A case takes microseconds: workers take some at a time.
	const chunk = 64
	var next sync.Mutex
	at := 0
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+chunk-1)/chunk) {
		workers.Go(func() {
			for {
				next.Lock()
				from, to := at, min(at+chunk, n)
				at = to
				next.Unlock()
				if from == to {
					return
				}
				for i := from; i < to; i++ {
					work(i)
				}
			}
		})
	}
	workers.Wait()
}

// A preparedSet is a set that is ready to decide.
type preparedSet struct {
	set        *manifest.Set
	authorizer *cedar.Authorizer
	unread     map[string]bool   // policies whose text isn't known
	where      map[string]string // where the source of a policy starts
	covered    map[string]int    // the index of a policy in the report's coverage
	report     SetReport
}

func prepare(tree *manifest.Tree, s *manifest.Set, stored map[Entry][]*cedar.Policy) *preparedSet {
	p := &preparedSet{
		set: s, unread: map[string]bool{}, where: map[string]string{}, covered: map[string]int{},
		report: SetReport{Set: s.Name, SchemaVersion: s.SchemaVersion, Unread: []string{}, Coverage: []Coverage{}},
	}
	var policies []cedar.Named
	for _, e := range s.Entries {
		label := e.Label()
		texts := stored[Entry{s.Name, label}]
		if source := tree.Sources[e.Source]; source != nil {
			texts = []*cedar.Policy{source}
			p.where[label] = source.Position().String()
		}
		for _, text := range texts {
			policies = append(policies, cedar.Named{Name: label, Policy: text})
		}
		if texts == nil {
			p.unread[label] = true
			p.report.Unread = append(p.report.Unread, label)
		}
		p.covered[label] = len(p.report.Coverage)
		p.report.Coverage = append(p.report.Coverage, Coverage{Policy: label, Source: e.Source, Read: texts != nil})
	}
	p.authorizer = cedar.NewAuthorizer(policies)
	return p
}

// count adds a result to what is reported of the set.
func (p *preparedSet) count(r Result) {
	p.report.Cases++
	if !r.Certain {
		p.report.Uncertain++
	}
	for _, name := range r.Got.Determining {
		c := &p.report.Coverage[p.covered[name]]
		if r.Got.Decision == allow {
			c.Allowed++
		} else {
			c.Denied++
		}
	}
}

// Uncovered lists the policies of the set that determined no decision.
func (s SetReport) Uncovered() []string {
	var names []string
	for _, c := range s.Coverage {
		if c.Allowed+c.Denied == 0 {
			names = append(names, c.Policy)
		}
	}
	return names
}
