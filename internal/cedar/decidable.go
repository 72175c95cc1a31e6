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

func splitsDays(n ast.IsNode) bool {
	c, ok := n.(ast.NodeTypeExtensionCall)
	return ok && len(c.Args) == 1 && (c.Name == "toDate" || c.Name == "toTime")
}

// Half of the days that a datetime of 64 bits can hold, about 146 million years.
const later, earlier = "53375995583d", "-53375995583d"

// shifted makes toDate and toTime round down, as Cedar says, where cedar-go
// rounds towards 1970. To what toTime gives it adds a day, and takes the time of
// that. For toDate it asks for the date of a time so much later that it is after
// 1970; what is later than half of all time can't be evaluated.
func shifted(n ast.IsNode) ast.IsNode {
	if !splitsDays(n) {
		return n
	}
	offset := func(n ast.IsNode, by string) ast.IsNode {
		return call("offset", n, call("duration", constant(types.String(by))))
	}
	c := n.(ast.NodeTypeExtensionCall)
	if c.Name == "toTime" {
		epoch := call("datetime", constant(types.String("1970-01-01")))
		return call("toTime", offset(call("offset", epoch, c), "1d"))
	}
	return offset(call("toDate", offset(c.Args[0], later)), earlier)
}
