package main

import (
	"io"
	"net/http"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// request sends a request to the zone that the script serves, and writes the
// answer to a file: request METHOD PATH FILE.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: request METHOD PATH FILE")
	}
	req, err := http.NewRequest(args[0], ts.Getenv("KEYCARD_API_BASE_URL")+args[1], nil)
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+ts.Getenv("KEYCARD_API_TOKEN"))
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("%s %s: status %d\n%s", args[0], args[1], resp.StatusCode, body)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), body, 0o666))
}
