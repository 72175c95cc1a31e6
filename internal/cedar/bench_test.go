package cedar

import (
	"fmt"
	"testing"
)

// sources are n policies of the size and shape that a repository has.
func sources(n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = fmt.Appendf(nil, `// Policy %[1]d lets a team work with its own resources.
@id("policy-%[1]d")
@description("Access of team %[1]d to what it owns.")
permit (
  principal is Keycard::User,
  action in [Keycard::Action::"Access", Keycard::Action::"ReadTools"],
  resource is Keycard::Resource
)
when {
  principal has groups && principal.groups.contains("team-%[1]d") &&
  resource has identifier && resource.identifier like "https://team-%[1]d.example.com/*"
}
unless {
  context has impersonate && context.impersonate == true && context.on_behalf
};
`, i)
	}
	return list
}

func BenchmarkParse(b *testing.B) {
	list := sources(1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if p, problems := Parse("a.cedar", list[i%len(list)]); p == nil {
			b.Fatal(problems)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	p := mustParse(b, string(sources(1)[0]))
	b.ReportAllocs()
	for b.Loop() {
		if newPolicy(p.source, []statement{{}}, 0, p.ast).Digest().IsZero() {
			b.Fatal("no digest")
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	s := zoneSchema(b, "2026-06-18")
	p := mustParse(b, string(sources(1)[0]))
	b.ReportAllocs()
	for b.Loop() {
		if problems := s.Validate(p); problems != nil {
			b.Fatal(problems)
		}
	}
}

// BenchmarkParseAndValidate is what "validate" does with each policy, less the
// reading of files, on all cores.
func BenchmarkParseAndValidate(b *testing.B) {
	s := zoneSchema(b, "2026-06-18")
	list := sources(1000)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			p, problems := Parse("a.cedar", list[i%len(list)])
			if p == nil || s.Validate(p) != nil {
				b.Error(problems)
				return
			}
		}
	})
}

func BenchmarkSame(b *testing.B) {
	text := sources(1)[0]
	p := mustParse(b, string(text))
	stored, _, _ := CheckSet("a.cedar", text)
	b.ReportAllocs()
	for b.Loop() {
		if !p.Same(stored) {
			b.Fatal("not the same")
		}
	}
}
