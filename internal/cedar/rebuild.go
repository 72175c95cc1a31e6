package cedar

import "github.com/cedar-policy/cedar-go/x/exp/ast"

// withChildren is n with other parts, in the order of [children].
func withChildren(n ast.IsNode, kids []ast.IsNode) ast.IsNode {
	unary := ast.UnaryNode{Arg: kids[0]}
	var binary ast.BinaryNode
	if len(kids) == 2 {
		binary = ast.BinaryNode{Left: kids[0], Right: kids[1]}
	}
	switch n := n.(type) {
	case ast.NodeTypeNot:
		return ast.NodeTypeNot{UnaryNode: unary}
	case ast.NodeTypeNegate:
		return ast.NodeTypeNegate{UnaryNode: unary}
	case ast.NodeTypeIsEmpty:
		return ast.NodeTypeIsEmpty{UnaryNode: unary}
	case ast.NodeTypeAccess:
		n.Arg = kids[0]
		return n
	case ast.NodeTypeHas:
		n.Arg = kids[0]
		return n
	case ast.NodeTypeLike:
		n.Arg = kids[0]
		return n
	case ast.NodeTypeIs:
		n.Left = kids[0]
		return n
	case ast.NodeTypeIsIn:
		n.Left, n.Entity = kids[0], kids[1]
		return n
	case ast.NodeTypeEquals:
		return ast.NodeTypeEquals{BinaryNode: binary}
	case ast.NodeTypeNotEquals:
		return ast.NodeTypeNotEquals{BinaryNode: binary}
	case ast.NodeTypeLessThan:
		return ast.NodeTypeLessThan{BinaryNode: binary}
	case ast.NodeTypeLessThanOrEqual:
		return ast.NodeTypeLessThanOrEqual{BinaryNode: binary}
	case ast.NodeTypeGreaterThan:
		return ast.NodeTypeGreaterThan{BinaryNode: binary}
	case ast.NodeTypeGreaterThanOrEqual:
		return ast.NodeTypeGreaterThanOrEqual{BinaryNode: binary}
	case ast.NodeTypeIn:
		return ast.NodeTypeIn{BinaryNode: binary}
	case ast.NodeTypeAnd:
		return ast.NodeTypeAnd{BinaryNode: binary}
	case ast.NodeTypeOr:
		return ast.NodeTypeOr{BinaryNode: binary}
	case ast.NodeTypeAdd:
		return ast.NodeTypeAdd{BinaryNode: binary}
	case ast.NodeTypeSub:
		return ast.NodeTypeSub{BinaryNode: binary}
	case ast.NodeTypeMult:
		return ast.NodeTypeMult{BinaryNode: binary}
	case ast.NodeTypeContains:
		return ast.NodeTypeContains{BinaryNode: binary}
	case ast.NodeTypeContainsAll:
		return ast.NodeTypeContainsAll{BinaryNode: binary}
	case ast.NodeTypeContainsAny:
		return ast.NodeTypeContainsAny{BinaryNode: binary}
	case ast.NodeTypeGetTag:
		return ast.NodeTypeGetTag{BinaryNode: binary}
	case ast.NodeTypeHasTag:
		return ast.NodeTypeHasTag{BinaryNode: binary}
	case ast.NodeTypeIfThenElse:
		return ast.NodeTypeIfThenElse{If: kids[0], Then: kids[1], Else: kids[2]}
	case ast.NodeTypeSet:
		return ast.NodeTypeSet{Elements: kids}
	case ast.NodeTypeExtensionCall:
		return ast.NodeTypeExtensionCall{Name: n.Name, Args: kids}
	case ast.NodeTypeRecord:
		members := make([]ast.RecordElementNode, len(kids))
		for i, kid := range kids {
			members[i] = ast.RecordElementNode{Key: n.Elements[i].Key, Value: kid}
		}
		return ast.NodeTypeRecord{Elements: members}
	}
	return n
}
