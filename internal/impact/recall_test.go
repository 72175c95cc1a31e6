package impact

import (
	"fmt"
	"slices"
	"testing"
)

// What is recalled of the changed policies is what they say when they are asked.
func TestRecall(t *testing.T) {
	var from, to []string
	for i := range 12 {
		from = append(from, fmt.Sprintf(`permit (principal in Team::"t%d", action, resource) when { principal.dept == "x%d" && context.n > %d };`, i, i, i))
		to = append(to, fmt.Sprintf(`forbid (principal, action, resource == Doc::"d%d") when { principal.dept != "x%d" || context.tags.contains("y%d") && principal.dept like "a*%d*b" };`, i, i, i, i))
	}
	to = append(to, anyone)
	for _, others := range [][]string{nil, {`permit (principal, action, resource) when { principal.vip && context.tags.contains("z") };`}} {
		a, b := tree(t, append(slices.Clone(from), others...)...), tree(t, append(slices.Clone(to), others...)...)
		x, y := newState(true, a, a.Sets[0], nil), newState(false, b, b.Sets[0], nil)
		x.mark(y)
		y.mark(x)
		s := &search{comparison: newComparison(b.Schemas["v1"], x, y)}
		s.env = s.schema.Environments()[0]
		survey := s.schema.Survey(s.env, s.asked)
		r := s.recall(survey)
		all := &variation{survey: survey, sizes: survey.Terms(), policies: [2]int{0, s.changed}, limit: 20_000}
		for i := range all.sizes {
			all.terms = append(all.terms, i)
		}
		tried := 0
		all.each(make([]int, len(all.sizes)), func(choice []int) bool {
			world, request, ok := survey.Build(choice)
			if !ok || !r.hear(choice) {
				return true
			}
			tried++
			older, newer := r.heard()
			wantOlder, wantNewer := s.from.parts.Answer(world, request), s.to.parts.Answer(world, request)
			if !older.Same(wantOlder) || !newer.Same(wantNewer) {
				t.Fatalf("%s: got %+v and %+v, want %+v and %+v", request, older, newer, wantOlder, wantNewer)
			}
			v, w := r.voices(older, newer)
			for _, side := range []struct {
				got  voice
				want voice
			}{{v, s.from.voice(world, request)}, {w, s.to.voice(world, request)}} {
				if side.got.allow != side.want.allow || !slices.Equal(side.got.numbers, side.want.numbers) || !slices.Equal(side.got.failed, side.want.failed) {
					t.Fatalf("%s: got %+v, want %+v", request, side.got, side.want)
				}
			}
			for _, m := range []mask{{}, {permit: true}, {forbid: true}} {
				f, ok := s.cause(m, v, w)
				if ok != (m.over(wantOlder) != m.over(wantNewer) || !slices.Equal(wantOlder.Failed, wantNewer.Failed)) {
					t.Fatalf("%s, %+v: got %+v, %t", request, m, f, ok)
				}
			}
			said := maskOf(s.rest.Decide(world, request))
			f, ok := s.cause(said, v, w)
			if want, differs := s.judge(world, request); ok != differs || ok && f.key() != want.key() {
				t.Fatalf("%s: got %s, want %s", request, f.key(), want.key())
			}
			return true
		})
		if tried < 100 {
			t.Errorf("the test shows little: %d tried", tried)
		}
	}
}
