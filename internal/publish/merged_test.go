package publish_test

import (
	"context"
	"testing"

	"github.com/policypin/policypin/internal/publish"
)

// A pull request is planned as if it were merged, also when main has been
// published since. Publishing it is refused all the same.
func TestPlanAsIfMerged(t *testing.T) {
	w := newWorld(t)
	w.mustPublish(w.commit(w.project()), publish.Options{})
	w.git("checkout", "-q", "-b", "topic")
	topic := w.commit(map[string]string{"policies/finance.cedar": policy("everybody")})
	w.git("checkout", "-q", "main")
	w.mustPublish(w.commit(map[string]string{"policies/ops.cedar": policy("operators")}), publish.Options{})
	w.git("merge", "-q", "--no-ff", "-m", "merge", "topic")
	merge := w.head()

	for name, tt := range map[string]struct {
		commit publish.Source
		want   string
	}{
		"the merge commit":       {w.source(merge), publish.Update},
		"the head of the branch": {w.source(topic), publish.Update},
	} {
		_, err := publish.PrepareOffline(context.Background(), tt.commit, publish.Options{})
		w.refused(err, publish.Unreachable)
		plan, err := publish.PrepareOffline(context.Background(), tt.commit, publish.Options{Merged: true})
		if err != nil || plan.Sets[0].Action != tt.want || plan.Sets[0].Version != 3 {
			t.Errorf("%s: got %+v, %v, want version 3", name, plan, err)
		}
		plan, err = publish.Prepare(context.Background(), w.client().Reader, tt.commit, publish.Options{Merged: true})
		if err != nil || plan.Sets[0].Action != tt.want || plan.Sets[0].Version != 3 {
			t.Errorf("%s, with the zone: got %+v, %v, want version 3", name, plan, err)
		}
		_, err = w.publish(tt.commit.Commit, publish.Options{Merged: true})
		w.refused(err, publish.Unreachable)
	}
	if got := w.versions("agents"); len(got) != 2 {
		t.Errorf("got versions %v, want two", got)
	}
}
