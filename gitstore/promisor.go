package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"

	"github.com/go-git/go-git/v5/plumbing"
)

// A promisor is the remote of a partial clone (clone --filter), which has
// promised the objects that the clone lacks. go-git can't ask for them, so git
// does, as it would by itself; they stay in the clone, like all that git
// fetches there.
type promisor struct {
	git    gitProcess
	remote string
}

// IsPartial tells whether the clone lacks objects on purpose (clone --filter). Git
// fetches those that are read.
func (r *Repo) IsPartial() bool { return r.store.promisor != nil }

// promisorOf returns the promisor of a clone, nil if it isn't partial.
func (s *store) promisorOf(g gitProcess) (*promisor, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	if name := settings.Section("extensions").Option("partialClone"); name != "" {
		return &promisor{g, name}, nil
	}
	for _, remote := range settings.Section("remote").Subsections {
		if configBool(remote.Option("promisor")) {
			return &promisor{g, remote.Name}, nil
		}
	}
	return nil, nil
}

// fetch brings objects into the clone with one request, by the command that
// git itself runs for a missing object.
func (p *promisor) fetch(missing []plumbing.Hash) error {
	var ids bytes.Buffer
	for _, h := range missing {
		fmt.Fprintln(&ids, h)
	}
	// Maintenance goes on in the background, and would take packs away from under
	// us. It has time until the user's next fetch.
	err := p.git.trusted()
	if err == nil {
		_, err = p.git.run(ids.Bytes(), nil, "-c", "fetch.negotiationAlgorithm=noop", "-c", "gc.auto=0",
			"-c", "maintenance.auto=false", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
			"--recurse-submodules=no", "--filter=blob:none", "--stdin", "--", p.remote)
	}
	if err == nil {
		return nil
	}
	why := fmt.Errorf("%w: this partial clone lacks object %s", ErrUnsupported, missing[0])
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w, and there is no git to fetch it; install git, or clone without --filter", why)
	}
	return fmt.Errorf("%w, and fetching it failed; try git fetch --refetch --no-filter %s, or clone without --filter: %w",
		why, p.remote, err)
}

// promised fetches what a partial clone lacks of some objects, and makes
// go-git see it. The caller holds s.mu.
func (s *store) promised(want []plumbing.Hash) error {
	var missing []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	for _, h := range want {
		if !seen[h] && s.has(h) != nil {
			missing = append(missing, h)
		}
		seen[h] = true
	}
	if len(missing) == 0 {
		return nil
	}
	if err := s.promisor.fetch(missing); err != nil {
		return err
	}
	s.packs = s.packTime()
	s.Storage.Reindex()
	return nil
}

// announce tells the store that a blob is about to be read, and which others
// are likely to follow, so that a partial clone fetches them together.
func (s *store) announce(h plumbing.Hash, likely func() []plumbing.Hash) error {
	if s.promisor == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has(h) == nil {
		return nil
	}
	return s.promised(append([]plumbing.Hash{h}, likely()...))
}
