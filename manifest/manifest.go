// Package manifest reads the project file, the manifests of policy sets and the
// Cedar sources they name, reports every problem in them with its position, and
// computes what they mean: set digests and semantic differences. It does no I/O
// beyond the fs.FS that it is given.
package manifest
