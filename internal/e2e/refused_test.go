package e2e_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/gittest"
)

// hook installs an update hook on the remote that refuses some refs, given as a
// shell pattern. It returns a function that removes it.
func (w *world) hook(pattern string) (remove func()) {
	w.Helper()
	if runtime.GOOS == "windows" {
		w.Skip("hooks are shell scripts")
	}
	name := filepath.Join(w.remote(), "hooks", "update")
	text := "#!/bin/sh\ncase $1 in " + pattern + ") echo 'the ruleset says no' >&2; exit 1;; esac\n"
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o777); err != nil {
		w.Fatal(err)
	}
	return func() { os.Remove(name) }
}

// faulty starts a zone with fault rules.
func (w *world) faulty(faults ...string) *zoneProcess {
	w.Helper()
	args := []string{"serve", "--addr", "127.0.0.1:0", "--db", w.store(), "--zone", zoneID, "--clock", "fixed", "--ids", "sequential"}
	for _, f := range faults {
		args = append(args, "--fault", f)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(gittest.Env(), "KEYCARD_API_TOKEN="+token)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	z := &zoneProcess{TB: w, cmd: cmd}
	w.Cleanup(z.stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			z.url = strings.TrimSpace(url)
			go io.Copy(io.Discard, out)
			return z
		}
	}
	w.Fatal("policypin serve did not say where it listens")
	return nil
}

// publish runs publish --target production and returns its exit status and what
// it printed.
func (w *world) publish(z *zoneProcess, args ...string) (int, string) {
	w.Helper()
	return start(w, w.clone(), env(z.url, patientLock...), append([]string{"publish", "--target", "production"}, args...)...).wait(w)
}

func has(t *testing.T, out string, words ...string) {
	t.Helper()
	for _, text := range words {
		if !strings.Contains(out, text) {
			t.Errorf("the output lacks %q:\n%s", text, out)
		}
	}
}

// A ruleset on tags answers only to a real push, when the versions exist. The
// message says so, and the same command ends well once the rule is gone.
func TestARefusedPinIsPushedByTheSameCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit("one", project(t))
	z := w.serve()
	remove := w.hook("refs/tags/policypin/production/agents/*")
	code, out := w.publish(z)
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	has(t, out, "v1 of agents exists, is not pinned and not active", "the ruleset says no", "the same command goes on from here",
		"done: pinned v1 of policy set admins", "done: created version 1 of policy set agents")
	if strings.Contains(out, "v1 of admins exists") {
		t.Errorf("admins was pinned, and is reported as refused:\n%s", out)
	}
	if p := w.look(z); len(p.Tags) != 2 {
		t.Errorf("tags: got %v, want those of admins and readers", p.Tags)
	}
	remove()
	if code, out = w.publish(z); code != 0 {
		t.Fatalf("again: exit %d\n%s", code, out)
	}
	has(t, out, "published agents v1")
	for set, versions := range w.look(z).Versions {
		if !slices.Equal(versions, []int{1}) {
			t.Errorf("%s has the versions %v, want [1]", set, versions)
		}
	}
	if code, out = w.publish(z); code != 0 || !strings.Contains(out, "nothing to publish") {
		t.Errorf("once more: exit %d\n%s", code, out)
	}
}

// A remote that takes no lock ref is no reason to stop.
func TestARemoteWithoutLockRefs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit("one", project(t))
	z := w.serve()
	w.hook("refs/policypin/*")
	code, out := w.publish(z)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	has(t, out, "published agents v1", "the ruleset says no", "a spare version may appear")
}

// An interrupted run says what is done, and leaves nothing that the next one
// has to wait for.
func TestAnInterruptedPublishSaysWhatIsDone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGINT to send")
	}
	w := newWorld(t)
	w.commit("one", project(t))
	z := w.faulty("POST /…/policy-sets/*/versions:delay=20s#2")
	p := start(t, w.clone(), env(z.url), "publish", "--target", "production")
	deadline := time.Now().Add(time.Minute)
	for len(w.look(z).Versions) < 1 {
		if time.Now().After(deadline) {
			t.Fatal("the first set got no version")
		}
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	code, out := p.wait(t)
	if code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	has(t, out, "interrupted", "done: created version 1 of policy set admins", "the same command goes on from here")
	z.stop()
	z = w.serve()
	began := time.Now()
	p = start(t, w.clone(), env(z.url), "publish", "--target", "production") // with the usual, long intervals of the lock
	if code, out = p.wait(t); code != 0 {
		t.Fatalf("again: exit %d\n%s", code, out)
	}
	if took := time.Since(began); took > 60*time.Second {
		t.Errorf("the next run took %v: the lock was left behind", took)
	}
	for set, versions := range w.look(z).Versions {
		if !slices.Equal(versions, []int{1}) {
			t.Errorf("%s has the versions %v, want [1]", set, versions)
		}
	}
}

// Lost answers and replicas that lag, on every kind of create at once.
func TestLostAnswersBehindALaggingReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit("one", project(t))
	z := w.faulty("POST /…:lag=400ms",
		"POST /zones/*/policies:drop#2", "POST /…/policies/*/versions:drop#1", "POST /…/policies/*/versions:truncate#3",
		"POST /zones/*/policy-sets:drop#1", "POST /…/policy-sets/*/versions:drop#2", "POST /…/policy-sets/*/versions:drop#3")
	long := append(patientLock, "POLICYPIN_TEST_LOOKUP_FOR=5s")
	p := start(t, w.clone(), append(env(z.url), long...), "publish", "--target", "production")
	code, out := p.wait(t)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	got := w.look(z)
	for set, versions := range got.Versions {
		if !slices.Equal(versions, []int{1}) {
			t.Errorf("%s has the versions %v, want [1]", set, versions)
		}
	}
	for name, texts := range got.Policies {
		if len(texts) != 1 {
			t.Errorf("policy %s has %d versions, want 1", name, len(texts))
		}
	}
	if len(got.Tags) != 3 {
		t.Errorf("tags: got %v, want three", got.Tags)
	}
}
