package gitstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
)

// ErrSigningKey is wrapped when a pin should be signed and there is no usable
// key for it. The text says what to do.
var ErrSigningKey = errors.New("no usable signing key")

// A Signer signs pins as git tag -s does.
type Signer struct {
	what string
	sign func(ctx context.Context, payload []byte) ([]byte, error)
}

// String names the key, for messages.
func (s *Signer) String() string { return s.what }

// Sign returns the pin with a signature at its end. A pin that has one is
// returned as it is.
func (s *Signer) Sign(ctx context.Context, p *Pin) (*Pin, error) {
	if p.Signed {
		return p, nil
	}
	signature, err := s.sign(ctx, p.Raw)
	if err != nil {
		return nil, fmt.Errorf("signing pin %s with %s: %w", p.Name, s.what, err)
	}
	return parsePin(p.Name, append(p.Raw[:len(p.Raw):len(p.Raw)], signature...))
}

// SignerOptions choose the key. The zero value does what Git's configuration
// says.
type SignerOptions struct {
	// Key is an SSH key, whatever Git's configuration says: the file of a
	// private key, the file of a public key whose private half is in the agent
	// or beside it, or a public key as text, after "key::".
	Key string
	// Always signs even if tag.gpgSign isn't set.
	Always bool
}

// Signer finds the key for signing pins: opts.Key, or what gpg.format and
// user.signingKey say. It is nil if nothing wants pins to be signed. The error
// wraps [ErrSigningKey].
//
// Git's configuration is read through git, since it may include other files. As
// for git, the repository's own configuration belongs to it: whoever can write
// that file chooses the key, but no program; gpg is the one in PATH.
func (r *Repo) Signer(opts SignerOptions) (*Signer, error) {
	if opts.Key != "" {
		return r.sshSigner(opts.Key)
	}
	settings, err := r.userSettings()
	if err != nil {
		return nil, err
	}
	if !opts.Always && !configBool(settings["tag.gpgsign"]) {
		return nil, nil
	}
	key := settings["user.signingkey"]
	switch format := settings["gpg.format"]; format {
	case "", FormatOpenPGP:
		return r.gpgSigner(key)
	case FormatSSH:
		if key == "" {
			return nil, fmt.Errorf("%w: gpg.format is ssh and user.signingKey is not set", ErrSigningKey)
		}
		return r.sshSigner(key)
	default:
		return nil, fmt.Errorf("%w: gpg.format is %.40q; pins are signed with ssh or openpgp", ErrSigningKey, format)
	}
}

// userSettings reads Git's configuration, the last value of each name. Names are
// in lower case, but for subsections. Without git there is none.
func (r *Repo) userSettings() (map[string]string, error) {
	out, err := gitProcess{r.gitDir, r.root}.run(nil, nil, "config", "-z", "--list")
	if isNotFound(err) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Git's configuration: %w", err)
	}
	settings := map[string]string{}
	for item := range strings.SplitSeq(string(out), "\x00") {
		name, value, valued := strings.Cut(item, "\n")
		if !valued {
			value = "true" // git-config(1): a name alone is a true boolean
		}
		settings[name] = value
	}
	return settings, nil
}

// sshSigner finds the private half of a key, in ssh-keygen's order: the agent,
// then the file.
func (r *Repo) sshSigner(key string) (*Signer, error) {
	if literal, ok := literalKey(key); ok {
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(literal))
		if err != nil {
			return nil, fmt.Errorf("%w: the public key %.40q can't be read", ErrSigningKey, literal)
		}
		if s := agentSigner(public); s != nil {
			return newSSHSigner(s, "the agent's key"), nil
		}
		return nil, fmt.Errorf("%w: the agent doesn't have %s; add it with ssh-add", ErrSigningKey, ssh.FingerprintSHA256(public))
	}
	file := r.expandPath(key)
	text, err := readSigners(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSigningKey, err)
	}
	if public, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		return publicFileSigner(file, public)
	}
	return privateFileSigner(file, text)
}

// literalKey tells whether a signing key is a public key rather than a file
// (user.signingKey in git-config(1)).
func literalKey(key string) (string, bool) {
	if literal, ok := strings.CutPrefix(key, "key::"); ok {
		return literal, true
	}
	return key, strings.HasPrefix(key, "ssh-")
}

// publicFileSigner uses the agent, or the private key next to the public one.
func publicFileSigner(file string, public ssh.PublicKey) (*Signer, error) {
	if s := agentSigner(public); s != nil {
		return newSSHSigner(s, file), nil
	}
	private, ok := strings.CutSuffix(file, ".pub")
	if !ok {
		return nil, fmt.Errorf("%w: %s is a public key, and the agent doesn't have its private half", ErrSigningKey, file)
	}
	text, err := readSigners(private)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is a public key; the agent doesn't have its private half, and neither is it beside it: %w",
			ErrSigningKey, file, err)
	}
	s, err := privateFileSigner(private, text)
	return s, err
}

func privateFileSigner(file string, text []byte) (*Signer, error) {
	key, err := ssh.ParsePrivateKey(text)
	if locked := (*ssh.PassphraseMissingError)(nil); errors.As(err, &locked) {
		public := locked.PublicKey
		if public == nil { // the old formats hide it
			if text, err := readSigners(file + ".pub"); err == nil {
				public, _, _, _, _ = ssh.ParseAuthorizedKey(text)
			}
		}
		if public != nil {
			if s := agentSigner(public); s != nil {
				return newSSHSigner(s, file), nil
			}
		}
		return nil, fmt.Errorf("%w: %s needs a passphrase, and the agent doesn't have the key; add it with ssh-add %s",
			ErrSigningKey, file, file)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s is neither a private nor a public SSH key", ErrSigningKey, file)
	}
	return newSSHSigner(key, file), nil
}

func newSSHSigner(key ssh.Signer, from string) *Signer {
	return &Signer{
		what: fmt.Sprintf("SSH key %s (%s)", ssh.FingerprintSHA256(key.PublicKey()), from),
		sign: func(_ context.Context, payload []byte) ([]byte, error) { return signSSH(rand.Reader, key, payload) },
	}
}

// agentSigner returns the agent's signer for a key, or nil.
func agentSigner(public ssh.PublicKey) ssh.Signer {
	agent, err := gitssh.NewSSHAgentAuth("git") // the user is for logins; nobody logs in
	if err != nil {
		return nil
	}
	keys, err := agent.Callback()
	if err != nil {
		return nil
	}
	for _, k := range keys {
		if sameKey(k.PublicKey(), public) {
			return k
		}
	}
	return nil
}

// expandPath reads a path of the configuration: ~ is the home folder, and a
// relative one starts at the top of the work tree, where git runs.
func (r *Repo) expandPath(name string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(name) {
		return name
	}
	if r.root == "" {
		return filepath.Join(r.gitDir, name)
	}
	return filepath.Join(r.root, name)
}
