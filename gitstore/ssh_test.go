package gitstore

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/policypin/policypin/internal/gittest"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshServer serves repositories by running git for a client with the given key.
type sshServer struct {
	t      *testing.T
	config *ssh.ServerConfig
}

func newKey(t *testing.T) (ed25519.PrivateKey, ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, signer
}

func (s *sshServer) serve(conn net.Conn) {
	server, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return // a client without the key
	}
	defer server.Close()
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		channel, requests, err := ch.Accept()
		if err != nil {
			return
		}
		go func() {
			for req := range requests {
				if req.Type == "exec" {
					req.Reply(true, nil)
					go s.run(channel, string(req.Payload[4:]))
				}
			}
		}()
	}
}

var gitCommand = regexp.MustCompile(`^(git-(?:upload|receive)-pack) '([^']*)'$`)

func (s *sshServer) run(channel ssh.Channel, command string) {
	defer channel.Close()
	m := gitCommand.FindStringSubmatch(command)
	if m == nil {
		fmt.Fprintf(channel.Stderr(), "what is %q?\n", command)
		return
	}
	cmd := exec.Command(m[1], m[2])
	cmd.Env = gittest.Env()
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	stdin, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return
	}
	go func() {
		io.Copy(stdin, channel)
		stdin.Close()
	}()
	err = cmd.Wait()
	status := uint32(0)
	if err != nil {
		status = 1
	}
	channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

// Publishing over ssh: with a key in a default file, a host in known_hosts.
func TestSSH(t *testing.T) {
	s := newSite(t, 40)
	_, host := newKey(t)
	userKey, user := newKey(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	server := &sshServer{t, config}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go server.serve(conn)
		}
	}()

	home := t.TempDir()
	block, err := ssh.MarshalPrivateKey(userKey, "")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	known := knownhosts.Line([]string{addr}, host.PublicKey()) + "\n"
	for name, data := range map[string]string{"id_ed25519": string(pem.EncodeToMemory(block)), "known_hosts": known} {
		if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, ".ssh", name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "")
	t.Setenv("SSH_KNOWN_HOSTS", filepath.Join(home, ".ssh", "known_hosts"))

	clone := s.clone("file://"+s.bare, "--depth=1")
	url := "ssh://git@" + addr + s.bare
	o := origin(t, clone, RemoteOptions{Name: url})
	if o.Name() != url {
		t.Errorf("the name is %s", o.Name())
	}
	if ok, err := o.Descends(t.Context(), s.tip(), s.commits[0]); !ok || err != nil {
		t.Errorf("history: got %v, %v", ok, err)
	}
	if _, err := o.TreeAt(t.Context(), s.tip(), "policies"); err != nil {
		t.Error(err)
	}
	l, err := o.Lock(t.Context(), "zone_1", quick("ann"))
	if err != nil {
		t.Fatal(err)
	}
	pin := pinOf(t, s.tip(), "agents", 1)
	results, err := o.PushPins(t.Context(), []*Pin{pin})
	pushed(t, results, err)
	if err := l.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if got := listPins(t, o); len(got) != 1 || got[0].Object != pin.Object {
		t.Errorf("got %v", got)
	}
	gittest.Hook(t, s.bare, "update", "echo restricted creations >&2; exit 1")
	results, err = o.PushPins(t.Context(), []*Pin{pinOf(t, s.tip(), "agents", 2)})
	if err != nil || results[0].Err == nil || !strings.Contains(results[0].Err.Error(), "remote: restricted creations") {
		t.Errorf("refused: got %v, %v", results, err)
	}

	// The key may also be in the agent.
	if err := os.Remove(filepath.Join(home, ".ssh", "id_ed25519")); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Refs(t.Context()); err == nil {
		t.Error("listing works without a key")
	}
	t.Setenv("SSH_AUTH_SOCK", serveAgent(t, userKey))
	if _, err := o.Refs(t.Context()); err != nil {
		t.Errorf("with an agent: %v", err)
	}

	// An unknown host is refused before anything is sent.
	if err := os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Refs(t.Context()); err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("an unknown host: got %v", err)
	}
}

// serveAgent runs an agent that has one key, and returns its socket.
func serveAgent(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(keys, conn)
		}
	}()
	return socket
}
