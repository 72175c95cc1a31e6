package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/keycard"
	"github.com/policypin/policypin/internal/zone"
	"github.com/policypin/policypin/manifest"
)

// localTarget is the name of the built-in target.
const localTarget = "local"

// storeWait is how long a reader waits for a command that has the local zone's
// store open: longer than most of them need it, short enough to notice a serve
// that holds it for good.
const storeWait = 10 * time.Second

// readZone opens a target's zone for reading. The caller closes it.
func (w *world) readZone(p *project, t manifest.Target, apiURL string) (*keycard.Reader, func(), error) {
	cfg, done, err := w.zoneConfig(p, t, apiURL, storeAccess{wait: storeWait})
	if err != nil {
		return nil, nil, err
	}
	r, err := keycard.NewReader(cfg, t.ZoneID)
	if err != nil {
		done()
		return nil, nil, badConfig(err)
	}
	return r, done, nil
}

// writeZone opens a target's zone for writing, and waits for another writer of
// the local zone. The caller closes it.
func (w *world) writeZone(p *project, t manifest.Target, apiURL string, wait time.Duration) (*keycard.Client, func(), error) {
	cfg, done, err := w.zoneConfig(p, t, apiURL, storeAccess{write: true, wait: wait})
	if err != nil {
		return nil, nil, err
	}
	c, err := keycard.New(cfg, t.ZoneID)
	if err != nil {
		done()
		return nil, nil, badConfig(err)
	}
	return c, done, nil
}

// badConfig says where to look when credentials can't even be tried.
func badConfig(err error) error {
	if errors.Is(err, keycard.ErrAddress) {
		return err
	}
	return &hinted{err: err, hint: "check KEYCARD_API_TOKEN, KEYCARD_API_CLIENT_ID and KEYCARD_API_CLIENT_SECRET; a line break at the end is often left by a file or a paste"}
}

// storeAccess is how the store of the local zone is opened.
type storeAccess struct {
	write bool
	wait  time.Duration // for another process that has it open
}

// zoneConfig says how a target's zone is reached: in process for the local
// target, else as flag and environment say. Nothing in the repository decides
// where credentials are sent.
func (w *world) zoneConfig(p *project, t manifest.Target, apiURL string, access storeAccess) (keycard.Config, func(), error) {
	cfg := keycard.Config{UserAgent: "policypin/" + build().Version, OnSecret: func(s string) { w.secrets.Add(s) }}
	for name, dest := range map[string]*time.Duration{
		"POLICYPIN_TEST_RETRY_BASE": &cfg.RetryBase,
		"POLICYPIN_TEST_LOOKUP_FOR": &cfg.LookupFor,
	} {
		if err := w.testDuration(name, dest); err != nil {
			return cfg, nil, err
		}
	}
	if t.Name == localTarget {
		server, err := w.openStore(p, t, access)
		if err != nil {
			return cfg, nil, fmt.Errorf("opening the local zone: %w", err)
		}
		cfg.Transport = server.Transport()
		return cfg, func() { server.Close() }, nil
	}
	cfg.BaseURL = cmp.Or(apiURL, w.getenv("KEYCARD_API_BASE_URL"))
	cfg.ClientID = w.getenv("KEYCARD_API_CLIENT_ID")
	cfg.ClientSecret = w.getenv("KEYCARD_API_CLIENT_SECRET")
	cfg.Token = w.getenv("KEYCARD_API_TOKEN")
	cfg.TokenCommand = w.getenv("KEYCARD_API_TOKEN_COMMAND")
	if cfg.ClientID == "" && cfg.ClientSecret == "" && cfg.Token == "" && cfg.TokenCommand == "" {
		return cfg, nil, &hinted{
			err:  fmt.Errorf("no credentials for target %s", t.Name),
			hint: "set KEYCARD_API_CLIENT_ID and KEYCARD_API_CLIENT_SECRET, or KEYCARD_API_TOKEN, or KEYCARD_API_TOKEN_COMMAND",
		}
	}
	if ways := set(w, "KEYCARD_API_CLIENT_ID", "KEYCARD_API_TOKEN", "KEYCARD_API_TOKEN_COMMAND"); len(ways) > 1 {
		return cfg, nil, &hinted{
			err:  fmt.Errorf("several credentials for target %s: %s are set", t.Name, strings.Join(ways, " and ")),
			hint: "unset all but one of them",
		}
	}
	if cfg.Token == "" && cfg.TokenCommand == "" && (cfg.ClientID == "" || cfg.ClientSecret == "") {
		there, lacking := "KEYCARD_API_CLIENT_ID", "KEYCARD_API_CLIENT_SECRET"
		if cfg.ClientID == "" {
			there, lacking = lacking, there
		}
		return cfg, nil, &hinted{
			err:  fmt.Errorf("incomplete credentials for target %s: %s is set, %s isn't", t.Name, there, lacking),
			hint: "in a workflow, an empty variable is often a secret that this run isn't given",
		}
	}
	return cfg, func() {}, nil
}

// set lists the variables that aren't empty.
func set(w *world, names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return w.getenv(name) == "" })
}

// quietWait is how long one waits for the store without saying so: as long as a
// command takes that reads or publishes a little.
const quietWait = time.Second

// openStore opens the local zone, and says so when it has to wait.
func (w *world) openStore(p *project, t manifest.Target, access storeAccess) (*zone.Server, error) {
	first := access
	first.wait = min(access.wait, quietWait)
	server, err := openLocalZone(p, t, first)
	if !errors.Is(err, zone.ErrBusy) || access.wait <= quietWait {
		return server, err
	}
	w.say("waiting for another process that has the local zone open")
	access.wait -= quietWait
	return openLocalZone(p, t, access)
}

// openLocalZone opens the store in the common Git directory, so that all work
// trees of a clone share it. A reader creates nothing.
func openLocalZone(p *project, t manifest.Target, access storeAccess) (*zone.Server, error) {
	opts := zone.Options{Zones: []string{t.ZoneID}, ReadOnly: !access.write, LockWait: access.wait, NoAuth: true}
	if p == nil || p.repo == nil {
		if access.write {
			return nil, gitstore.ErrNoRepository
		}
		return zone.Open(opts) // nothing can have been published: the seed is all there is
	}
	folder := filepath.Join(p.repo.CommonDir(), "policypin")
	opts.Path = filepath.Join(folder, "zone.db")
	if access.write {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return nil, err
		}
	}
	return zone.Open(opts)
}

// testDuration reads one of the intervals that tests shorten.
func (w *world) testDuration(name string, dest *time.Duration) error {
	text := w.getenv(name)
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return &usage{msg: fmt.Sprintf("%s: %v", name, err)}
	}
	*dest = d
	return nil
}

// An originChoice says where pins are read from.
type originChoice struct {
	local  bool   // --local: the clone's own tags
	remote string // --remote: a remote's name
}

// origin opens the place where the target's pins are. Those of the local target
// stay in the clone unless a remote is named.
func (w *world) origin(p *project, t manifest.Target, choice originChoice) (gitstore.Origin, error) {
	repo, err := p.git()
	if err != nil {
		return nil, err
	}
	if choice.local || t.Name == localTarget && choice.remote == "" {
		return repo.Local(), nil
	}
	return repo.Remote(gitstore.RemoteOptions{
		Name:     choice.remote,
		Getenv:   w.getenv,
		Progress: func(text string) { w.say("%s", text) },
		TempMade: w.left.add,
	})
}
