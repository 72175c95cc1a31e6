package gitstore

import (
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// A keyring is a folder with keys, and the user's configuration of Git beside
// them, which no test takes from the machine.
type keyring struct {
	testing.TB
	dir string
}

func newKeyring(t testing.TB) *keyring {
	t.Helper()
	k := &keyring{t, t.TempDir()}
	for name, value := range map[string]string{
		"HOME": k.dir, "GIT_CONFIG_GLOBAL": filepath.Join(k.dir, "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1", "SSH_AUTH_SOCK": "",
	} {
		k.setenv(name, value)
	}
	return k
}

func (k *keyring) setenv(name, value string) {
	k.TB.(interface{ Setenv(name, value string) }).Setenv(name, value)
}

func (k *keyring) path(name string) string { return filepath.Join(k.dir, name) }

func (k *keyring) write(name, text string) string {
	k.Helper()
	if err := os.WriteFile(k.path(name), []byte(text), 0o600); err != nil {
		k.Fatal(err)
	}
	return k.path(name)
}

func (k *keyring) read(name string) string {
	k.Helper()
	text, err := os.ReadFile(k.path(name))
	if err != nil {
		k.Fatal(err)
	}
	return string(text)
}

// keygen runs ssh-keygen in the folder.
func (k *keyring) keygen(args ...string) {
	k.Helper()
	cmd := exec.Command("ssh-keygen", args...)
	cmd.Dir = k.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		k.Fatalf("ssh-keygen %q: %v\n%s", args, err, out)
	}
}

// key makes a key and returns its file.
func (k *keyring) key(name, kind string, more ...string) string {
	k.Helper()
	k.keygen(append([]string{"-q", "-t", kind, "-N", "", "-C", name, "-f", name}, more...)...)
	return k.path(name)
}

// allow writes a file of allowed signers for keys.
func (k *keyring) allow(who string, names ...string) string {
	k.Helper()
	text := ""
	for _, name := range names {
		text += who + " " + k.read(name+".pub")
	}
	return k.write("signers", text)
}

// agent serves an SSH agent with these keys.
func (k *keyring) agent(names ...string) {
	k.Helper()
	ring := agent.NewKeyring()
	for _, name := range names {
		key, err := ssh.ParseRawPrivateKey([]byte(k.read(name)))
		if err != nil {
			k.Fatal(err)
		}
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			k.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "agent") // a socket's path must be short
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = agent.ServeAgent(ring, conn) // ends with EOF
			}()
		}
	}()
	k.setenv("SSH_AUTH_SOCK", l.Addr().String())
}

// gitTagVerify is what git says about a pin that it reads from the repository.
func gitTagVerify(t testing.TB, dir string, p *Pin, config ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("git", append(config, "tag", "-v", p.Name)...)
	cmd.Dir = dir
	cmd.Env = append(gittest.Env(), "GNUPGHOME="+os.Getenv("GNUPGHOME"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Git and ssh-keygen accept what is signed here, with every kind of key, and the
// other way round.
func TestGitAcceptsSignatures(t *testing.T) {
	k := newKeyring(t)
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		t.Run(kind, func(t *testing.T) {
			s := newSite(t, 1)
			repo := openRepo(t, s.work, nil)
			key := k.key(kind, kind)
			signers := k.allow("ann@example.com", kind)
			signer, err := repo.Signer(SignerOptions{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			pin, err := signer.Sign(t.Context(), testPin(t, s.tip(), testRecord("agents", 12)))
			if err != nil {
				t.Fatal(err)
			}
			if !pin.Signed || !pin.Equal(testPin(t, s.tip(), testRecord("agents", 12))) {
				t.Errorf("the signed pin isn't equal to the unsigned one: %+v", pin)
			}
			if again, err := signer.Sign(t.Context(), pin); err != nil || again != pin {
				t.Errorf("signing again: got %v, %v", again, err)
			}
			if results, err := repo.Local().PushPins(t.Context(), []*Pin{pin}); err != nil || results[0].Err != nil {
				t.Fatal(results, err)
			}
			out, err := gitTagVerify(t, s.work, pin, "-c", "gpg.ssh.allowedSignersFile="+signers)
			if err != nil || !strings.Contains(out, `Good "git" signature for ann@example.com`) {
				t.Errorf("git tag -v: %v\n%s", err, out)
			}
			checker, err := repo.SignatureChecker(SignatureOptions{AllowedSigners: signers})
			if err != nil {
				t.Fatal(err)
			}
			if got := checker.Check(t.Context(), pin); got.Status != SignatureGood || got.Signer != "ann@example.com" || !strings.Contains(signer.String(), got.Key) {
				t.Errorf("our own signature: got %+v of %s", got, signer)
			}
			// The same tag, signed by git.
			message := k.write("message", strings.SplitN(string(testPin(t, s.tip(), testRecord("agents", 13)).Raw), "\n\n", 2)[1])
			gittest.Git(t, s.work, "-c", "gpg.format=ssh", "-c", "user.signingKey="+key, "tag", "-s", "-F", message, "policypin/production/agents/v13")
			refs, err := repo.Local().Refs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			list, _ := refs.Pins("production")
			pins, err := repo.Local().ReadPins(t.Context(), list)
			if err != nil {
				t.Fatal(err)
			}
			if got := checker.Check(t.Context(), pins[1]); got.Status != SignatureGood || got.Signer != "ann@example.com" {
				t.Errorf("git's signature: got %+v", got)
			}
		})
	}
}

// The key is found where git would find it.
func TestSigner(t *testing.T) {
	g := newGitRepo(t)
	g.commit("one", "a.txt", "a")
	k := newKeyring(t)
	k.key("plain", "ed25519")
	k.key("locked", "ed25519")
	k.agent("plain", "locked") // before it has a passphrase
	socket := os.Getenv("SSH_AUTH_SOCK")
	k.keygen("-q", "-p", "-P", "", "-N", "a passphrase", "-f", "locked")
	k.key("alone", "ed25519")
	k.write("lonely.pub", k.read("alone.pub"))
	k.write("plain-in-agent", k.read("plain.pub"))
	if err := os.Rename(k.path("locked.pub"), k.path("elsewhere.pub")); err != nil {
		t.Fatal(err)
	}
	k.key("old", "rsa", "-m", "PEM")
	k.keygen("-q", "-p", "-P", "", "-N", "a passphrase", "-m", "PEM", "-f", "old")
	k.write("included", "[user]\n\tsigningKey = ~/plain\n[gpg]\n\tformat = ssh\n")
	public := strings.TrimSpace(k.read("plain.pub"))

	for _, tt := range []struct {
		name   string
		config string
		opts   SignerOptions
		agent  bool
		want   string // part of the signer's name; "" for none
		err    string // part of the error
	}{
		{name: "nothing asks for it", config: "[user]\n\tsigningKey = ~/plain\n"},
		{name: "tag.gpgSign is off", config: "[tag]\n\tgpgSign = false\n[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = ~/plain\n"},
		{name: "a private key's file", opts: SignerOptions{Key: k.path("plain")}, want: k.path("plain")},
		{name: "a public key's file with the private one beside it", opts: SignerOptions{Key: k.path("plain.pub")}, want: k.path("plain")},
		{name: "a public key's file with the private one in the agent", opts: SignerOptions{Key: k.path("plain-in-agent")}, agent: true, want: "plain-in-agent"},
		{name: "a public key's file with the private one nowhere", opts: SignerOptions{Key: k.path("lonely.pub")}, agent: true, err: "neither is it beside it"},
		{name: "a public key's file without .pub", opts: SignerOptions{Key: k.path("plain-in-agent")}, err: "the agent doesn't have its private half"},
		{name: "a public key as text", opts: SignerOptions{Key: "key::" + public}, agent: true, want: "the agent's key"},
		{name: "a public key as text, without its prefix", opts: SignerOptions{Key: public}, agent: true, want: "the agent's key"},
		{name: "a public key as text that the agent lacks", opts: SignerOptions{Key: "key::" + strings.TrimSpace(k.read("alone.pub"))}, agent: true, err: "ssh-add"},
		{name: "text that is no key", opts: SignerOptions{Key: "key::nonsense"}, err: "can't be read"},
		{name: "a key with a passphrase, in the agent", opts: SignerOptions{Key: k.path("locked")}, agent: true, want: "locked"},
		{name: "a key with a passphrase, and no agent", opts: SignerOptions{Key: k.path("locked")}, err: "needs a passphrase"},
		{name: "an old key with a passphrase", opts: SignerOptions{Key: k.path("old")}, agent: true, err: "ssh-add " + k.path("old")},
		{name: "no file", opts: SignerOptions{Key: k.path("nothing")}, err: "no such file"},
		{name: "a file that is no key", opts: SignerOptions{Key: k.write("notes", "buy milk\n")}, err: "neither a private nor a public SSH key"},
		{name: "a folder", opts: SignerOptions{Key: k.dir}, err: "is not a file"},
		{name: "the configuration says so", config: "[tag]\n\tgpgSign\n[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = ~/plain\n", want: k.path("plain")},
		{name: "an included file says which", config: "[include]\n\tpath = included\n", opts: SignerOptions{Always: true}, want: k.path("plain")},
		{name: "a flag goes before the configuration", config: "[gpg]\n\tformat = x509\n", opts: SignerOptions{Key: k.path("plain")}, want: k.path("plain")},
		{name: "no key in the configuration", config: "[gpg]\n\tformat = ssh\n", opts: SignerOptions{Always: true}, err: "user.signingKey is not set"},
		{name: "S/MIME", config: "[gpg]\n\tformat = x509\n", opts: SignerOptions{Always: true}, err: "ssh or openpgp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k.write("gitconfig", tt.config)
			t.Setenv("SSH_AUTH_SOCK", "")
			if tt.agent {
				t.Setenv("SSH_AUTH_SOCK", socket)
			}
			s, err := g.open().Signer(tt.opts)
			switch {
			case tt.err != "":
				if !errors.Is(err, ErrSigningKey) || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want an error that says %q", err, tt.err)
				}
				return
			case err != nil:
				t.Fatal(err)
			case tt.want == "":
				if s != nil {
					t.Fatalf("got %s, want none", s)
				}
				return
			case s == nil || !strings.Contains(s.String(), tt.want):
				t.Fatalf("got %v, want %q", s, tt.want)
			}
			if p, err := s.Sign(t.Context(), testPin(t, g.hash("HEAD"), testRecord("agents", 12))); err != nil || !p.Signed {
				t.Errorf("signing: got %v, %v", p, err)
			}
		})
	}
}

// What is not signed here must not be taken for SHA-1 by default.
func TestRSAKeysSignWithSHA512(t *testing.T) {
	k := newKeyring(t)
	k.key("rsa", "rsa")
	key, err := ssh.ParsePrivateKey([]byte(k.read("rsa")))
	if err != nil {
		t.Fatal(err)
	}
	armored, err := signSSH(nil, key, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseSSHSignature(armored)
	if err != nil || s.sig.Format != ssh.KeyAlgoRSASHA512 || s.hash != "sha512" || s.namespace != "git" {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := signSSH(nil, sha1Only{key}, []byte("payload")); err == nil {
		t.Error("a key that can only sign with SHA-1 signed")
	}
	if block, _ := pem.Decode(armored); block == nil || block.Type != "SSH SIGNATURE" {
		t.Error("the armor isn't PEM")
	}
}

// sha1Only hides that a key can choose an algorithm.
type sha1Only struct{ ssh.Signer }
