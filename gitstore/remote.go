package gitstore

import "errors"

// RemoteOptions tell how to reach a remote.
type RemoteOptions struct {
	Name     string // remote name or URL; "" is origin, or the only remote
	Getenv   func(string) string
	Progress func(string) // told what is fetched and why; may be nil
	// TempDir holds the temporary object store; "" is the system's.
	TempDir string
}

// Remote opens a remote. No request is made yet. The error wraps
// [ErrNoRemote] if there is none.
func (r *Repo) Remote(opts RemoteOptions) (Origin, error) { panic("unwritten") }

// ErrNoRemote is returned when the repository has no remote of that name.
var ErrNoRemote = errors.New("no such remote")
