package zone

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// lagging are the new objects that reads don't see yet, by path, as if the
// replica that answers were behind. Writes see them.
type lagging struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// noteLag hides a created object for the given time.
func (s *Server) noteLag(r *http.Request, resp *response, d time.Duration) {
	if d <= 0 || resp.status != http.StatusCreated {
		return
	}
	var created struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(resp.body, &created); err != nil || created.ID == "" {
		return
	}
	now := time.Now()
	s.lag.mu.Lock()
	defer s.lag.mu.Unlock()
	maps.DeleteFunc(s.lag.until, func(_ string, end time.Time) bool { return end.Before(now) })
	s.lag.until[strings.TrimSuffix(r.URL.Path, "/")+"/"+created.ID] = now.Add(d)
}

// hides tells whether a path is, or is below, a hidden object's.
func (l *lagging) hides(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.until) == 0 {
		return false
	}
	for {
		if end, ok := l.until[path]; ok && time.Now().Before(end) {
			return true
		}
		i := strings.LastIndexByte(path, '/')
		if i <= 0 {
			return false
		}
		path = path[:i]
	}
}
