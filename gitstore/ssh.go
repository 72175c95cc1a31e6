package gitstore

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
)

// sshClient is go-git's ssh transport with keys from the agent and, as OpenSSH
// has it, from the default files, unless they need a passphrase. Host keys are
// checked against known_hosts (or $SSH_KNOWN_HOSTS), and an unknown one is
// refused.
type sshClient struct {
	transport.Transport
	getenv func(string) string
}

func newSSHClient(getenv func(string) string) transport.Transport {
	return sshClient{gitssh.NewClient(nil), getenv}
}

func (c sshClient) NewUploadPackSession(ep *transport.Endpoint, _ transport.AuthMethod) (transport.UploadPackSession, error) {
	return c.Transport.NewUploadPackSession(ep, sshAuth{ep, c.getenv})
}

func (c sshClient) NewReceivePackSession(ep *transport.Endpoint, _ transport.AuthMethod) (transport.ReceivePackSession, error) {
	return c.Transport.NewReceivePackSession(ep, sshAuth{ep, c.getenv})
}

type sshAuth struct {
	ep     *transport.Endpoint
	getenv func(string) string
}

func (a sshAuth) Name() string   { return "ssh keys" }
func (a sshAuth) String() string { return a.Name() }

// ClientConfig leaves HostKeyCallback to go-git, which reads known_hosts.
func (a sshAuth) ClientConfig() (*ssh.ClientConfig, error) {
	name := a.ep.User
	if name == "" {
		u, err := user.Current()
		if err != nil {
			return nil, err
		}
		name = u.Username
	}
	return &ssh.ClientConfig{
		User:    name,
		Auth:    []ssh.AuthMethod{ssh.PublicKeysCallback(a.signers)},
		Timeout: connectTimeout,
	}, nil
}

func (a sshAuth) signers() ([]ssh.Signer, error) {
	var keys []ssh.Signer
	agent, err := gitssh.NewSSHAgentAuth(a.ep.User)
	if err == nil {
		if keys, err = agent.Callback(); err != nil {
			keys = nil
		}
	}
	home, _ := os.UserHomeDir()
	files := []string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"}
	if own := gitssh.DefaultSSHConfig.Get(a.ep.Host, "IdentityFile"); own != "" {
		files = append([]string{own}, files...)
	}
	for _, file := range files {
		if rest, ok := strings.CutPrefix(file, "~/"); ok {
			file = filepath.Join(home, rest)
		}
		pem, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if key, err := ssh.ParsePrivateKey(pem); err == nil {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no ssh key: the agent has none, and no default key file can be read without a passphrase")
	}
	return keys, nil
}
