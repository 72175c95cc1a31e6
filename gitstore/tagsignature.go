package gitstore

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/crypto/ssh"
)

// What became of checking a pin's signature.
const (
	SignatureNone      = "unsigned"
	SignatureGood      = "good"      // by a key whose owner is known
	SignatureUntrusted = "untrusted" // by a key that nothing here vouches for
	SignatureBad       = "bad"       // not over this tag, or by a key that mustn't sign
	SignatureUnknown   = "unchecked" // it couldn't be checked here
)

// A SignatureCheck is what became of checking a pin's signature.
type SignatureCheck struct {
	Status string // one of the constants above
	Format string // ssh, openpgp or x509; "" if there is none
	Signer string // whose key it is, when good: a principal or a user id
	Key    string // fingerprint, when known
	Reason string // why it isn't good
}

// SignatureOptions say whose signatures count.
type SignatureOptions struct {
	// AllowedSigners is a file that lists SSH keys, in the format of ssh-keygen.
	// "" is what gpg.ssh.allowedSignersFile says. If it is given, a pin must be
	// signed by one of those keys: none and OpenPGP don't do.
	AllowedSigners string
}

// A SignatureChecker checks the signatures of pins, as git tag -v does.
type SignatureChecker struct {
	required bool
	file     string // of allowed signers; "" if there is none
	allowed  allowedSigners
	revoked  []ssh.PublicKey
	revoking error // why the revocation file can't be used
}

// SignatureChecker reads the allowed signers, and the revoked keys that
// gpg.ssh.revocationFile names.
func (r *Repo) SignatureChecker(opts SignatureOptions) (*SignatureChecker, error) {
	settings, err := r.userSettings()
	if err != nil {
		return nil, err
	}
	c := &SignatureChecker{required: opts.AllowedSigners != "", file: opts.AllowedSigners}
	if own := settings["gpg.ssh.allowedsignersfile"]; c.file == "" && own != "" {
		c.file = r.expandPath(own)
	}
	if c.file != "" {
		text, err := readSigners(c.file)
		if errors.Is(err, os.ErrNotExist) && !c.required {
			c.file = ""
		} else if err != nil {
			return nil, fmt.Errorf("reading allowed signers: %w", err)
		}
		if c.allowed, err = parseAllowedSigners(text); err != nil {
			return nil, fmt.Errorf("reading allowed signers: %s: %w", c.file, err)
		}
	}
	if name := settings["gpg.ssh.revocationfile"]; name != "" {
		text, err := readSigners(r.expandPath(name))
		if err == nil {
			c.revoked, err = parseRevoked(text)
		}
		if err != nil {
			c.revoking = fmt.Errorf("gpg.ssh.revocationFile %s: %w", name, err)
		}
	}
	return c, nil
}

// Required tells whether pins must be signed by an allowed signer.
func (c *SignatureChecker) Required() bool { return c.required }

// File is the file of allowed signers that is used, or "".
func (c *SignatureChecker) File() string { return c.file }

// Check checks the signature of a pin.
func (c *SignatureChecker) Check(ctx context.Context, p *Pin) SignatureCheck {
	payload, signature, format := p.Signature()
	switch format {
	case "":
		return SignatureCheck{Status: SignatureNone}
	case FormatSSH:
		return c.checkSSH(p, payload, signature)
	case FormatOpenPGP:
		return checkOpenPGP(ctx, payload, signature)
	}
	return SignatureCheck{Status: SignatureUnknown, Format: format, Reason: "it can't be checked here; git tag -v can"}
}

func (c *SignatureChecker) checkSSH(p *Pin, payload, signature []byte) SignatureCheck {
	check := SignatureCheck{Status: SignatureBad, Format: FormatSSH}
	s, err := parseSSHSignature(signature)
	if err != nil {
		check.Reason = err.Error()
		return check
	}
	check.Key = ssh.FingerprintSHA256(s.key)
	if err := s.verify(payload); err != nil {
		check.Reason = err.Error()
		return check
	}
	for _, k := range c.revoked {
		if cert, ok := s.key.(*ssh.Certificate); sameKey(k, s.key) || ok && (sameKey(k, cert.Key) || sameKey(k, cert.SignatureKey)) {
			check.Reason = "the key is revoked"
			return check
		}
	}
	who, err := c.allowed.principal(s.key, p.When)
	switch {
	case c.file == "":
		check.Status, check.Reason = SignatureUntrusted, "there is no file of allowed signers to look for the key"
	case err != nil:
		check.Reason = err.Error()
	case c.revoking != nil:
		check.Status, check.Reason = SignatureUnknown, c.revoking.Error()
	default:
		check.Status, check.Signer = SignatureGood, who
	}
	return check
}

// checkOpenPGP takes trust from the user's keyring. Git's default accepts any
// key that is there (gpg.minTrustLevel); that says nothing about whose it is.
func checkOpenPGP(ctx context.Context, payload, signature []byte) SignatureCheck {
	check := SignatureCheck{Status: SignatureUnknown, Format: FormatOpenPGP}
	r, err := verifyOpenPGP(ctx, payload, signature)
	check.Key = r.fingerprint
	switch {
	case isNotFound(err):
		check.Reason = "gpg is not installed"
	case err != nil:
		check.Reason = err.Error()
	case r.verdict == "ERRSIG" || r.verdict == "":
		check.Reason = "gpg doesn't have the key, or can't read the signature"
	case r.verdict == "BADSIG":
		check.Status, check.Reason = SignatureBad, "it was not made over this tag"
	case r.verdict == "EXPSIG":
		check.Status, check.Reason = SignatureBad, "the signature has expired"
	case r.verdict == "EXPKEYSIG":
		check.Status, check.Reason = SignatureBad, "the key has expired"
	case r.verdict == "REVKEYSIG":
		check.Status, check.Reason = SignatureBad, "the key is revoked"
	case r.trust == "never":
		check.Status, check.Reason = SignatureBad, "your keyring says never to trust the key"
	case r.trust == "marginal" || r.trust == "fully" || r.trust == "ultimate":
		check.Status, check.Signer = SignatureGood, r.user
	default:
		check.Status, check.Signer, check.Reason = SignatureUntrusted, r.user, "your keyring doesn't vouch for the key's owner"
	}
	return check
}
