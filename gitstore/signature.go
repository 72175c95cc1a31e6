package gitstore

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Formats of a tag's signature, as gpg.format calls them.
const (
	FormatSSH     = "ssh"
	FormatOpenPGP = "openpgp"
	FormatX509    = "x509"
)

// signatureMarks are the lines that start a signature in a tag, with the format
// of each (gpg-interface.c).
var signatureMarks = []struct{ mark, format string }{
	{"-----BEGIN PGP SIGNATURE-----", FormatOpenPGP},
	{"-----BEGIN PGP MESSAGE-----", FormatOpenPGP},
	{"-----BEGIN SSH SIGNATURE-----", FormatSSH},
	{"-----BEGIN SIGNED MESSAGE-----", FormatX509},
}

// Signature splits the tag into what was signed and the signature that Git
// appended to it, and names the signature's format. An unsigned pin has neither
// signature nor format.
func (p *Pin) Signature() (payload, signature []byte, format string) {
	begin := signatureStart(p.Raw)
	if begin < 0 {
		return p.Raw, nil, ""
	}
	payload, signature = p.Raw[:begin], p.Raw[begin:]
	for _, m := range signatureMarks {
		if bytes.HasPrefix(signature, []byte(m.mark)) {
			format = m.format
		}
	}
	return payload, signature, format
}

// signatureStart is where the last line begins that starts a signature, or -1.
// As Git does, everything from there on is taken as the signature.
func signatureStart(text []byte) int {
	begin := -1
	for _, m := range signatureMarks {
		if at := bytes.LastIndex(text, []byte("\n"+m.mark)); at >= 0 {
			begin = max(begin, at+1)
		}
	}
	return begin
}

// cutSignature removes a signature that Git appended to the message.
func cutSignature(message []byte) ([]byte, bool) {
	begin := signatureStart(message)
	if begin < 0 {
		return message, false
	}
	return message[:begin], true
}

const (
	sshBegin = "-----BEGIN SSH SIGNATURE-----"
	sshEnd   = "-----END SSH SIGNATURE-----"
	// sshMagic starts the signature and what is signed (PROTOCOL.sshsig).
	sshMagic = "SSHSIG"
	// sshNamespace is the purpose that Git signs for. A signature that was made
	// for a file or an e-mail doesn't count for a tag.
	sshNamespace = "git"
	// sshArmorWidth is where ssh-keygen breaks the lines.
	sshArmorWidth = 70
	// maxSSHSignature is far above a signature by a certificate of a large RSA
	// key, and keeps the parser from reading what can't be one.
	maxSSHSignature = 64 << 10
)

// errSSHSignature is wrapped when a signature isn't what ssh-keygen would write.
var errSSHSignature = errors.New("malformed SSH signature")

// An sshSignature is a parsed signature in OpenSSH's format for files
// (PROTOCOL.sshsig in OpenSSH).
type sshSignature struct {
	key       ssh.PublicKey
	namespace string
	hash      string // sha256 or sha512
	sig       *ssh.Signature
}

// sshWire is the signature's binary form after the magic.
type sshWire struct {
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

// sshMessage is what is signed, after the magic.
type sshMessage struct {
	Namespace string
	Reserved  string
	Hash      string
	Digest    []byte
}

// signSSH signs payload with a key, for Git.
func signSSH(rand io.Reader, key ssh.Signer, payload []byte) ([]byte, error) {
	const hash = "sha512"
	digest := sha512.Sum512(payload)
	message := append([]byte(sshMagic), ssh.Marshal(sshMessage{Namespace: sshNamespace, Hash: hash, Digest: digest[:]})...)
	sig, err := signWith(rand, key, message)
	if err != nil {
		return nil, err
	}
	blob := append([]byte(sshMagic), ssh.Marshal(sshWire{
		Version: 1, PublicKey: key.PublicKey().Marshal(), Namespace: sshNamespace, Hash: hash, Signature: ssh.Marshal(sig),
	})...)
	return armorSSH(blob), nil
}

// signWith uses SHA-512 with RSA keys, whose default is SHA-1: PROTOCOL.sshsig
// forbids that one.
func signWith(rand io.Reader, key ssh.Signer, message []byte) (*ssh.Signature, error) {
	if !isRSA(key.PublicKey()) {
		return key.Sign(rand, message)
	}
	rsa, ok := key.(ssh.AlgorithmSigner)
	if !ok {
		return nil, errors.New("this RSA key can only sign with SHA-1")
	}
	return rsa.SignWithAlgorithm(rand, message, ssh.KeyAlgoRSASHA512)
}

func isRSA(key ssh.PublicKey) bool {
	return key.Type() == ssh.KeyAlgoRSA || key.Type() == ssh.CertAlgoRSAv01
}

func armorSSH(blob []byte) []byte {
	var out bytes.Buffer
	out.WriteString(sshBegin + "\n")
	text := base64.StdEncoding.EncodeToString(blob)
	for line := range slices.Chunk([]byte(text), sshArmorWidth) {
		out.Write(line)
		out.WriteByte('\n')
	}
	out.WriteString(sshEnd + "\n")
	return out.Bytes()
}

// parseSSHSignature reads an armored signature that must fill text. Its errors
// wrap [errSSHSignature].
func parseSSHSignature(text []byte) (*sshSignature, error) {
	s, err := decodeSSHSignature(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSSHSignature, err)
	}
	return s, nil
}

func decodeSSHSignature(text []byte) (*sshSignature, error) {
	if len(text) > maxSSHSignature {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(text), maxSSHSignature)
	}
	body, ok := strings.CutPrefix(string(text), sshBegin+"\n")
	if !ok {
		return nil, errors.New("the first line isn't " + sshBegin)
	}
	// ssh-keygen ignores what follows; in a tag it would be text that nobody
	// signed and everybody sees.
	body, ok = strings.CutSuffix(body, "\n"+sshEnd+"\n")
	if !ok {
		return nil, errors.New("the last line isn't " + sshEnd)
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(strings.ReplaceAll(body, "\n", ""))
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(blob, []byte(sshMagic))
	if !ok {
		return nil, errors.New("it doesn't start with " + sshMagic)
	}
	var wire sshWire
	if err := ssh.Unmarshal(rest, &wire); err != nil {
		return nil, err
	}
	if wire.Version != 1 {
		return nil, fmt.Errorf("version %d is not known", wire.Version)
	}
	if wire.Hash != "sha256" && wire.Hash != "sha512" {
		return nil, fmt.Errorf("hash algorithm %.20q is not allowed", wire.Hash)
	}
	s := &sshSignature{namespace: wire.Namespace, hash: wire.Hash, sig: &ssh.Signature{}}
	if s.key, err = ssh.ParsePublicKey(wire.PublicKey); err != nil {
		return nil, err
	}
	if err := ssh.Unmarshal(wire.Signature, s.sig); err != nil {
		return nil, err
	}
	if isRSA(s.key) && s.sig.Format != ssh.KeyAlgoRSASHA256 && s.sig.Format != ssh.KeyAlgoRSASHA512 {
		return nil, fmt.Errorf("signature algorithm %.40q is not allowed", s.sig.Format)
	}
	return s, nil
}

// verify checks that the key signed payload, for Git. Whose key it is, is
// another question.
func (s *sshSignature) verify(payload []byte) error {
	if s.namespace != sshNamespace {
		return fmt.Errorf("it was made for %.40q, not for %q", s.namespace, sshNamespace)
	}
	var digest []byte
	if s.hash == "sha256" {
		sum := sha256.Sum256(payload)
		digest = sum[:]
	} else {
		sum := sha512.Sum512(payload)
		digest = sum[:]
	}
	message := append([]byte(sshMagic), ssh.Marshal(sshMessage{Namespace: s.namespace, Hash: s.hash, Digest: digest})...)
	if err := s.key.Verify(message, s.sig); err != nil {
		return errors.New("it was not made over this tag, or not by this key")
	}
	return nil
}
