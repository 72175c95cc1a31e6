package zone

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestClientInAnotherLanguage runs testdata/client/client.py, which was written
// from api/openapi.yaml alone, against a policypin serve process. Then it kills
// that process: everything the client was told is there for the next one.
func TestClientInAnotherLanguage(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "policypin")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/policypin").CombinedOutput(); err != nil {
		t.Fatalf("building policypin: %v\n%s", err, out)
	}
	for _, args := range [][]string{
		{"--clock", "fixed", "--ids", "sequential"},
		{"--fault", "GET /…:delay=1ms"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			db := filepath.Join(t.TempDir(), "zone.db")
			url, server := startServe(t, binary, append(args, "--db", db)...)
			cmd := exec.Command(python, "-I", "-B", "testdata/client/client.py", url, LocalZoneID)
			cmd.Env = append(os.Environ(), clientEnv...)
			var errs strings.Builder
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, errs.String())
			}
			var made struct {
				Policies    []string `json:"policies"`
				Set         string   `json:"set"`
				SetVersions []string `json:"set_versions"`
			}
			if err := json.Unmarshal(out, &made); err != nil || len(made.Policies) != 5 || len(made.SetVersions) != 3 {
				t.Fatalf("the client printed %s, %v", out, err)
			}

			if err := server.Process.Kill(); err != nil { // SIGKILL, to this process alone
				t.Fatal(err)
			}
			_ = server.Wait() // it was killed
			url, _ = startServe(t, binary, append(args, "--db", db)...)
			set := fetch(t, url+"/zones/"+LocalZoneID+"/policy-sets/"+made.Set)
			if set["active_version_id"] != made.SetVersions[1] || set["latest_version"] != 3.0 {
				t.Errorf("after a kill: got %v, want version 2 of 3 active", set)
			}
			if gone := fetch(t, url+"/zones/"+LocalZoneID+"/policies/"+made.Policies[0]); gone["archived_at"] == nil {
				t.Errorf("after a kill: got %v, want it archived", gone)
			}
		})
	}
}

const clientToken = "not-a-real-token"

var clientEnv = []string{
	"KEYCARD_API_CLIENT_ID=sa-example", "KEYCARD_API_CLIENT_SECRET=not-a-real-secret", "KEYCARD_API_TOKEN=" + clientToken,
}

// startServe starts policypin serve on a free port, and ends it with the test.
func startServe(t *testing.T, binary string, args ...string) (url string, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), clientEnv...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // a process of this test
			_ = cmd.Wait()
		}
	})
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("serve began with %q, %v", line, err)
	}
	go io.Copy(io.Discard, lines)
	return url, cmd
}

func fetch(t *testing.T, url string) map[string]any {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+clientToken)
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: got %d, %v", url, resp.StatusCode, err)
	}
	return body
}
