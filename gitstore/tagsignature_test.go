package gitstore

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Git decides in the same way about each of these, by its exit status.
func TestWhoseSignaturesCount(t *testing.T) {
	s := newSite(t, 1)
	repo := openRepo(t, s.work, nil)
	k := newKeyring(t)
	k.key("ann", "ed25519")
	k.key("bob", "ed25519")
	k.key("ca", "ed25519")
	k.keygen("-q", "-s", "ca", "-I", "ann's certificate", "-n", "ann@example.com,others", "ann.pub")
	k.keygen("-q", "-s", "bob", "-I", "by another authority", "-n", "ann@example.com", "bob.pub")
	annKey, caKey := strings.TrimSpace(k.read("ann.pub")), strings.TrimSpace(k.read("ca.pub"))
	k.write("revoked", k.read("ann.pub"))
	k.keygen("-q", "-k", "-f", "krl", "ann.pub")

	sign := func(name, key string) *Pin {
		t.Helper()
		signer, err := repo.Signer(SignerOptions{Key: k.path(key)})
		if err != nil {
			t.Fatal(err)
		}
		number := map[string]int{"by ann": 1, "by bob": 2}[name]
		p, err := signer.Sign(t.Context(), testPin(t, s.tip(), testRecord("agents", number)))
		if err != nil {
			t.Fatal(err)
		}
		if results, err := repo.Local().PushPins(t.Context(), []*Pin{p}); err != nil || results[0].Err != nil {
			t.Fatal(results, err)
		}
		return p
	}
	ann := sign("by ann", "ann")
	bob := sign("by bob", "bob")

	for _, tt := range []struct {
		name    string
		pin     *Pin
		signers string
		revoked string // gpg.ssh.revocationFile
		want    string
		who     string
		says    string // part of the reason
		gitToo  bool   // compare with git tag -v
	}{
		{name: "no file of signers", pin: ann, want: SignatureUntrusted, says: "no file of allowed signers", gitToo: true},
		{name: "an allowed signer", pin: ann, signers: "ann@example.com " + annKey, want: SignatureGood, who: "ann@example.com", gitToo: true},
		{name: "with a comment and an empty line", pin: ann, signers: "# who\n\n*@example.com " + annKey, want: SignatureGood, who: "*@example.com", gitToo: true},
		{name: "somebody else", pin: bob, signers: "ann@example.com " + annKey, want: SignatureBad, says: "no allowed signer has this key", gitToo: true},
		{name: "nobody", pin: ann, signers: "# nobody yet", want: SignatureBad, says: "no allowed signer", gitToo: true},
		{name: "for git", pin: ann, signers: `ann@example.com namespaces="git,file" ` + annKey, want: SignatureGood, who: "ann@example.com", gitToo: true},
		{name: "for files only", pin: ann, signers: `ann@example.com namespaces="file" ` + annKey, want: SignatureBad, says: "for", gitToo: true},
		{name: "for all but git", pin: ann, signers: `ann@example.com namespaces="*,!git" ` + annKey, want: SignatureBad, says: "for", gitToo: true},
		{name: "valid when the pin was made", pin: ann, signers: `ann@example.com valid-after="20260101Z",valid-before="20270101Z" ` + annKey, want: SignatureGood, who: "ann@example.com", gitToo: true},
		{name: "not yet valid then", pin: ann, signers: `ann@example.com valid-after="20260601Z" ` + annKey, want: SignatureBad, says: "valid after", gitToo: true},
		{name: "no more valid then", pin: ann, signers: `ann@example.com valid-before="20260201Z" ` + annKey, want: SignatureBad, says: "valid before", gitToo: true},
		{name: "not valid, and then valid", pin: ann, signers: `ann@example.com valid-before="20260201Z" ` + annKey + "\nann@example.com " + annKey, want: SignatureGood, who: "ann@example.com"},
		{name: "the key of an authority", pin: ann, signers: "ann@example.com cert-authority " + annKey, want: SignatureBad, says: "no allowed signer", gitToo: true},
		{name: "revoked", pin: ann, signers: "ann@example.com " + annKey, revoked: "revoked", want: SignatureBad, says: "revoked", gitToo: true},
		{name: "another one revoked", pin: bob, signers: "bob@example.com " + k.read("bob.pub"), revoked: "revoked", want: SignatureGood, who: "bob@example.com", gitToo: true},
		{name: "a binary revocation list", pin: ann, signers: "ann@example.com " + annKey, revoked: "krl", want: SignatureUnknown, says: "git tag -v"},
		{name: "a revocation list that isn't there", pin: ann, signers: "ann@example.com " + annKey, revoked: "nothing", want: SignatureUnknown, says: "revocationFile"}, // git warns and goes on
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := ""
			var args []string
			if tt.signers != "" {
				file := k.write("signers", tt.signers+"\n")
				config += "[gpg \"ssh\"]\n\tallowedSignersFile = ~/signers\n"
				args = append(args, "-c", "gpg.ssh.allowedSignersFile="+file)
			}
			if tt.revoked != "" {
				config += "[gpg \"ssh\"]\n\trevocationFile = " + k.path(tt.revoked) + "\n"
				args = append(args, "-c", "gpg.ssh.revocationFile="+k.path(tt.revoked))
			}
			k.write("gitconfig", config)
			checker, err := repo.SignatureChecker(SignatureOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got := checker.Check(t.Context(), tt.pin)
			if got.Status != tt.want || got.Signer != tt.who || !strings.Contains(got.Reason, tt.says) || got.Format != FormatSSH {
				t.Errorf("got %+v, want %s by %q because %q", got, tt.want, tt.who, tt.says)
			}
			if checker.Required() {
				t.Error("what the configuration has is no demand")
			}
			if out, err := gitTagVerify(t, s.work, tt.pin, args...); tt.gitToo && (err == nil) != (tt.want == SignatureGood) {
				t.Errorf("git tag -v: %v\n%s", err, out)
			}
		})
	}

	// A certificate, which git needs an agent to sign with.
	k.write("gitconfig", "")
	cert := certified(t, k, ann, "ann")
	for _, tt := range []struct{ name, signers, want, says string }{
		{"by an authority", "*@example.com cert-authority " + caKey, SignatureGood, ""},
		{"for others", "carol@example.com cert-authority " + caKey, SignatureBad, "none of these principals"},
		{"by another authority", "*@example.com cert-authority " + strings.TrimSpace(k.read("bob.pub")), SignatureBad, "no allowed signer"},
		{"the authority's key as a signer's", "*@example.com " + caKey, SignatureBad, "no allowed signer"},
	} {
		checker, err := repo.SignatureChecker(SignatureOptions{AllowedSigners: k.write("signers", tt.signers+"\n")})
		if err != nil {
			t.Fatal(err)
		}
		got := checker.Check(t.Context(), cert)
		if got.Status != tt.want || !strings.Contains(got.Reason, tt.says) || tt.want == SignatureGood && got.Signer != "ann@example.com" {
			t.Errorf("a certificate %s: got %+v, want %s", tt.name, got, tt.want)
		}
		if !checker.Required() {
			t.Error("a file that is given is a demand")
		}
	}
}

// certified signs a pin with the key and the certificate of that name, through
// ssh-keygen, which takes the certificate beside the key.
func certified(t *testing.T, k *keyring, p *Pin, name string) *Pin {
	t.Helper()
	payload, _, _ := p.Signature()
	k.write("payload", string(payload))
	os.Remove(k.path("payload.sig"))
	k.keygen("-q", "-Y", "sign", "-n", "git", "-f", name+"-cert.pub", "payload")
	signed, err := parsePin(p.Name, append(bytes.Clone(payload), k.read("payload.sig")...))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestBadSignatures(t *testing.T) {
	s := newSite(t, 1)
	repo := openRepo(t, s.work, nil)
	k := newKeyring(t)
	k.key("ann", "ed25519")
	signers := k.allow("ann@example.com", "ann")
	signer, err := repo.Signer(SignerOptions{Key: k.path("ann")})
	if err != nil {
		t.Fatal(err)
	}
	plain := testPin(t, s.tip(), testRecord("agents", 12))
	good, err := signer.Sign(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	_, signature, _ := good.Signature()
	k.write("payload", string(plain.Raw))
	k.keygen("-q", "-Y", "sign", "-n", "file", "-f", "ann", "payload")
	forFiles := k.read("payload.sig")
	other := testPin(t, s.tip(), testRecord("agents", 13))
	for _, tt := range []struct {
		name, signature string
		pin             *Pin
		says            string
	}{
		{"of another pin", string(signature), other, "not made over this tag"},
		{"for files", forFiles, plain, `made for "file"`},
		{"with text after it", string(signature) + "more\n", plain, "the last line"},
		{"cut short", string(signature[:len(signature)-10]), plain, "the last line"},
		{"with an empty body", sshBegin + "\n\n" + sshEnd + "\n", plain, "SSHSIG"},
		{"that isn't base64", sshBegin + "\n!!!\n" + sshEnd + "\n", plain, "base64"},
		{"that is something else", string(armorSSH([]byte("SSHSIG\x00\x00\x00\x02"))), plain, "malformed"},
		{"without an end", sshBegin + "\n" + strings.Repeat("A", maxSSHSignature), plain, "more than"},
		{"twice", string(signature) + string(signature), plain, "not made over this tag"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parsePin(tt.pin.Name, append(bytes.Clone(tt.pin.Raw), tt.signature...))
			if err != nil {
				// A second signature makes the first a part of the message.
				if tt.name != "twice" {
					t.Fatal(err)
				}
				return
			}
			checker, err := repo.SignatureChecker(SignatureOptions{AllowedSigners: signers})
			if err != nil {
				t.Fatal(err)
			}
			if got := checker.Check(t.Context(), p); got.Status != SignatureBad || !strings.Contains(got.Reason, tt.says) {
				t.Errorf("got %+v, want a reason with %q", got, tt.says)
			}
		})
	}
	checker, err := repo.SignatureChecker(SignatureOptions{AllowedSigners: signers})
	if err != nil {
		t.Fatal(err)
	}
	if got := checker.Check(t.Context(), plain); got != (SignatureCheck{Status: SignatureNone}) {
		t.Errorf("unsigned: got %+v", got)
	}
	smime, err := parsePin(plain.Name, append(bytes.Clone(plain.Raw), "-----BEGIN SIGNED MESSAGE-----\nabc\n-----END SIGNED MESSAGE-----\n"...))
	if err != nil {
		t.Fatal(err)
	}
	if got := checker.Check(t.Context(), smime); got.Status != SignatureUnknown || got.Format != FormatX509 {
		t.Errorf("S/MIME: got %+v", got)
	}
	for name, opts := range map[string]SignatureOptions{
		"a file that isn't there":   {AllowedSigners: k.path("nothing")},
		"a file with a typo":        {AllowedSigners: k.write("typo", "ann@example.com nonsense\n")},
		"an option that is unknown": {AllowedSigners: k.write("unknown", "ann@example.com no-such-option "+k.read("ann.pub"))},
	} {
		if _, err := repo.SignatureChecker(opts); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// OpenPGP is left to gpg, with a keyring of its own.
func TestOpenPGP(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Fatal("gpg is needed, as git is: ", err)
	}
	s := newSite(t, 1)
	repo := openRepo(t, s.work, nil)
	k := newKeyring(t)
	home, err := os.MkdirTemp("", "gpg") // the path of its agent's socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GNUPGHOME", home)
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--kill", "all").Run() // there may be none
		os.RemoveAll(home)
	})
	gpg := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("gpg", append([]string{"--batch", "--quiet"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("gpg %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	gpg("--passphrase", "", "--quick-gen-key", "Ann <ann@example.com>", "ed25519", "sign", "never")
	k.write("gitconfig", "[user]\n\tname = Ann\n\temail = ann@example.com\n")
	for _, key := range []string{"", "\tsigningKey = ann@example.com\n"} {
		k.write("gitconfig", "[user]\n\tname = Ann\n\temail = ann@example.com\n"+key)
		if _, err := repo.Signer(SignerOptions{Always: true}); err != nil {
			t.Fatalf("with %q: %v", key, err)
		}
	}
	signer, err := repo.Signer(SignerOptions{Always: true})
	if err != nil {
		t.Fatal(err)
	}
	pin, err := signer.Sign(t.Context(), testPin(t, s.tip(), testRecord("agents", 12)))
	if err != nil {
		t.Fatal(err)
	}
	if results, err := repo.Local().PushPins(t.Context(), []*Pin{pin}); err != nil || results[0].Err != nil {
		t.Fatal(results, err)
	}
	if out, err := gitTagVerify(t, s.work, pin); err != nil || !strings.Contains(out, "Good signature from") {
		t.Errorf("git tag -v: %v\n%s", err, out)
	}
	checker, err := repo.SignatureChecker(SignatureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, p *Pin, want string) {
		t.Helper()
		if got := checker.Check(t.Context(), p); got.Status != want || got.Format != FormatOpenPGP || (got.Reason == "") != (want == SignatureGood) {
			t.Errorf("%s: got %+v, want %s", what, got, want)
		}
	}
	check("of a key of one's own", pin, SignatureGood)
	_, signature, _ := pin.Signature()
	forged, err := parsePin("policypin/production/agents/v13", append(bytes.Clone(testPin(t, s.tip(), testRecord("agents", 13)).Raw), signature...))
	if err != nil {
		t.Fatal(err)
	}
	check("of another pin", forged, SignatureBad)

	// A keyring that has the key and knows nothing about its owner.
	public := gpg("--armor", "--export", "ann@example.com")
	stranger, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(stranger)
	t.Setenv("GNUPGHOME", stranger)
	check("of a key that the keyring lacks", pin, SignatureUnknown)
	gpg("--import", k.write("public.asc", public))
	check("of a key that nobody vouches for", pin, SignatureUntrusted)
	if _, err := repo.Signer(SignerOptions{Always: true}); err == nil || !strings.Contains(err.Error(), "gpg") {
		t.Errorf("without the private key: got %v", err)
	}
	t.Setenv("PATH", k.dir)
	check("without gpg", pin, SignatureUnknown)
}

func TestGPGStatus(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status []string
		want   gpgResult
		ok     bool
	}{
		{"nothing", nil, gpgResult{}, true},
		{"good, by a subkey", []string{
			"NEWSIG", "GOODSIG 0123 Ann <ann@example.com>",
			"VALIDSIG AAAA 2026-03-01 1 0 4 0 22 10 00 BBBB", "TRUST_FULLY 0 pgp",
		}, gpgResult{"GOODSIG", "Ann <ann@example.com>", "BBBB", "fully"}, true},
		{"two verdicts", []string{"GOODSIG 1 Ann", "BADSIG 2 Bob"}, gpgResult{verdict: "GOODSIG", user: "Ann"}, false},
		{"without the key", []string{"ERRSIG 0123 22 10 00 1 9 -", "NO_PUBKEY 0123"}, gpgResult{verdict: "ERRSIG"}, true},
	} {
		if got, err := parseGPGStatus(tt.status); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
}
