// Package gitstore reads projects from a Git repository and records what was
// published from it as annotated tags, called pins.
package gitstore
