//go:build unix

// Command measure runs shell commands in turn, several times, and prints a line
// of a Markdown table for each: median, fastest and slowest wall time, peak
// resident memory, and the ratio of its median to that of the last command.
//
//	go run ./bench/measure [-n RUNS] 'LABEL=COMMAND'...
//
// Commands take turns, so that whatever else the machine is doing falls on all
// of them alike: trust the ratios more than the times. Time and memory include
// /bin/sh (about a millisecond) and, for a pipeline, every part of it: the
// memory is that of its largest process.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A series is one command and what its runs took.
type series struct {
	label, command string
	times          []time.Duration
	peak           int64 // bytes
}

func main() {
	runs := flag.Int("n", 9, "`runs` of each command, after one that isn't counted")
	before := flag.String("before", "", "shell `command` to run before each run, not measured")
	cold := flag.Bool("cold", false, "count the first run too")
	flag.Parse()
	var all []*series
	for _, arg := range flag.Args() {
		label, command, ok := strings.Cut(arg, "=")
		if !ok {
			fmt.Fprintf(os.Stderr, "measure: %q has no label\n", arg)
			os.Exit(2)
		}
		all = append(all, &series{label: label, command: command})
	}
	if len(all) == 0 || *runs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(all, *before, *runs, *cold); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	base := median(all[len(all)-1].times)
	for _, s := range all {
		m := median(s.times)
		fmt.Printf("| %s | %s | %s–%s | %.1f | %.2f |\n", s.label,
			millis(m), millis(slices.Min(s.times)), millis(slices.Max(s.times)),
			float64(s.peak)/(1<<20), float64(m)/float64(base))
	}
}

// run fills in the series. A command that fails ends it: a time of an error is
// no measurement.
func run(all []*series, before string, runs int, cold bool) error {
	for n := range runs + 1 {
		if n == 0 && cold {
			continue
		}
		for _, s := range all {
			if before != "" {
				if out, err := exec.Command("/bin/sh", "-c", before).CombinedOutput(); err != nil {
					return fmt.Errorf("%s: %w\n%s", before, err, out)
				}
			}
			took, peak, err := once(s.command)
			if err != nil {
				return fmt.Errorf("%s: %w", s.command, err)
			}
			if n == 0 {
				continue // the first run fills the page cache
			}
			s.times = append(s.times, took)
			s.peak = max(s.peak, peak)
		}
	}
	return nil
}

func once(command string) (took time.Duration, peak int64, err error) {
	var stderr strings.Builder
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stderr = &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	took = time.Since(start)
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	peak = int64(usage.Maxrss)
	if runtime.GOOS != "darwin" {
		peak *= 1024 // getrusage(2): kilobytes on Linux and the BSDs, bytes on macOS
	}
	return took, peak, nil
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
