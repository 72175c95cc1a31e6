package impact

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// tryGiven decides the requests of tests and of logs in every comparison, and
// reports the lines that couldn't be read.
func tryGiven(all []*pending, from, to *manifest.Tree, given *Given) (problems diag.List) {
	if given == nil {
		given = &Given{}
	}
	benches := benches(all, given)
	if len(benches) == 0 {
		return nil
	}
	results := make([]trial, 0, len(all))
	for _, b := range benches {
		for range b.pending {
			results = append(results, trial{})
		}
	}
	for _, b := range benches {
		b.tests(from, to, results)
	}
	problems = tryLogs(benches, given.logs, results)
	for _, b := range benches {
		for i, p := range b.pending {
			p.given = results[b.first+i]
		}
	}
	return problems
}

// benches are the comparisons by their schema.
func benches(all []*pending, given *Given) (list []*bench) {
	for _, p := range all {
		if p.comparison == nil {
			continue
		}
		c := p.comparison
		i := slices.IndexFunc(list, func(b *bench) bool { return b.schema == c.schema })
		if i < 0 {
			i = len(list)
			list = append(list, newBench(c.schema, given.entities))
		}
		list[i].pending = append(list[i].pending, p)
		list[i].context = list[i].context || c.from.parts.ReadsContext() || c.to.parts.ReadsContext()
	}
	n := 0
	for _, b := range list {
		b.first = n
		n += len(b.pending)
	}
	return list
}

// tests tries the cases of the newer tree's tests, and those of the older's that
// the newer hasn't got. A case of another policy set is a request like any other.
func (b *bench) tests(from, to *manifest.Tree, results []trial) {
	seen := map[string]bool{}
	both := len(from.Tests) > 0 && len(to.Tests) > 0
	for _, tree := range []*manifest.Tree{to, from} {
		for _, f := range tree.Tests {
			world, unfit := fit(b.schema, f.Entities)
			key := ""
			if both {
				key = entitiesKey(f.Entities)
			}
			for i := range f.Cases {
				c := &f.Cases[i]
				if both {
					key := caseKey(c.RequestData, key)
					if seen[key] {
						continue
					}
					seen[key] = true
				}
				t := try{RequestData: c.RequestData, world: world, unfit: unfit, test: true}
				t.again = func() (cedar.RequestData, bool) { return c.RequestData, true }
				b.try(t, results, func(p *pending) bool {
					return slices.ContainsFunc(tree.TestedSets(f, c), func(s *manifest.Set) bool {
						return s.Name == p.report.Set || tree == from && s.Name == p.report.Was
					})
				})
			}
		}
	}
}

func entitiesKey(list []cedar.EntityData) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%q", e.UID)
		writeDatum(&b, e.Attrs)
		writeDatum(&b, e.Tags)
		for _, p := range e.Parents {
			fmt.Fprintf(&b, "%q", p.UID)
		}
	}
	return b.String()
}

// A piece is some lines of a log.
type piece struct {
	log  *requestLog
	text string
	line int // of the first
}

// pieceBytes is how much of a log one core takes at a time: enough that handing
// it out costs nothing, and little enough that all have something to do.
const pieceBytes = 1 << 20

// pieces cuts logs at line ends.
func pieces(logs []requestLog) (list []piece) {
	for i := range logs {
		line := 1
		for rest := logs[i].text; rest != ""; {
			end := len(rest)
			if end > pieceBytes {
				if n := strings.IndexByte(rest[pieceBytes:], '\n'); n >= 0 {
					end = pieceBytes + n + 1
				}
			}
			list = append(list, piece{&logs[i], rest[:end], line})
			line += strings.Count(rest[:end], "\n")
			rest = rest[end:]
		}
	}
	return list
}

// maxLogProblems bounds the lines that are reported as broken: a file of another
// kind has no other.
const maxLogProblems = 100

// tryLogs reads the logs and tries their requests, on all cores.
func tryLogs(benches []*bench, logs []requestLog, results []trial) (problems diag.List) {
	list := pieces(logs)
	type outcome struct {
		trials   []trial
		problems diag.List
	}
	outcomes := make([]outcome, len(list))
	var workers sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(list)) {
		workers.Go(func() {
			reader, registers := &cedar.LogReader{}, make([]register, len(benches))
			for i := range next {
				o := outcome{trials: make([]trial, len(results))}
				o.problems = list[i].try(reader, registers, benches, o.trials)
				outcomes[i] = o
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	workers.Wait()
	for _, o := range outcomes {
		for i := range results {
			results[i].merge(&o.trials[i])
		}
		if len(problems) < maxLogProblems {
			problems.Add(o.problems...)
		}
	}
	return problems[:min(len(problems), maxLogProblems)]
}

// try reads and tries the lines of a piece.
func (p piece) try(reader *cedar.LogReader, registers []register, benches []*bench, results []trial) (problems diag.List) {
	at := diag.Position{File: p.log.name, Line: p.line}
	for rest := p.text; rest != ""; at.Line++ {
		line, more, _ := strings.Cut(rest, "\n")
		rest = more
		line = strings.TrimSuffix(line, "\r")
		switch {
		case len(problems) > maxLogProblems:
			return problems
		case strings.TrimSpace(line) == "":
			continue
		case len(line) > maxLineBytes:
			problems.Errorf(at, "file-too-large", "the line has %d bytes, more than %d", len(line), maxLineBytes)
			continue
		}
		request, bad := reader.Read(at, line)
		if bad != nil {
			bad[0].Message, bad[0].Fix = manifest.HideTokens(bad[0].Message), manifest.HideTokens(bad[0].Fix)
			problems.Add(bad[0])
			continue
		}
		request.Position = at
		var own []cedar.EntityData
		if request.Entities != "" {
			if own, bad = cedar.ParseEntitiesJSON(at.File, []byte(request.Entities)); bad != nil {
				problems.Errorf(at, bad[0].Rule, "its entities: %s", manifest.HideTokens(bad[0].Message))
				continue
			}
		}
		for i, b := range benches {
			t := try{RequestData: request.RequestData, world: b.world, unfit: b.unfit}
			if why := b.bring(&t, own); why != "" {
				for i := range b.pending {
					results[b.first+i].skipped.add(at, why, 1)
				}
				continue
			}
			if len(own) == 0 {
				t.named = registers[i].find(b, &request)
			}
			t.again = func() (cedar.RequestData, bool) {
				d, problems := cedar.ParseRequestJSON(at, []byte(line))
				return d, problems == nil
			}
			b.try(t, results, nil)
		}
	}
	return problems
}

// bring adds the entities that a line brings along, which come before those of
// files. It returns why they can't be used.
func (b *bench) bring(t *try, own []cedar.EntityData) string {
	if len(own) == 0 {
		return ""
	}
	world, problems := b.schema.Entities(own)
	if problems != nil {
		return "its entities: " + problems[0].Message
	}
	both, ok := b.world.With(world)
	if !ok {
		return "its entities: one is its own ancestor"
	}
	t.world = both
	return ""
}
