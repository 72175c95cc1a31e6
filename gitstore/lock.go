package gitstore

import "context"

// A Lock is a held lock of a zone. While it is held it is renewed in the
// background.
type Lock struct{ _ int }

// Context returns a context that ends when ctx does, or when the lock was lost;
// then [context.Cause] says why.
func (l *Lock) Context(ctx context.Context) context.Context { panic("unwritten") }

// Release gives the lock back. Calling it again does nothing.
func (l *Lock) Release(ctx context.Context) error { panic("unwritten") }
