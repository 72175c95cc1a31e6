package impact

import (
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/policypin/policypin/diag"
	"github.com/policypin/policypin/internal/cedar"
	"github.com/policypin/policypin/manifest"
)

// Limits on what is read from files. Everything is held in memory.
const (
	maxRequestBytes = 512 << 20 // of all logs together: two million requests of the usual length
	maxFileBytes    = 64 << 20  // of each file in the repository, by gitstore's rule
	maxLineBytes    = 1 << 20   // a request with a thousand entities of its own
	maxEntities     = 500_000   // of all files together
)

// Given are requests that were really made, and the entities that they are
// decided in. The zero value has none.
type Given struct {
	entities []cedar.EntityData
	first    map[cedar.UID]diag.Position
	logs     []requestLog
	bytes    int
}

// A requestLog is a file with one request a line.
type requestLog struct{ name, text string }

// ReadGiven reads the entities and requests that the project's patterns match in
// fsys, which is the folder of the project file. What is wrong with entities is
// among the problems; the lines of requests are read by [Compare] alone, since
// there may be a million, and their problems are in its report. The error is one
// of fsys.
func ReadGiven(fsys fs.FS, p *manifest.Project) (*Given, diag.List, error) {
	g := &Given{}
	entities, requests, problems, err := p.RequestFiles(fsys)
	if err != nil {
		return nil, nil, err
	}
	read := func(names []string, add func(string, io.Reader) (diag.List, error)) error {
		for _, name := range names {
			list, err := readInto(fsys, name, add)
			if err != nil {
				return err
			}
			problems.Add(list...)
		}
		return nil
	}
	if err := read(entities, g.AddEntities); err != nil {
		return nil, nil, err
	}
	if err := read(requests, g.AddRequests); err != nil {
		return nil, nil, err
	}
	return g, problems, nil
}

func readInto(fsys fs.FS, name string, add func(string, io.Reader) (diag.List, error)) (problems diag.List, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		if info, bad := fs.Stat(fsys, name); bad == nil && info.Size() > maxFileBytes {
			problems.Add(diag.Problem{
				Position: diag.Position{File: name}, Rule: "file-too-large",
				Message: fmt.Sprintf("it has %d bytes, and a file in the repository at most %d", info.Size(), maxFileBytes),
				Fix:     "split it, or keep it outside the project and name it with --requests FILE or --entities FILE",
			})
			return problems, nil
		}
		return nil, err
	}
	defer f.Close()
	return add(name, f)
}

// Empty tells whether there is no request.
func (g *Given) Empty() bool { return g == nil || len(g.logs) == 0 }

// AddEntities reads entities in Cedar's JSON format. name is for messages. The
// error is one of reading.
func (g *Given) AddEntities(name string, r io.Reader) (diag.List, error) {
	data, err := io.ReadAll(io.LimitReader(r, cedar.MaxJSONBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	list, problems := cedar.ParseEntitiesJSON(name, data)
	if problems != nil {
		return problems, nil
	}
	if g.first == nil {
		g.first = make(map[cedar.UID]diag.Position, len(list))
	}
	for _, e := range list {
		if len(g.entities) >= maxEntities {
			problems.Errorf(diag.Position{File: name}, "file-too-large", "there are more than %d entities", maxEntities)
			break
		}
		if first, ok := g.first[e.UID]; ok {
			problems.Errorf(e.Position, "duplicate-entity", "entity `%s` is already in %s", manifest.HideTokens(e.UID.String()), first)
			continue
		}
		g.first[e.UID] = e.Position
		g.entities = append(g.entities, e)
	}
	return problems, nil
}

// AddRequests reads a log: one request a line. name is for messages and for the
// examples of a report. The error is one of reading.
func (g *Given) AddRequests(name string, r io.Reader) (problems diag.List, err error) {
	var text strings.Builder // gives its text away without a copy
	if f, ok := r.(fs.File); ok {
		if info, err := f.Stat(); err == nil && info.Size() <= maxRequestBytes {
			text.Grow(int(info.Size()) + 1)
		}
	}
	n, err := io.Copy(&text, io.LimitReader(r, int64(maxRequestBytes-g.bytes)+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if g.bytes += int(n); g.bytes > maxRequestBytes {
		g.bytes -= int(n)
		problems.Errorf(diag.Position{File: name}, "file-too-large", "the logs of requests have more than %d MiB", maxRequestBytes>>20)
		return problems, nil
	}
	g.logs = append(g.logs, requestLog{name, text.String()})
	return nil, nil
}
