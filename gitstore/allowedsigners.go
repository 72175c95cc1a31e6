package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxSignersBytes limits files of allowed signers and of revoked keys: a
// thousand people's keys take about 500 kB.
const maxSignersBytes = 8 << 20

// allowedSigners say whose key is whose (ssh-keygen(1), "ALLOWED SIGNERS").
type allowedSigners []allowedSigner

// An allowedSigner is one line of the file.
type allowedSigner struct {
	line       int
	principals string // a pattern list
	key        ssh.PublicKey
	authority  bool   // the key signs certificates
	namespaces string // a pattern list; "" is all
	after      time.Time
	before     time.Time
}

// readSigners reads a small file of keys.
func readSigners(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSignersBytes {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", name, maxSignersBytes)
	}
	return os.ReadFile(name)
}

// parseAllowedSigners reads the file's text. As in ssh-keygen, a line that can't
// be understood is an error only if nothing else decides; here it is one at
// once, so that a typo in an option can't pass for an absent signer.
func parseAllowedSigners(text []byte) (allowedSigners, error) {
	var list allowedSigners
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line := strings.TrimSpace(string(line))
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parseAllowedSigner(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		s.line = n
		list = append(list, s)
	}
	return list, nil
}

func parseAllowedSigner(line string) (allowedSigner, error) {
	var s allowedSigner
	var rest string
	if line[0] == '"' {
		var ok bool
		if s.principals, rest, ok = strings.Cut(line[1:], `"`); !ok {
			return s, errors.New("a quote is not closed")
		}
	} else if at := strings.IndexAny(line, " \t"); at >= 0 {
		s.principals, rest = line[:at], line[at:]
	}
	if s.principals == "" {
		return s, errors.New("principals and a key are expected")
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimLeft(rest, " \t")))
	if err != nil {
		return s, errors.New("no key can be read in it")
	}
	s.key = key
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "cert-authority":
			s.authority = true
		case "namespaces":
			s.namespaces = value
		case "valid-after":
			s.after, err = parseValidity(value)
		case "valid-before":
			s.before, err = parseValidity(value)
		default:
			err = fmt.Errorf("option %.40q is not known", name)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// parseValidity reads YYYYMMDD[HHMM[SS]], in the local time zone unless it ends
// with Z.
func parseValidity(s string) (time.Time, error) {
	text, zulu := strings.CutSuffix(s, "Z")
	zone := time.Local
	if zulu {
		zone = time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(text) == len(layout) {
			if t, err := time.ParseInLocation(layout, text, zone); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("time %.40q doesn't have the form YYYYMMDD[HHMM[SS]][Z]", s)
}

// principal returns who a signature's key belongs to. when is the time that the
// signature claims, by which Git judges keys too. If nobody, the error says
// why.
func (list allowedSigners) principal(key ssh.PublicKey, when time.Time) (string, error) {
	why := errors.New("no allowed signer has this key")
	for _, s := range list {
		who, err := s.principalOf(key, when)
		switch {
		case who != "":
			return who, nil
		case err != nil:
			why = fmt.Errorf("line %d: %w", s.line, err)
		}
	}
	return "", why
}

func (s *allowedSigner) principalOf(key ssh.PublicKey, when time.Time) (string, error) {
	cert, certified := key.(*ssh.Certificate)
	switch {
	case !s.authority && !sameKey(s.key, key):
		return "", nil
	case s.authority && (!certified || !sameKey(s.key, cert.SignatureKey)):
		return "", nil
	case s.namespaces != "" && !matchList(sshNamespace, s.namespaces):
		return "", fmt.Errorf("the key is for %q only", s.namespaces)
	case !s.after.IsZero() && when.Before(s.after):
		return "", fmt.Errorf("the key is valid after %s", s.after.UTC().Format(time.RFC3339))
	case !s.before.IsZero() && when.After(s.before):
		return "", fmt.Errorf("the key was valid before %s", s.before.UTC().Format(time.RFC3339))
	case !s.authority:
		return s.principals, nil
	}
	return s.certified(cert, when)
}

// certified returns the principal of a certificate that this authority signed.
func (s *allowedSigner) certified(cert *ssh.Certificate, when time.Time) (string, error) {
	if cert.CertType != ssh.UserCert {
		return "", errors.New("the certificate is not one of a user")
	}
	check := ssh.CertChecker{Clock: func() time.Time { return when }}
	why := errors.New("the certificate has none of these principals")
	for _, p := range cert.ValidPrincipals {
		if !matchList(p, s.principals) {
			continue
		}
		err := check.CheckCert(p, cert)
		if err == nil {
			return p, nil
		}
		why = err
	}
	return "", why
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// matchList matches a text with a comma-separated list of patterns with * and ?,
// of which those after ! must not match (ssh_config(5), PATTERNS).
func matchList(text, list string) bool {
	found := false
	for pattern := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !matchPattern(text, pattern) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

// matchPattern goes back to the last * only, so its time is at most the product
// of both lengths.
func matchPattern(text, pattern string) bool {
	t, p, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			t++
			p++
		case star >= 0:
			mark++
			t, p = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// parseRevoked reads gpg.ssh.revocationFile as a list of public keys.
func parseRevoked(text []byte) ([]ssh.PublicKey, error) {
	if bytes.HasPrefix(text, []byte("SSHKRL\n\x00")) {
		return nil, errors.New("it is a binary revocation list, which only git tag -v can read here")
	}
	var keys []ssh.PublicKey
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: no key can be read in it", n)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
