package keycard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/policypin/policypin/internal/redact"
)

// ErrTokenCommand is returned when the command that prints a token failed, or
// printed something else.
var ErrTokenCommand = errors.New("token command")

// maxStderr bounds what is repeated of a failed command's complaints.
const maxStderr = 2 << 10

// A tokenCommand runs the user's command through the shell, as Git does with
// its helpers, and takes what it prints as a bearer.
type tokenCommand struct {
	c       *caller
	command string
}

func (t *tokenCommand) fetch(ctx context.Context) (string, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, t.c.timeout)
	defer cancel()
	stdout, stderr := capped{max: maxToken + 2}, capped{max: maxRaw}
	cmd := shell(ctx, t.command)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // a grandchild may keep the pipes open
	err := cmd.Run()
	// What the command printed is secret, even where it isn't a token.
	printed := strings.Fields(stdout.String())
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, but a child of its own lives on
	}
	if err != nil {
		var exit *exec.ExitError
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && !(errors.As(err, &exit) && exit.Exited()) {
			err = fmt.Errorf("no end within %v", t.c.timeout)
		}
		return "", 0, t.failed(err.Error(), &stderr, printed)
	}
	token := strings.TrimSpace(stdout.String())
	if !isBearer(token) {
		what := "its output is not a single token"
		if token == "" {
			what = "it printed nothing"
		}
		return "", 0, t.failed(what, &stderr, printed)
	}
	t.c.secrets.add(token)
	return token, defaultLifetime, nil
}

// failed says what happened and what the command complained about. The command
// line isn't repeated: it may hold a secret.
func (t *tokenCommand) failed(what string, stderr *capped, printed []string) error {
	text := what
	if s := strings.TrimSpace(stderr.String()); s != "" {
		s = t.c.secrets.redact(s)
		var also redact.Secrets
		also.Add(printed...)
		s = also.String(s)
		if len(s) > maxStderr {
			s = clip(s)
		}
		text += ": " + visible(strings.Join(strings.Fields(s), " "))
	}
	return fmt.Errorf("%w: %s", ErrTokenCommand, text)
}

// capped keeps the first max bytes that are written to it.
type capped struct {
	bytes.Buffer
	max int
}

func (b *capped) Write(p []byte) (int, error) {
	if room := b.max - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
