package cedar

import (
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// decidable is what cedar-go evaluates as the official engine evaluates the
// policy: nearly always the policy itself.
func decidable(tree *ast.Policy) *ast.Policy {
	odd := false
	for _, c := range tree.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			_, plus := signed(n)
			odd = odd || plus || splitsDays(n)
			return !odd
		})
	}
	if !odd {
		return tree
	}
	return rewriteAll(tree, func(n ast.IsNode, at *span) (ast.IsNode, *span) {
		n, at = refused(n, at)
		return shifted(n), at
	})
}

// Half of the days that a datetime of 64 bits can hold, about 146 million years.
const later, earlier = "53375995583d", "-53375995583d"

func splitsDays(n ast.IsNode) bool {
	c, ok := n.(ast.NodeTypeExtensionCall)
	return ok && len(c.Args) == 1 && (c.Name == "toDate" || c.Name == "toTime")
}

// shifted makes toDate and toTime round down, as Cedar says, where cedar-go
// rounds towards 1970: it asks for the day of a time so much later that it is
// after 1970. Later than half of all time, that can't be evaluated.
func shifted(n ast.IsNode) ast.IsNode {
	if !splitsDays(n) {
		return n
	}
	c := n.(ast.NodeTypeExtensionCall)
	split := call(c.Name, call("offset", c.Args[0], call("duration", constant(types.String(later)))))
	if c.Name == "toTime" {
		return split
	}
	return call("offset", split, call("duration", constant(types.String(earlier))))
}
