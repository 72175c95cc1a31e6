package main

import (
	"runtime"
	"runtime/debug"

	"github.com/policypin/policypin/internal/report"
	"github.com/urfave/cli/v2"
)

// release is the version of a released build, set by the linker.
var release string

func versionCommand(w *world) *cli.Command {
	var format choice
	return &cli.Command{
		Name:  "version",
		Usage: "show which build this is",
		Description: help{
			text:     "Prints the version, the commit it was built from, and the Go version. No file is read and no request is made.",
			examples: []string{"policypin version", "policypin version --format json"},
			statuses: []int{statusOK, statusUsage},
		}.String(),
		Flags: []cli.Flag{formatFlag(&format, formatText, formatJSON)},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return writeVersion(w, format.value)
		},
	}
}

func writeVersion(w *world, format string) error {
	b := build()
	if format == formatJSON {
		return report.JSON(w.stdout, b)
	}
	return report.Build(w.stdout, b)
}

// build reads what the linker and the Go command have recorded.
func build() report.BuildInfo {
	b := report.BuildInfo{Schema: 1, Name: "policypin", Version: release, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		if b.Version == "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	return b
}
