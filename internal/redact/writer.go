package redact

import (
	"bytes"
	"io"
	"sync"
)

// maxHeld is how much of a line without an end is held back before its
// beginning is written: enough for any line of text, and a bound for memory
// when one line is a whole JSON document.
const maxHeld = 64 << 10

// A Writer passes on what is written to it, with secrets masked. It holds an
// unfinished line back, because a secret may come in pieces; [Writer.Flush]
// writes it. It is safe for concurrent use, so that lines of two goroutines
// don't mix.
type Writer struct {
	mu      sync.Mutex
	w       io.Writer
	secrets *Secrets
	held    []byte
	err     error
}

// NewWriter returns a writer that cleans what goes to w. Secrets that are added
// later count from then on.
func NewWriter(w io.Writer, secrets *Secrets) *Writer {
	return &Writer{w: w, secrets: secrets}
}

// Write accepts all of b, or returns the first error of the writer behind it.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	if len(w.held) == 0 && w.secrets.empty() {
		w.put(b)
		return len(b), w.err
	}
	w.held = append(w.held, b...)
	end := bytes.LastIndexByte(w.held, '\n') + 1
	if end == 0 && len(w.held) > maxHeld {
		end = w.secrets.cut(w.held)
	}
	if end > 0 {
		w.put(w.secrets.Bytes(w.held[:end]))
		w.held = append(w.held[:0], w.held[end:]...)
	}
	return len(b), w.err
}

// Flush writes what is held back, as before a prompt and at the end.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.held) > 0 && w.err == nil {
		w.put(w.secrets.Bytes(w.held))
		w.held = nil
	}
	return w.err
}

func (w *Writer) put(b []byte) {
	if len(b) > 0 && w.err == nil {
		_, w.err = w.w.Write(b)
	}
}
