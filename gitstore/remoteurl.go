package gitstore

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/config"
	format "github.com/go-git/go-git/v5/plumbing/format/config"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// remoteSettings are what Git's configuration says about remotes and their URLs.
type remoteSettings struct {
	urls, pushURLs           map[string][]string // by the remote's name
	insteadOf, pushInsteadOf []urlRule
}

// A urlRule says that URLs which begin with prefix begin with base instead.
type urlRule struct{ base, prefix string }

// remoteURLs finds a remote in the configuration. name is "" in the answer for
// a URL that was given directly.
func (r *Repo) remoteURLs(want string) (name, fetchURL, pushURL string, err error) {
	set, err := r.remoteSettings()
	if err != nil {
		return "", "", "", fmt.Errorf("reading the configuration: %w", err)
	}
	name = want
	if name == "" {
		name = "origin"
		if len(set.urls) == 1 {
			for name = range set.urls {
			}
		}
	}
	if urls := set.urls[name]; len(urls) > 0 {
		fetchURL, pushURL = set.rewrite(urls[0])
		if own := set.pushURLs[name]; len(own) > 0 {
			pushURL = instead(set.insteadOf, own[0])
		}
		return name, r.absolute(fetchURL), r.absolute(pushURL), nil
	}
	if want == "" {
		return "", "", "", fmt.Errorf("%w: the repository has no remote \"origin\"", ErrNoRemote)
	}
	if !strings.ContainsAny(want, ":/\\") {
		return "", "", "", fmt.Errorf("%w: %q", ErrNoRemote, want)
	}
	fetchURL, pushURL = set.rewrite(want)
	return "", fetchURL, pushURL, nil
}

// remoteSettings asks git, which knows all its files, what they include, and the
// environment. Without git, the files in their usual places are read.
func (r *Repo) remoteSettings() (remoteSettings, error) {
	out, err := gitProcess{r.gitDir, r.root}.run(nil, nil, "config", "--null", "--get-regexp",
		`^(remote\..*\.(url|pushurl)|url\..*\.(insteadof|pushinsteadof))$`)
	none, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !(ok && none.ExitCode() == 1 && len(out) == 0) { // 1 means that there are no such settings
		return r.settingsOfFiles()
	}
	set := newRemoteSettings()
	for setting := range strings.SplitSeq(string(out), "\x00") {
		key, value, _ := strings.Cut(setting, "\n")
		section, rest, ok := strings.Cut(key, ".")
		if last := strings.LastIndexByte(rest, '.'); ok && last >= 0 {
			set.add(section, rest[:last], rest[last+1:], value)
		}
	}
	return set, nil
}

func newRemoteSettings() remoteSettings {
	return remoteSettings{urls: map[string][]string{}, pushURLs: map[string][]string{}}
}

// settingsOfFiles reads the files of the machine, the user and the repository. Of
// the first two, one that can't be read says nothing.
func (r *Repo) settingsOfFiles() (remoteSettings, error) {
	set := newRemoteSettings()
	for _, scope := range []config.Scope{config.SystemScope, config.GlobalScope} {
		files, err := config.Paths(scope)
		if err != nil {
			continue // the user has no home
		}
		for _, file := range files {
			if raw, err := readSettings(file); err == nil {
				set.take(raw)
			}
		}
	}
	raw, err := r.store.settings()
	if err != nil {
		return set, err
	}
	set.take(raw)
	return set, nil
}

// take takes what go-git has read of one file.
func (set *remoteSettings) take(raw *format.Config) {
	for _, section := range []string{"remote", "url"} {
		for _, sub := range raw.Section(section).Subsections {
			for _, o := range sub.Options {
				set.add(section, sub.Name, o.Key, o.Value)
			}
		}
	}
}

// add takes one setting. An empty URL clears those before it (git-config(1)).
func (set *remoteSettings) add(section, name, key, value string) {
	list := func(urls map[string][]string) {
		if urls[name] = append(urls[name], value); value == "" {
			delete(urls, name)
		}
	}
	switch section + "." + strings.ToLower(key) {
	case "remote.url":
		list(set.urls)
	case "remote.pushurl":
		list(set.pushURLs)
	case "url.insteadof":
		set.insteadOf = append(set.insteadOf, urlRule{name, value})
	case "url.pushinsteadof":
		set.pushInsteadOf = append(set.pushInsteadOf, urlRule{name, value})
	}
}

// rewrite applies the rules to the URL of a remote that has no other for pushes.
func (set *remoteSettings) rewrite(u string) (fetch, push string) {
	fetch = instead(set.insteadOf, u)
	if push = instead(set.pushInsteadOf, u); push == u {
		push = fetch
	}
	return fetch, push
}

// instead applies url.<base>.insteadOf, the longest match first.
func instead(rules []urlRule, u string) string {
	var best urlRule
	for _, rule := range rules {
		if strings.HasPrefix(u, rule.prefix) && len(rule.prefix) > len(best.prefix) {
			best = rule
		}
	}
	return best.base + strings.TrimPrefix(u, best.prefix)
}

// absolute resolves a relative path as git does, from the top of the work tree.
func (r *Repo) absolute(u string) string {
	ep, err := transport.NewEndpoint(u)
	if err != nil || ep.Protocol != "file" || strings.HasPrefix(u, "file:") || filepath.IsAbs(u) {
		return u
	}
	if r.root == "" {
		return filepath.Join(r.gitDir, u)
	}
	return filepath.Join(r.root, u)
}
