package zone

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// writerEnv names the store of a child process that writes until it is killed.
const writerEnv = "POLICYPIN_TEST_ZONE_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		writeForEver(path)
	}
	os.Exit(m.Run())
}

// writeForEver creates policies, versions and set versions from several
// goroutines and prints each one when it is acknowledged.
func writeForEver(path string) {
	s, err := Open(Options{Path: path, NoAuth: true, SequentialIDs: true})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	create := func(method, path, body string) answer {
		a, err := try(s, method, path, body)
		if err != nil || a.status >= 400 {
			fmt.Println("error", err, a.raw)
			os.Exit(1)
		}
		return a
	}
	for worker := range 4 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("p-%d-%d-%d", os.Getpid(), worker, i)
				p := create("POST", "policies", `{"name":"`+name+`"}`)
				fmt.Println("policies/" + p.text("id"))
				v := create("POST", "policies/"+p.text("id")+"/versions", raw(permitAll))
				fmt.Println("policies/" + p.text("id") + "/versions/" + v.text("id"))
				set := create("POST", "policy-sets", `{"name":"`+name+`","manifest":{"activate":true,"entries":[{"policy_id":"`+p.text("id")+`"}]}}`)
				fmt.Println("policy-sets/" + set.text("id") + "/versions/" + set.text("policy_set_version.id"))
			}
		}()
	}
	select {}
}

// TestKilled kills a writing process again and again, at no particular moment.
// Everything it acknowledged is there, and the store is whole.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zone.db")
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Errorf("round %d: %s", round, lines.Text())
			}
			acknowledged = append(acknowledged, lines.Text())
			if len(acknowledged) == 5+round*17 {
				if err := cmd.Process.Kill(); err != nil { // SIGKILL, to this process alone
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatalf("round %d: the process ended by itself", round)
		}
		s := open(t, inFile(path))
		for _, line := range acknowledged[:len(acknowledged)-1] { // the last may be half a line
			must(t, s, "GET", line, "")
		}
		checkInvariants(t, s)
		s.Close()
	}
}
