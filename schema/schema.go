// Package schema holds the JSON Schemas (draft 7) of the project file, of
// manifests and of test files, for editors. policypin itself reads these files more strictly than
// a JSON Schema can say; a test in package manifest keeps the two equal in what
// keys there are and which of them are required.
package schema

import _ "embed"

// Project is the JSON Schema of policypin.yaml.
//
//go:embed project.json
var Project []byte

// PolicySet is the JSON Schema of a manifest.
//
//go:embed policyset.json
var PolicySet []byte

// PolicyTest is the JSON Schema of a test file.
//
//go:embed policytest.json
var PolicyTest []byte
