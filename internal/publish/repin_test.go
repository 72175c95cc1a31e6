package publish_test

import (
	"context"
	"strings"
	"testing"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/publish"
)

func (w *world) repin(commit gitstore.Hash, set string, number int, opts publish.Options) (*publish.Receipt, error) {
	w.Helper()
	return publish.Repin(context.Background(), w.client().Reader, w.source(commit), set, number, opts)
}

// lose deletes a tag on the remote and in the clone.
func (w *world) lose(tag string) {
	w.Helper()
	w.run(w.remote, "git", "tag", "-d", tag)
	w.git("tag", "-d", tag)
}

func TestALostPinComesBackAsTheSameObject(t *testing.T) {
	w := newWorld(t)
	files := w.project()
	files["policy-sets/agents.yaml"] = strings.Replace(files["policy-sets/agents.yaml"], "entries:\n",
		"targets: [production]\nentries:\n  - policy_id: pol_default-app-delegation_1\n    policy_version_id: pv_default-app-delegation_1_1\n", 1)
	one := w.commit(files)
	first := w.mustPublish(one, publish.Options{})
	two := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	second := w.mustPublish(two, publish.Options{})
	three := w.commit(map[string]string{"policies/finance.cedar": policy("money")})
	third := w.mustPublish(three, publish.Options{})

	for _, tt := range []struct {
		name   string
		want   publish.SetReceipt
		commit gitstore.Hash
		number int
	}{
		{"the first, by its number", first, one, 1},
		{"one between others", second, two, 0},
		{"the newest", third, three, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.TB = t
			w.lose(tt.want.Tag)
			rc, err := w.repin(tt.commit, "agents", tt.number, publish.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := agents(rc)
			if got.TagObject != tt.want.TagObject || got.Tag != tt.want.Tag || rc.Created != (publish.Created{Pins: 1}) {
				t.Errorf("got %+v, want the object %s", got, tt.want.TagObject)
			}
			if there := w.run(w.remote, "git", "rev-parse", "refs/tags/"+tt.want.Tag); there != tt.want.TagObject.String() {
				t.Errorf("the remote has %s, want %s", there, tt.want.TagObject)
			}
		})
	}
	w.TB = t
	w.requests.take()
	if got := w.mustPublish(three, publish.Options{}); got.Status != publish.Unchanged {
		t.Errorf("publishing after it: got %+v, want unchanged", got)
	}
	for _, req := range w.requests.take() {
		if !strings.HasPrefix(req, "GET ") {
			t.Errorf("request %s", req)
		}
	}
}

func TestRepinRefuses(t *testing.T) {
	w := newWorld(t)
	one := w.commit(w.project())
	first := w.mustPublish(one, publish.Options{})
	two := w.commit(map[string]string{"policies/finance.cedar": policy("treasury")})
	second := w.mustPublish(two, publish.Options{})
	back := w.commit(map[string]string{"policies/finance.cedar": policy("finance")})
	third := w.mustPublish(back, publish.Options{})
	four := w.commit(map[string]string{"policies/new.cedar": policy("new"), "policy-sets/agents.yaml": set("agents", "new", "finance", "ops", "default-user-grants@3")})
	w.git("checkout", "-q", "-b", "elsewhere", one.String())
	w.write(map[string]string{"policies/ops.cedar": policy("else")})
	w.git("commit", "-q", "-a", "-m", "elsewhere")
	away := w.head()
	w.git("checkout", "-q", "main")

	refused := func(name, code, part string, commit gitstore.Hash, set string, number int) {
		t.Run(name, func(t *testing.T) {
			w.TB = t
			before := w.tags()
			_, err := w.repin(commit, set, number, publish.Options{})
			r := w.refused(err, code)
			if !strings.Contains(r.Message, part) {
				t.Errorf("got %q, want %q in it", r.Message, part)
			}
			if after := w.tags(); len(after) != len(before) {
				t.Errorf("tags are %v, were %v", after, before)
			}
		})
		w.TB = t
	}
	refused("a pin that is there", publish.PinExists, first.Tag+" exists already", one, "agents", 1)
	refused("nothing lost", publish.Mismatch, "has no version without a pin", two, "agents", 0)
	refused("a set that the commit doesn't declare", publish.Mismatch, "declares no policy set nobody", one, "nobody", 1)
	refused("a version that the zone doesn't have", publish.Mismatch, "has no version v9", one, "agents", 9)

	w.lose(second.Tag)
	refused("other content", publish.Mismatch, "v2 doesn't hold what commit", one, "agents", 2)
	refused("another number of entries", publish.Mismatch, "v2 has 3 entries, commit", four, "agents", 2)
	refused("a commit that is not on the branch", publish.Unreachable, "is not on main", away, "agents", 2)
	if _, err := w.repin(two, "agents", 2, publish.Options{}); err != nil {
		t.Fatal(err)
	}

	// v1 and v3 are equal: the pins around them tell which commit was whose.
	w.lose(third.Tag)
	refused("a commit older than the version before", publish.Diverged, "can't be that of v3", one, "agents", 3)
	w.lose(first.Tag)
	refused("two versions with the content", publish.Mismatch, "versions v3, v1 have this content", back, "agents", 0)
	refused("a commit newer than the version after", publish.Diverged, "can't be that of v1", back, "agents", 1)
	for commit, number := range map[gitstore.Hash]int{one: 1, back: 3} {
		if _, err := w.repin(commit, "agents", number, publish.Options{}); err != nil {
			t.Errorf("v%d: %v", number, err)
		}
	}
	for _, want := range []publish.SetReceipt{first, second, third} {
		if got := w.run(w.remote, "git", "rev-parse", "refs/tags/"+want.Tag); got != want.TagObject.String() {
			t.Errorf("%s is %s, want %s", want.Tag, got, want.TagObject)
		}
	}
}

// A policy that was renamed since is known by its content, and the record has
// the name that the commit says.
func TestRepinAfterARename(t *testing.T) {
	w := newWorld(t)
	one := w.commit(w.project())
	first := w.mustPublish(one, publish.Options{})
	w.git("mv", "policies/finance.cedar", "policies/treasury.cedar")
	renamed := strings.Replace(set("agents", "treasury", "ops", "default-user-grants@3"),
		"  - policy: treasury\n", "  - policy: treasury\n    was: finance\n", 1)
	w.mustPublish(w.commit(map[string]string{"policy-sets/agents.yaml": renamed}), publish.Options{})
	w.lose(first.Tag)
	rc, err := w.repin(one, "agents", 1, publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := agents(rc); got.TagObject != first.TagObject {
		t.Errorf("got %s, want %s", got.TagObject, first.TagObject)
	}
}

// Approvals are evidence that only the lost pin had: the new one is equal but
// for them, so publish and activate take it for the same.
func TestRepinWithoutItsApprovals(t *testing.T) {
	w := newWorld(t)
	one := w.commit(w.project())
	first := w.mustPublish(one, publish.Options{NewBase: "meant"})
	lost := w.readPin(first.Tag)
	w.lose(first.Tag)
	if _, err := w.repin(one, "agents", 0, publish.Options{}); err != nil {
		t.Fatal(err)
	}
	found := w.readPin(first.Tag)
	if found.Object == lost.Object || !found.Equal(lost) || len(found.Record.Approvals) != 0 {
		t.Errorf("got %+v, want %+v without its approvals", found.Record, lost.Record)
	}
	if got := w.mustPublish(one, publish.Options{}); got.Status != publish.Unchanged {
		t.Errorf("publishing after it: got %+v, want unchanged", got)
	}
}

// readPin reads a pin of the remote.
func (w *world) readPin(tag string) *gitstore.Pin {
	w.Helper()
	ctx, src := context.Background(), w.source(w.head())
	refs, err := src.Origin.Refs(ctx)
	if err != nil {
		w.Fatal(err)
	}
	pins, _ := refs.Pins("production")
	for _, ref := range pins {
		if ref.Name == tag {
			read, err := src.Origin.ReadPins(ctx, []gitstore.PinRef{ref})
			if err != nil {
				w.Fatal(err)
			}
			return read[0]
		}
	}
	w.Fatalf("no pin %s", tag)
	return nil
}
