package ghaction

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io"
	"strings"
	"sync"

	"github.com/sethvargo/go-githubactions"
)

// A Log is the step's log, where some lines are commands to the runner. What is
// written to it is never one: the runner is told to stop looking for commands
// before the first byte of it, and to look again only for a command of ours. A
// line that begins with :: would be a command otherwise, and so would one that
// has ##[ anywhere, on stdout and on stderr alike.
//
// The word that ends the pause is random and new each time. A program that dies
// leaves commands off, so that its last words can't be one.
//
// A Log is safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	out     io.Writer
	raw     io.Writer
	token   string // ends the pause; "" while commands are on
	midline bool
	err     error
}

// NewLog returns a log that writes to out. raw is the same stream without the
// filter that hides secrets: telling the runner what to hide needs the secret.
func NewLog(out, raw io.Writer) *Log { return &Log{out: out, raw: raw} }

// Write writes text that is not a command.
func (l *Log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(text) == 0 {
		return 0, l.err
	}
	if l.token == "" {
		l.token = randomWord()
		l.command(l.out, "stop-commands", nil, l.token)
	}
	l.put(l.out, text)
	l.midline = text[len(text)-1] != '\n'
	if l.err != nil {
		return 0, l.err
	}
	return len(text), nil
}

// Command gives the runner a command. Its parts are escaped, so that any text
// can be its message; empty properties are left out.
func (l *Log) Command(name string, properties map[string]string, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resume()
	l.command(l.out, name, properties, message)
}

// Mask tells the runner to hide a secret, each line of it, in what any step of
// the job logs from now on. Short values would blot out ordinary words.
func (l *Log) Mask(secret string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.FieldsFuncSeq(secret, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); len(line) >= minMask {
			l.resume()
			l.command(l.raw, "add-mask", nil, line)
		}
	}
}

// minMask is the length from which a value is worth hiding.
const minMask = 4

// Close lets the runner look for commands again, and returns the first error of
// the writers.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resume()
	return l.err
}

// resume makes the next line one that may be a command.
func (l *Log) resume() {
	if l.midline {
		l.put(l.out, []byte("\n"))
		l.midline = false
	}
	if l.token != "" {
		l.put(l.out, []byte("::"+l.token+"::\n"))
		l.token = ""
	}
}

// command writes a command through the library, which knows the escapes.
func (l *Log) command(w io.Writer, name string, properties map[string]string, message string) {
	props := githubactions.CommandProperties{}
	for k, v := range properties {
		if v != "" {
			props[k] = v
		}
	}
	var line bytes.Buffer // the library panics when its writer fails
	githubactions.New(githubactions.WithWriter(&line)).IssueCommand(&githubactions.Command{Name: name, Properties: props, Message: message})
	l.put(w, line.Bytes())
}

func (l *Log) put(w io.Writer, text []byte) {
	if l.err == nil {
		_, l.err = w.Write(text)
	}
}

// randomWord is a word that nobody can have put into a file.
func randomWord() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
