package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/config"
	format "github.com/go-git/go-git/v5/plumbing/format/config"
)

// maxConfigBytes limits a configuration file, which has a few kilobytes.
const maxConfigBytes = 8 << 20

// readSettings reads configuration files as one, without judging them. Those
// that don't exist are empty.
func readSettings(names ...string) (*format.Config, error) {
	raw := format.New()
	for _, name := range names {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.Size() > maxConfigBytes {
			return nil, fmt.Errorf("%s has %d bytes; the limit is %d", name, info.Size(), maxConfigBytes)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		one := format.New()
		if err := format.NewDecoder(bytes.NewReader(text)).Decode(one); err != nil {
			// go-git 5.19 knows neither settings on the line of their section nor
			// [section.subsection]. What git can't read either is an error.
			var gitErr error
			if one, gitErr = settingsByGit(name); gitErr != nil {
				return nil, fmt.Errorf("reading %s: %w", name, err)
			}
		}
		for _, section := range one.Sections {
			for _, o := range section.Options {
				raw.AddOption(section.Name, format.NoSubsection, o.Key, o.Value)
			}
			for _, sub := range section.Subsections {
				for _, o := range sub.Options {
					raw.AddOption(section.Name, sub.Name, o.Key, o.Value)
				}
			}
		}
	}
	return raw, nil
}

// settingsByGit has git read one configuration file, without what it includes.
func settingsByGit(name string) (*format.Config, error) {
	out, err := gitProcess{gitDir: filepath.Dir(name)}.run(nil, nil, "config", "--null", "--no-includes", "--file", name, "--list")
	if err != nil {
		return nil, err
	}
	raw := format.New()
	for setting := range strings.SplitSeq(string(out), "\x00") {
		if setting == "" {
			continue
		}
		key, value, ok := strings.Cut(setting, "\n")
		if !ok {
			value = "true" // it has no =
		}
		section, rest, _ := strings.Cut(key, ".")
		sub := format.NoSubsection
		if last := strings.LastIndexByte(rest, '.'); last >= 0 {
			sub, rest = rest[:last], rest[last+1:]
		}
		raw.AddOption(section, sub, rest, value)
	}
	return raw, nil
}

// settings reads the repository's configuration.
func (s *store) settings() (*format.Config, error) {
	return readSettings(filepath.Join(s.commonDir, "config"))
}

// Config returns the configuration without what go-git 5.19 would refuse or
// misread and a reader has no use for: extensions, which [store.checkFormat]
// has judged, settings of branches (it doesn't know rebase = merges) and packs,
// remotes without a URL, what remotes fetch (it doesn't know ^refs/heads/x), and
// URL rules without insteadOf (it takes those for rules about every URL).
func (s *store) Config() (*config.Config, error) {
	raw, err := s.settings()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"extensions", "branch", "pack"} {
		raw.RemoveSection(name)
	}
	raw.Section("remote").Subsections = having(raw.Section("remote").Subsections, "url")
	for _, remote := range raw.Section("remote").Subsections {
		remote.RemoveOption("fetch")
	}
	raw.Section("url").Subsections = having(raw.Section("url").Subsections, "insteadOf")
	var text bytes.Buffer
	if err := format.NewEncoder(&text).Encode(raw); err != nil {
		return nil, err
	}
	return config.ReadConfig(&text)
}

// having returns the subsections that have an option.
func having(list format.Subsections, option string) format.Subsections {
	var kept format.Subsections
	for _, sub := range list {
		if sub.Option(option) != "" {
			kept = append(kept, sub)
		}
	}
	return kept
}

// SetConfig refuses: policypin never writes a repository's configuration, and
// what Config returns isn't the whole of it.
func (s *store) SetConfig(*config.Config) error {
	return errors.New("the repository's configuration is read-only here")
}

// configBool reads a boolean as git-config(1) does.
func configBool(s string) bool {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}
