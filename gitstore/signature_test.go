package gitstore

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		text, list string
		want       bool
	}{
		{"git", "git", true},
		{"git", "file", false},
		{"git", "file,git", true},
		{"git", "*", true},
		{"git", "g?t", true},
		{"git", "g*t*", true},
		{"git", "g", false},
		{"git", "git?", false},
		{"git", "", false},
		{"", "", true},
		{"", "*", true},
		{"git", "*,!git", false},
		{"git", "!git,*", false},
		{"git", "!file", false},
		{"git", "!file,*", true},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*a*a*a*a*a*a*c", false},
		{"ann@example.com", "*@example.com", true},
		{"ann@example.com.evil", "*@example.com", false},
	} {
		if got := matchList(tt.text, tt.list); got != tt.want {
			t.Errorf("matchList(%q, %q): got %v, want %v", tt.text, tt.list, got, tt.want)
		}
	}
}

func TestValidity(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Time // zero for an error
	}{
		{"20260102Z", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
		{"202601020304Z", time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)},
		{"20260102030405Z", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{"20260102", time.Date(2026, 1, 2, 0, 0, 0, 0, time.Local)},
		{"20261302", time.Time{}},
		{"2026", time.Time{}},
		{"", time.Time{}},
		{"Z", time.Time{}},
	} {
		got, err := parseValidity(tt.text)
		if !got.Equal(tt.want) || (err == nil) == tt.want.IsZero() {
			t.Errorf("parseValidity(%q): got %s, %v, want %s", tt.text, got, err, tt.want)
		}
	}
}

// signatureSeeds are signatures by ssh-keygen and damaged ones.
func signatureSeeds(f *testing.F) (payload []byte, seeds [][]byte) {
	k := newKeyring(f)
	payload = []byte("payload")
	for _, kind := range []string{"ed25519", "ecdsa"} {
		k.key(kind, kind)
		k.write(kind+".txt", string(payload))
		k.keygen("-q", "-Y", "sign", "-n", "git", "-f", kind, kind+".txt")
		seeds = append(seeds, []byte(k.read(kind+".txt.sig")))
	}
	return payload, append(seeds, []byte(sshBegin+"\n\n"+sshEnd+"\n"), armorSSH([]byte("SSHSIG\x00\x00\x00\x01\xff\xff\xff\xff")))
}

// FuzzSSHSignature: what is read is written as the same bytes, so that a
// signature has one form, and nothing panics.
func FuzzSSHSignature(f *testing.F) {
	payload, seeds := signatureSeeds(f)
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSSHSignature(text)
		if err != nil {
			if !errors.Is(err, errSSHSignature) {
				t.Errorf("got %v, want an error that wraps errSSHSignature", err)
			}
			return
		}
		_ = s.verify(payload) // must not panic
		again, err := parseSSHSignature(armorSSH(append([]byte(sshMagic), ssh.Marshal(sshWire{
			Version: 1, PublicKey: s.key.Marshal(), Namespace: s.namespace, Hash: s.hash, Signature: ssh.Marshal(s.sig),
		})...)))
		if err != nil || !bytes.Equal(again.key.Marshal(), s.key.Marshal()) || again.namespace != s.namespace || !bytes.Equal(again.sig.Blob, s.sig.Blob) {
			t.Errorf("written anew: got %+v, %v, want %+v", again, err, s)
		}
	})
}

func FuzzAllowedSigners(f *testing.F) {
	k := newKeyring(f)
	k.key("ann", "ed25519")
	key := k.read("ann.pub")
	f.Add([]byte("ann@example.com " + key))
	f.Add([]byte(`"a b,*@example.com" namespaces="git",valid-after="20260101Z",cert-authority ` + key))
	f.Add([]byte("# nothing\n\n \"\n"))
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parseAllowedSigners(text)
		if err != nil {
			return
		}
		for _, s := range list {
			if s.principals == "" || s.key == nil {
				t.Errorf("line %d has no principals or no key", s.line)
			}
		}
		if who, err := list.principal(public, time.Unix(0, 0)); (who == "") == (err == nil) {
			t.Errorf("got %q and %v", who, err)
		}
		_, _ = parseRevoked(text) // must not panic
	})
}
