package gitstore

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/policypin/policypin/internal/gittest"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files")

var someCommit = Hash{0xab, 0xcd}

func TestPinNames(t *testing.T) {
	for _, c := range []struct {
		pins, set string
		number    int
		want      string // "" for an error
	}{
		{"production", "agents", 12, "policypin/production/agents/v12"},
		{"a_B-1", "x.lock", 1, "policypin/a_B-1/x%2Elock/v1"},
		{"p", "rôle agents/%41", 3, "policypin/p/r%C3%B4le%20agents%2F%2541/v3"},
		{"p", "..", 3, "policypin/p/%2E%2E/v3"},
		{"p", "-", 3, "policypin/p/-/v3"},
		{"", "agents", 1, ""},
		{"a.b", "agents", 1, ""},
		{"a/b", "agents", 1, ""},
		{"p", "", 1, ""},
		{"p", "agents", 0, ""},
		{"p", "agents", -1, ""},
		{"p", strings.Repeat("x", 185), 1, "policypin/p/" + strings.Repeat("x", 185) + "/v1"},
		{"p", strings.Repeat("x", 186), 1, ""},
		{"p", strings.Repeat("ä", 100), 1, ""},
	} {
		got, err := PinName(c.pins, c.set, c.number)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("PinName(%q, %q, %d): got %q, %v, want %q", c.pins, c.set, c.number, got, err, c.want)
		}
		if err != nil {
			continue
		}
		ref, ok := parsePinName(got)
		if want := (PinRef{Name: got, Pins: c.pins, Set: c.set, Number: c.number}); !ok || ref != want {
			t.Errorf("parsePinName(%q): got %+v, %v, want %+v", got, ref, ok, want)
		}
		if out, err := exec.Command("git", "check-ref-format", "refs/tags/"+got).CombinedOutput(); err != nil {
			t.Errorf("git refuses %s: %v %s", got, err, out)
		}
	}
	for _, odd := range []string{
		"", "policypin", "policypin/p/agents", "policypin/p/agents/12", "policypin/p/agents/v", "policypin/p/agents/v0",
		"policypin/p/agents/v012", "policypin/p/agents/v+1", "policypin/p/agents/v1/x", "policypin/p//v1", "policypin//agents/v1",
		"policypin/p/%41gents/v1", "policypin/p/x%2elock/v1", "policypin/p/x%2/v1", "policypin/p/x%/v1", "policypin/p/x%zz/v1",
		"policypin/p/x.y/v1", "policypin/p/agents/v99999999999999999999", "Policypin/p/agents/v1", "other/p/agents/v1",
	} {
		if ref, ok := parsePinName(odd); ok {
			t.Errorf("parsePinName(%q): got %+v, want a refusal", odd, ref)
		}
	}
}

func TestNewPinIsDeterministicAndReadsBack(t *testing.T) {
	rec := testRecord("agents", 12)
	local := rec
	local.CreatedAt = rec.CreatedAt.In(time.FixedZone("", 7200))
	local.Project = ""
	a, b := testPin(t, someCommit, rec), testPin(t, someCommit, local)
	if !bytes.Equal(a.Raw, b.Raw) || a.Object != b.Object {
		t.Errorf("equal records give different tags:\n%s\n%s", a.Raw, b.Raw)
	}
	read, err := parsePin(a.Name, a.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, a) {
		t.Errorf("read back: got %+v, want %+v", read, a)
	}
	rec.Format = RecordFormat
	if !reflect.DeepEqual(a.Record, rec) {
		t.Errorf("record: got %+v, want %+v", a.Record, rec)
	}
	if a.Tagger != "policypin <policypin@localhost>" || a.When.Unix() != rec.CreatedAt.Unix() || a.Signed {
		t.Errorf("got tagger %q at %s, signed %v", a.Tagger, a.When, a.Signed)
	}
}

func TestPinTextIsGolden(t *testing.T) {
	p := testPin(t, someCommit, testRecord("agents", 12))
	golden := filepath.Join("testdata", "pin.golden")
	if *updateGolden {
		if err := os.WriteFile(golden, p.Raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.Raw, want) {
		t.Errorf("the tag differs from %s:\n%s", golden, p.Raw)
	}
}

func TestNewPinRefuses(t *testing.T) {
	for what, change := range map[string]func(*Record){
		"a zone id with a newline":      func(r *Record) { r.ZoneID = "z\nPolicypin-Version: x" },
		"an empty version id":           func(r *Record) { r.VersionID = "" },
		"an endless set digest":         func(r *Record) { r.SetDigest = strings.Repeat("b", 201) },
		"a manifest sha of two words":   func(r *Record) { r.ManifestSHA = "a b" },
		"no target":                     func(r *Record) { r.Target = "" },
		"a set name that is no UTF-8":   func(r *Record) { r.PolicySet = "\xff" },
		"an approval that is no UTF-8":  func(r *Record) { r.Approvals[0].Reason = "\xff" },
		"an entry that is no UTF-8":     func(r *Record) { r.Entries[0].Policy = "\xff" },
		"an entry without an id":        func(r *Record) { r.Entries[1].PolicyID = "" },
		"version 0":                     func(r *Record) { r.Version = 0 },
		"a time before Unix":            func(r *Record) { r.CreatedAt = time.Time{} },
		"an attestation that is broken": func(r *Record) { r.Attestation = []byte(`{"a":`) },
		"a project outside":             func(r *Record) { r.Project = "../x" },
		"another format":                func(r *Record) { r.Format = 2 },
		"more than 16 MB":               func(r *Record) { r.CreatedBy = strings.Repeat("x", maxTag) },
	} {
		rec := testRecord("agents", 12)
		change(&rec)
		if p, err := NewPin("production", someCommit, rec); err == nil {
			t.Errorf("%s is accepted:\n%.2000s", what, p.Raw)
		}
	}
	if _, err := NewPin("production", Hash{}, testRecord("agents", 12)); err == nil {
		t.Error("a pin of no commit is accepted")
	}
}

func TestPinEquality(t *testing.T) {
	pin := func(commit Hash, change func(*Record)) *Pin {
		rec := testRecord("agents", 12)
		change(&rec)
		return testPin(t, commit, rec)
	}
	same := func(*Record) {}
	a := pin(someCommit, same)
	for what, change := range map[string]func(*Record){
		"nothing":         same,
		"the attestation": func(r *Record) { r.Attestation = nil },
		"the approvals":   func(r *Record) { r.Approvals = nil },
		"the creator":     func(r *Record) { r.CreatedBy = "user_2" },
		"the time":        func(r *Record) { r.CreatedAt = r.CreatedAt.Add(time.Hour) },
	} {
		if b := pin(someCommit, change); !a.Equal(b) || !b.Equal(a) {
			t.Errorf("pins that differ in %s aren't equal", what)
		}
	}
	if b := pin(Hash{1}, same); a.Equal(b) {
		t.Error("pins of different commits are equal")
	}
	for what, change := range map[string]func(*Record){
		"the target":         func(r *Record) { r.Target = "x" },
		"the zone":           func(r *Record) { r.ZoneID = "x" },
		"the set id":         func(r *Record) { r.PolicySetID = "x" },
		"the version id":     func(r *Record) { r.VersionID = "x" },
		"the version number": func(r *Record) { r.Version = 13 },
		"the schema":         func(r *Record) { r.SchemaVersion = "x" },
		"the manifest sha":   func(r *Record) { r.ManifestSHA = "x" },
		"the set digest":     func(r *Record) { r.SetDigest = "x" },
		"an entry's sha":     func(r *Record) { r.Entries[1].SHA = "x" },
		"the entries' order": func(r *Record) { r.Entries[0], r.Entries[1] = r.Entries[1], r.Entries[0] },
		"fewer entries":      func(r *Record) { r.Entries = r.Entries[:1] },
	} {
		if b := pin(someCommit, change); a.Equal(b) {
			t.Errorf("pins that differ in %s are equal", what)
		}
	}
}

// Tags and records that somebody with push access forged, or another version
// wrote.
func TestParsePinRefuses(t *testing.T) {
	good := testPin(t, someCommit, testRecord("agents", 12))
	for what, c := range map[string]struct{ old, new, want string }{
		"a newer format":         {`"format": 1`, `"format": 7`, "record has format 7, this policypin reads up to 1: a newer policypin is needed"},
		"a format of 0":          {`"format": 1`, `"format": 0`, "unknown format 0"},
		"a text as format":       {`"format": 1`, `"format": "one"`, "not JSON"},
		"a missing field":        {`"zone_id"`, `"zone"`, `"zone_id" is missing`},
		"a field in other case":  {`"zone_id"`, `"ZONE_ID"`, `"zone_id" is missing`},
		"a field twice":          {`"target": "production"`, `"target": "x", "target": "production"`, `"target" is there twice`},
		"a field twice in entry": {`"policy_id":"pol_1"`, `"policy_id":"pol_0","policy_id":"pol_1"`, `"policy_id" is there twice`},
		"a wrong type":           {`"version": 12`, `"version": "12"`, `"version"`},
		"entries that are none":  {"\"entries\": [\n", "\"entries\": {}, \"x\": [\n", "JSON array"},
		"another zone's trailer": {"Policypin-Zone: zone_prd", "Policypin-Zone: zone_stg", "trailers don't say"},
		"a trailer too many":     {"Policypin-Zone", "Policypin-Zone: x\nPolicypin-Zone", "trailers don't say"},
		"a missing trailer":      {"Policypin-Version: psv_9c\n", "", "trailers don't say"},
		"another subject":        {"\n\nagents v12 in production", "\n\nagents v13 in production", "subject doesn't say"},
		"another version":        {`"version": 12`, `"version": 13`, "subject"},
		"another name":           {"tag policypin/production", "tag policypin/staging", "belongs to"},
		"a tag of a tree":        {"type commit", "type tree", "points to a tree"},
		"no tagger":              {"tagger policypin <policypin@localhost> 1772357400 +0000\n", "", "four lines"},
		"a broken tagger":        {"> 1772357400 +0000", "> soon", "tagger"},
		"a broken object":        {"object abcd", "object zzzz", "hexadecimal"},
		"no record":              {"{\n", "[\n", "no record"},
		"text after the record":  {"\n}\n\n", "\n} x\n}\n\n", "not JSON"},
		"no message":             {"\n\n", "\n", ""},
		"invalid UTF-8":          {`"created_by": "user_1"`, "\"created_by\": \"\xff\"", "UTF-8"},
	} {
		n := 1
		if what == "no message" {
			n = -1
		}
		raw := strings.Replace(string(good.Raw), c.old, c.new, n)
		if raw == string(good.Raw) {
			t.Errorf("%s: the test changes nothing", what)
		}
		_, err := parsePin(good.Name, []byte(raw))
		if !errors.Is(err, ErrBadPin) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrBadPin with %q", what, err, c.want)
		}
	}
	if _, err := parsePin("policypin/production/agents/v13", good.Raw); !errors.Is(err, ErrBadPin) {
		t.Errorf("under another name: got %v", err)
	}
}

func TestParsePinSkipsWhatItDoesNotKnow(t *testing.T) {
	good := testPin(t, someCommit, testRecord("agents", 12))
	raw := strings.Replace(string(good.Raw), `"target"`, "\"later\": {\"a\": [1, {}]},\n  \"target\"", 1)
	p, err := parsePin(good.Name, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Equal(good) {
		t.Errorf("got %+v", p.Record)
	}
}

// trailersOf reads a tag's trailers as docs/pins.md tells scripts to.
func trailersOf(t *testing.T, dir, tag string) string {
	t.Helper()
	text := gittest.Git(t, dir, "for-each-ref", "--format=%(contents:subject)%0a%0a%(contents:body)", "refs/tags/"+tag)
	cmd := exec.Command("git", "interpret-trailers", "--parse")
	cmd.Dir, cmd.Env, cmd.Stdin = dir, gittest.Env(), strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git interpret-trailers: %v\n%s", err, out)
	}
	return string(out)
}

// Whatever a set and a target are called, git reads the tag, and scripts get
// exactly the five trailers.
func TestGitReadsThePin(t *testing.T) {
	isolateGit(t)
	for _, set := range []string{"agents", "---", "--- x", "# agents", "a: b", "Policypin-Zone: x", "-----BEGIN PGP SIGNATURE-----", "tab\tand\nline", "a\u202eb", " x ", `"q"`} {
		s := newSite(t, 1)
		clone := openRepo(t, s.work, nil)
		rec := testRecord(set, 12)
		pin := testPin(t, s.tip(), rec)
		results, err := clone.Local().PushPins(t.Context(), []*Pin{pin})
		pushed(t, results, err)
		if got := trailersOf(t, s.work, pin.Name); got != rec.trailers() {
			t.Errorf("set %q: got trailers\n%swant\n%s", set, got, rec.trailers())
		}
		if got := gittest.Git(t, s.work, "cat-file", "tag", pin.Name) + "\n"; got != string(pin.Raw) {
			t.Errorf("set %q: git cat-file gives\n%s", set, got)
		}
		gittest.Git(t, s.work, "fsck", "--strict")
	}
}

// A tag that git signed with an SSH key is read, and its trailers too.
func TestSignedPin(t *testing.T) {
	s := newSite(t, 1)
	pin := testPin(t, s.tip(), testRecord("agents", 12))
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	signers, message := filepath.Join(t.TempDir(), "signers"), filepath.Join(t.TempDir(), "message")
	_, text, _ := strings.Cut(string(pin.Raw), "\n\n")
	for path, data := range map[string]string{signers: "ann@example.com " + string(public), message: text} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ssh := []string{"-c", "gpg.format=ssh", "-c", "user.signingKey=" + key, "-c", "gpg.ssh.allowedSignersFile=" + signers}
	gittest.Git(t, s.work, append(ssh, "tag", "-s", "-F", message, pin.Name)...)
	if out := gittest.Git(t, s.work, append(ssh, "tag", "-v", pin.Name)...); !strings.Contains(out, `Good "git" signature for ann@example.com`) {
		t.Errorf("git tag -v: %s", out)
	}
	if got := trailersOf(t, s.work, pin.Name); got != pin.Record.trailers() {
		t.Errorf("got trailers\n%s", got)
	}
	o := openRepo(t, s.work, nil).Local()
	refs, err := o.Refs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, odd := refs.Pins("production")
	if len(list) != 1 || len(odd) != 0 {
		t.Fatalf("got pins %v, odd %v", list, odd)
	}
	read, err := o.ReadPins(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	if !read[0].Signed || !read[0].Equal(pin) || read[0].Tagger != "Ann <ann@example.com>" || read[0].Object == pin.Object {
		t.Errorf("got %+v", read[0])
	}
	pgp := append(bytes.Clone(pin.Raw), "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"...)
	if p, err := parsePin(pin.Name, pgp); err != nil || !p.Signed || !p.Equal(pin) {
		t.Errorf("with a PGP signature: got %+v, %v", p, err)
	}
}

func FuzzTag(f *testing.F) {
	rec := testRecord("agents", 12)
	p, err := NewPin("production", someCommit, rec)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Name, p.Raw)
	f.Add(p.Name, append(bytes.Clone(p.Raw), "-----BEGIN SSH SIGNATURE-----\nx\n"...))
	f.Add("policypin/p/%2E/v1", []byte("object \n\n"))
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		p, err := parsePin(name, raw)
		if err != nil {
			if !errors.Is(err, ErrBadPin) {
				t.Errorf("error doesn't wrap ErrBadPin: %v", err)
			}
			return
		}
		// What was read can be written, and then says the same.
		again, err := NewPin(p.Pins, p.Commit, p.Record)
		if err != nil {
			t.Fatalf("a pin that was read can't be written: %v", err)
		}
		if again.Name != name || !again.Equal(p) {
			t.Errorf("got %+v, want %+v", again, p)
		}
	})
}

func FuzzRecord(f *testing.F) {
	rec := testRecord("agents", 12)
	rec.Format = RecordFormat
	seed, err := rec.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"format":1}`))
	f.Add([]byte(`{"format":2,"entries":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data)
		if err != nil {
			return
		}
		written, err := r.encode()
		if err != nil {
			t.Fatalf("a record that was read can't be written: %v", err)
		}
		again, err := decodeRecord(written)
		if err != nil {
			t.Fatalf("what was written can't be read: %v\n%s", err, written)
		}
		if !reflect.DeepEqual(again, r) {
			t.Errorf("got %+v, want %+v", again, r)
		}
	})
}
