package gitstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// isNotFound tells whether a program isn't installed.
func isNotFound(err error) bool { return errors.Is(err, exec.ErrNotFound) }

// runGPG runs the system's gpg as git does (gpg-interface.c), and returns what
// it prints and its machine-readable status. gpg.program isn't honoured, since a
// repository's configuration could name any program. The error wraps
// [exec.ErrNotFound] if there is no gpg.
func runGPG(ctx context.Context, stdin []byte, args ...string) (out []byte, status []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "gpg", append([]string{"--status-fd=2", "--no-auto-key-retrieve"}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err = cmd.Output()
	var words strings.Builder
	for line := range strings.Lines(stderr.String()) {
		line = strings.TrimRight(line, "\r\n")
		if s, ok := strings.CutPrefix(line, "[GNUPG:] "); ok {
			status = append(status, s)
		} else {
			words.WriteString(strings.TrimPrefix(line, "gpg: ") + "\n")
		}
	}
	if err != nil && !isNotFound(err) {
		err = fmt.Errorf("gpg: %s (%w)", said(words.String()), err)
	}
	return out, status, err
}

// gpgSigner signs with gpg. Without a key it is that of the committer, as in git.
func (r *Repo) gpgSigner(key string) (*Signer, error) {
	if _, err := exec.LookPath("gpg"); err != nil {
		return nil, fmt.Errorf("%w: pins would be signed with OpenPGP, and gpg is not installed; set gpg.format to ssh", ErrSigningKey)
	}
	whose := "user.signingKey is " + clip(key)
	if key == "" {
		ident, err := gitProcess{r.gitDir, r.root}.run(nil, nil, "var", "GIT_COMMITTER_IDENT")
		if err != nil {
			return nil, fmt.Errorf("%w: user.signingKey is not set: %w", ErrSigningKey, err)
		}
		key = string(ident[:bytes.LastIndexByte(ident, '>')+1])
		whose = "user.signingKey is not set, so it is that of " + clip(key)
	}
	if _, _, err := runGPG(context.Background(), nil, "--batch", "--list-secret-keys", "--", key); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSigningKey, whose, err)
	}
	return &Signer{what: "OpenPGP key " + clip(key), sign: func(ctx context.Context, payload []byte) ([]byte, error) {
		out, status, err := runGPG(ctx, payload, "-bsa", "-u", key)
		if err != nil {
			return nil, err
		}
		for _, s := range status {
			if strings.HasPrefix(s, "SIG_CREATED ") {
				return bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n")), nil
			}
		}
		return nil, errors.New("gpg made no signature")
	}}, nil
}

// A gpgResult is what gpg says about a signature.
type gpgResult struct {
	verdict     string // GOODSIG, BADSIG, ERRSIG, EXPSIG, EXPKEYSIG, REVKEYSIG, or ""
	user        string
	fingerprint string
	trust       string // of GOODSIG: undefined, never, marginal, fully or ultimate
}

// parseGPGStatus reads gpg's status lines (DETAILS in GnuPG). As git does, it
// refuses more than one verdict: a second signature could hide the first.
func parseGPGStatus(status []string) (gpgResult, error) {
	var r gpgResult
	for _, line := range status {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG":
			if r.verdict != "" {
				return r, errors.New("there is more than one signature")
			}
			r.verdict = word
			if word != "ERRSIG" {
				_, r.user, _ = strings.Cut(rest, " ")
			}
		case "VALIDSIG":
			fields := strings.Fields(rest)
			if len(fields) > 0 {
				r.fingerprint = fields[0]
			}
			if len(fields) > 9 { // the primary key, when a subkey signed
				r.fingerprint = fields[9]
			}
		case "TRUST_UNDEFINED", "TRUST_NEVER", "TRUST_MARGINAL", "TRUST_FULLY", "TRUST_ULTIMATE":
			r.trust = strings.ToLower(strings.TrimPrefix(word, "TRUST_"))
		}
	}
	return r, nil
}

// verifyOpenPGP asks gpg about a detached signature.
func verifyOpenPGP(ctx context.Context, payload, signature []byte) (gpgResult, error) {
	file, err := os.CreateTemp("", "policypin-*.sig")
	if err != nil {
		return gpgResult{}, err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(signature)
	if err := errors.Join(err, file.Close()); err != nil {
		return gpgResult{}, err
	}
	_, status, err := runGPG(ctx, payload, "--batch", "--verify", file.Name(), "-")
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return gpgResult{}, err
	}
	// gpg also ends with a status when a signature is bad; what it says counts.
	return parseGPGStatus(status)
}
