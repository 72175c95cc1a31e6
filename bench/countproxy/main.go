//go:build unix

// Command countproxy runs a command that talks to a Keycard API, stands before
// that API, and prints how many requests of each kind the command made, how long
// it took and its peak memory, as Markdown.
//
//	countproxy UPSTREAM COMMAND [ARGUMENT...]
package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/policypin/policypin/internal/faultproxy"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: countproxy UPSTREAM COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "countproxy:", err)
		os.Exit(1)
	}
}

func run(upstream string, command []string) error {
	proxy, err := faultproxy.Start(upstream)
	if err != nil {
		return err
	}
	defer proxy.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "KEYCARD_API_BASE_URL="+proxy.URL)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
	}
	took := time.Since(start)

	requests := proxy.Requests()
	counts := map[string]int{}
	for _, r := range requests {
		counts[kind(r)]++
	}
	fmt.Printf("| request | count |\n| --- | --- |\n")
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	}) {
		fmt.Printf("| %s | %d |\n", k, counts[k])
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	peak := int64(usage.Maxrss)
	if runtime.GOOS != "darwin" {
		peak *= 1024 // getrusage(2): kilobytes on Linux and the BSDs, bytes on macOS
	}
	fmt.Printf("\n%d requests in %.2f s, peak memory of the client %.1f MiB.\n", len(requests), took.Seconds(), float64(peak)/(1<<20))
	return nil
}

// kind is a request without its ids: every second segment below /zones.
func kind(r faultproxy.Request) string {
	path, _, _ := strings.Cut(r.Path, "?")
	parts := strings.Split(path, "/")
	for i := 2; i < len(parts) && parts[1] == "zones"; i += 2 {
		parts[i] = "…"
	}
	return r.Method + " " + strings.Join(parts, "/")
}
