package zone

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultHelp explains fault rules, for the help of a command that takes them.
const FaultHelp = `A fault rule is METHOD /path:KIND[=ARG][@PROBABILITY][#NTH].

METHOD is an HTTP method, or * for any. In the path, * stands for any characters
of one segment and … (or ...) for any number of segments.

KIND is one of
  STATUS         answer with this status (400 to 599) and do nothing; ARG is sent
                 as Retry-After: a number of seconds, or a duration such as 200ms;
                 +retry or +no-retry behind it sends x-should-retry: true or false
  drop           do the work, then close the connection without an answer
  refuse         close the connection without doing anything
  truncate       do the work, answer with half of the body
  lag=DURATION   a created object isn't there for reads and lists for so long
  delay=DURATION wait before doing anything

@PROBABILITY, from 0 to 1, makes it happen sometimes; #NTH makes it happen at the
NTH matching request only. Examples:

  'POST /…/versions:503@0.1'    'GET /…:429=2#3'
  'PATCH /zones/*/policy-sets/*/versions/*:drop#1'    'POST /…:lag=500ms'
  'POST /…/policies:409+retry'`

// A Fault makes some requests fail. See ParseFault.
type Fault struct {
	method      string // "*" is any
	path        []string
	kind        string
	status      int
	retryAfter  time.Duration // negative: none
	shouldRetry string        // "true", "false" or none, for x-should-retry
	wait        time.Duration // of lag and delay
	probability float64
	nth         int // 0: every one
}

// maxFaultWait bounds every duration of a rule; a longer one is a typing error.
const maxFaultWait = time.Hour

// ParseFault reads a rule such as 'POST /…/versions:503@0.1'; [FaultHelp]
// explains its parts. Of several rules, the first that fires and isn't a delay
// or a lag decides; delays add up.
func ParseFault(rule string) (Fault, error) {
	f, err := parseFault(rule)
	if err != nil {
		return Fault{}, fmt.Errorf("fault rule %q: %w", rule, err)
	}
	return f, nil
}

func parseFault(rule string) (Fault, error) {
	f := Fault{probability: 1, retryAfter: -1}
	method, rest, ok := strings.Cut(strings.TrimSpace(rule), " ")
	rest = strings.TrimSpace(rest)
	colon := strings.LastIndexByte(rest, ':')
	if !ok || !strings.HasPrefix(rest, "/") || colon < 0 {
		return f, fmt.Errorf("it must read METHOD /path:KIND")
	}
	f.method = strings.ToUpper(method)
	if strings.Trim(f.method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" && f.method != "*" {
		return f, fmt.Errorf("%q is not a method", method)
	}
	for _, segment := range strings.Split(rest[1:colon], "/") {
		if segment == "..." {
			segment = "…"
		}
		if _, err := path.Match(segment, ""); err != nil {
			return f, fmt.Errorf("bad pattern %q", segment)
		}
		f.path = append(f.path, segment)
	}
	kind, nth, hasNth := strings.Cut(rest[colon+1:], "#")
	if hasNth {
		n, err := strconv.Atoi(nth)
		if err != nil || n < 1 {
			return f, fmt.Errorf("#%s: it must be a number from 1", nth)
		}
		f.nth = n
	}
	kind, probability, hasProbability := strings.Cut(kind, "@")
	if hasProbability {
		p, err := strconv.ParseFloat(probability, 64)
		if err != nil || !(p >= 0 && p <= 1) {
			return f, fmt.Errorf("@%s: it must be a number from 0 to 1", probability)
		}
		f.probability = p
	}
	kind, retry, hasRetry := strings.Cut(kind, "+")
	kind, arg, hasArg := strings.Cut(kind, "=")
	if err := f.setKind(kind, arg, hasArg); err != nil {
		return f, err
	}
	switch {
	case !hasRetry:
	case f.kind != "status":
		return f, fmt.Errorf("+%s goes with a status only", retry)
	case retry == "retry":
		f.shouldRetry = "true"
	case retry == "no-retry":
		f.shouldRetry = "false"
	default:
		return f, fmt.Errorf("+%s: it is +retry or +no-retry", retry)
	}
	return f, nil
}

func (f *Fault) setKind(kind, arg string, hasArg bool) (err error) {
	f.kind = kind
	switch kind {
	case "drop", "refuse", "truncate":
		if hasArg {
			return fmt.Errorf("%s takes no argument", kind)
		}
	case "lag", "delay":
		f.wait, err = parseWait(arg)
		return err
	default:
		f.kind = "status"
		if f.status, err = strconv.Atoi(kind); err != nil || f.status < 400 || f.status > 599 {
			return fmt.Errorf("unknown kind %q: it is a status from 400 to 599, drop, refuse, truncate, lag or delay", kind)
		}
		if !hasArg {
			return nil
		}
		if seconds, err := strconv.Atoi(arg); err == nil {
			arg = strconv.Itoa(seconds) + "s"
		}
		f.retryAfter, err = parseWait(arg)
	}
	return err
}

func parseWait(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxFaultWait {
		return 0, fmt.Errorf("%q is not a duration from 0 to %s", text, maxFaultWait)
	}
	return d, nil
}

// matches tells whether the rule is about a request.
func (f *Fault) matches(r *http.Request) bool {
	if f.method != "*" && f.method != r.Method {
		return false
	}
	segments, err := pathSegments(r.URL)
	return err == nil && matchSegments(f.path, segments)
}

// matchSegments goes back to the last … only, which is enough, so that no
// pattern takes more than quadratic time.
func matchSegments(pattern, segments []string) bool {
	p, s, lastP, lastS := 0, 0, -1, 0
	for s < len(segments) {
		if p < len(pattern) && pattern[p] == "…" {
			lastP, lastS = p, s
			p++
			continue
		}
		if p < len(pattern) {
			if ok, _ := path.Match(pattern[p], segments[s]); ok {
				p++
				s++
				continue
			}
		}
		if lastP < 0 {
			return false
		}
		lastS++
		p, s = lastP+1, lastS
	}
	for p < len(pattern) && pattern[p] == "…" {
		p++
	}
	return p == len(pattern)
}

// An armedFault counts the requests that match a rule.
type armedFault struct {
	Fault
	mu     sync.Mutex
	count  int
	chance *rand.Rand // the same in every run
}

func newArmedFault(f Fault) *armedFault {
	return &armedFault{Fault: f, chance: rand.New(rand.NewPCG(2026, 1))}
}

func (f *armedFault) fires(r *http.Request) bool {
	if !f.matches(r) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if f.nth != 0 && f.count != f.nth {
		return false
	}
	return f.probability == 1 || f.chance.Float64() < f.probability
}

// An effect is what the rules do to one request.
type effect struct {
	delay, lag time.Duration
	refuse     bool
	failure    *apiError
	ending     ending
}

func (s *Server) firing(r *http.Request) effect {
	var e effect
	decided := false
	for _, f := range s.faults {
		if !f.fires(r) {
			continue
		}
		switch {
		case f.kind == "delay":
			e.delay += f.wait
		case f.kind == "lag":
			e.lag = max(e.lag, f.wait)
		case decided:
		case f.kind == "drop":
			decided, e.ending = true, dropped
		case f.kind == "truncate":
			decided, e.ending = true, truncated
		case f.kind == "refuse":
			decided, e.refuse = true, true
		default:
			decided, e.failure = true, f.failure()
		}
	}
	return e
}

func (f *Fault) failure() *apiError {
	e := &apiError{status: f.status, message: "this failure was asked for", header: http.Header{}}
	if f.retryAfter >= 0 {
		// Retry-After has whole seconds (RFC 9110, section 10.2.3).
		e.header.Set("Retry-After", strconv.Itoa(int((f.retryAfter+time.Second-1)/time.Second)))
		e.header.Set("Retry-After-Ms", strconv.FormatInt(f.retryAfter.Milliseconds(), 10))
	}
	if f.shouldRetry != "" {
		e.header.Set("X-Should-Retry", f.shouldRetry)
	}
	return e
}
