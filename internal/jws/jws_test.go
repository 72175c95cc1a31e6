package jws

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// testKey is one key for all tests, since making one takes a while.
var testKey = sync.OnceValue(func() *Key {
	k, err := NewKey("key-1")
	if err != nil {
		panic(err)
	}
	return k
})

// edwards is an Ed25519 key of a fixed seed: RFC 8037, appendix A.1, has its
// public part.
func edwards() ed25519.PrivateKey {
	seed, err := base64.RawURLEncoding.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	if err != nil {
		panic(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// flat writes an envelope from its decoded parts.
func flat(header, payload, signature string) string {
	return fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, encode(payload), encode(header), encode(signature))
}

func sign(t testing.TB, payload string) []byte {
	t.Helper()
	b, err := testKey().Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keySet(t testing.TB, text string) *KeySet {
	t.Helper()
	set, err := ParseKeySet([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func publicSet(t testing.TB) *KeySet {
	t.Helper()
	b, err := json.Marshal(Public(testKey()))
	if err != nil {
		t.Fatal(err)
	}
	return keySet(t, string(b))
}

func TestSignAndVerify(t *testing.T) {
	const payload = `{"a":1}`
	signed := sign(t, payload)
	e, err := Verify(signed, publicSet(t))
	if err != nil {
		t.Fatal(err)
	}
	if string(e.Payload) != payload || e.KeyID != "key-1" || e.Algorithm != "RS256" {
		t.Errorf("got %s by %s with %s, want %s by key-1 with RS256", e.Payload, e.KeyID, e.Algorithm, payload)
	}
	if again := sign(t, payload); !bytes.Equal(signed, again) {
		t.Errorf("signing again gives other bytes:\n%s\n%s", signed, again)
	}
}

// The standard library signs here: the example of RFC 8037, appendix A.4, has no
// key id in its header.
func TestEdDSA(t *testing.T) {
	header, payload := `{"alg":"EdDSA","kid":"ed"}`, "Example of Ed25519 signing"
	signature := ed25519.Sign(edwards(), []byte(encode(header)+"."+encode(payload)))
	keys := keySet(t, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	e, err := Verify([]byte(flat(header, payload, string(signature))), keys)
	if err != nil {
		t.Fatal(err)
	}
	if string(e.Payload) != payload || e.Algorithm != "EdDSA" {
		t.Errorf("got %s with %s, want %s with EdDSA", e.Payload, e.Algorithm, payload)
	}
	signature[0] ^= 1
	if _, err := Verify([]byte(flat(header, payload, string(signature))), keys); !errors.Is(err, ErrSignature) {
		t.Errorf("a changed signature: got %v, want ErrSignature", err)
	}
}

// TestStandardLibrary has crypto/rsa as the witness: it verifies what we sign,
// and we verify what it signs (RFC 7515, section 5, and RFC 7518, section 3.3).
func TestStandardLibrary(t *testing.T) {
	private := testKey().key.Key.(*rsa.PrivateKey)
	var parts struct{ Payload, Protected, Signature string }
	if err := json.Unmarshal(sign(t, "{}"), &parts); err != nil {
		t.Fatal(err)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts.Signature)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(parts.Protected + "." + parts.Payload))
	if err := rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
	}
	header := `{"kid":"key-1", "typ":"JWT", "alg":"RS256"}`
	sum = sha256.Sum256([]byte(encode(header) + "." + encode(`[ ]`)))
	signature, err = rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	if e, err := Verify([]byte(flat(header, `[ ]`, string(signature))), publicSet(t)); err != nil || string(e.Payload) != `[ ]` {
		t.Errorf("got %v, %v; want the payload as it was", e, err)
	}
}

func TestRefusedEnvelopes(t *testing.T) {
	good := string(sign(t, "{}"))
	var parts struct{ Payload, Protected, Signature string }
	if err := json.Unmarshal([]byte(good), &parts); err != nil {
		t.Fatal(err)
	}
	keys := publicSet(t)
	header := func(text string) string { return flat(text, "{}", "x") }
	for _, test := range []struct {
		name, envelope string
		want           error
	}{
		{"empty", ``, ErrShape},
		{"null", `null`, ErrShape},
		{"a decoded statement", `{"type":"policy_set_attestation","v":1}`, ErrShape},
		{"the compact form", `"` + parts.Protected + "." + parts.Payload + "." + parts.Signature + `"`, ErrShape},
		{"the general form", `{"payload":"e30","signatures":[{"protected":"` + parts.Protected + `","signature":"` + parts.Signature + `"}]}`, ErrShape},
		{"an unprotected header", strings.Replace(good, `{`, `{"header":{"kid":"x"},`, 1), ErrShape},
		{"a member twice", strings.Replace(good, `{`, `{"payload":"e30",`, 1), ErrShape},
		{"a member in capitals", strings.Replace(good, `"payload"`, `"Payload"`, 1), ErrShape},
		{"two objects", good + good, ErrShape},
		{"no signature", strings.Replace(good, parts.Signature, "", 1), ErrShape},
		{"padding", strings.Replace(good, parts.Payload, parts.Payload+"=", 1), ErrShape},
		{"a line end in base64", strings.Replace(good, parts.Payload, `e\n30`, 1), ErrShape},
		{"base64 with other spare bits", strings.Replace(good, `"e30"`, `"e31"`, 1), ErrShape},
		{"standard base64", flatRaw(encode(`{"alg":"RS256","kid":"key-1"}`), "+/+/", "AAAA"), ErrShape},
		{"a number for the payload", `{"payload":1,"protected":"` + parts.Protected + `","signature":"AAAA"}`, ErrShape},
		{"too large", `{"payload":"` + strings.Repeat("A", maxBytes) + `"}`, ErrShape},
		{"deep", strings.Repeat(`{"payload":`, 100000), ErrShape},
		{"a large header", header(`{"alg":"RS256","kid":"` + strings.Repeat("x", maxHeaderBytes) + `"}`), ErrShape},
		{"no header object", header(`[]`), ErrShape},
		{"alg twice", header(`{"alg":"none","alg":"RS256","kid":"key-1"}`), ErrShape},
		{"no kid", header(`{"alg":"RS256"}`), ErrShape},
		{"an empty kid", header(`{"alg":"RS256","kid":""}`), ErrShape},
		{"a kid that is no string", header(`{"alg":"RS256","kid":1}`), ErrShape},
		{"a header that isn't UTF-8", header("{\"alg\":\"RS256\",\"kid\":\"\xff\"}"), ErrShape},
		{"no alg", header(`{"kid":"key-1"}`), ErrAlgorithm},
		{"alg none", header(`{"alg":"none","kid":"key-1"}`), ErrAlgorithm},
		{"alg None", header(`{"alg":"None","kid":"key-1"}`), ErrAlgorithm},
		{"HMAC", header(`{"alg":"HS256","kid":"key-1"}`), ErrAlgorithm},
		{"PSS", header(`{"alg":"PS256","kid":"key-1"}`), ErrAlgorithm},
		{"a longer hash", header(`{"alg":"RS512","kid":"key-1"}`), ErrAlgorithm},
		{"an unknown crit", header(`{"alg":"RS256","kid":"key-1","crit":["exp"],"exp":1}`), ErrCritical},
		{"a crit that go-jose knows", header(`{"alg":"RS256","kid":"key-1","crit":["b64"],"b64":false}`), ErrCritical},
		{"an empty crit", header(`{"alg":"RS256","kid":"key-1","crit":[]}`), ErrCritical},
		{"b64 alone", header(`{"alg":"RS256","kid":"key-1","b64":true}`), ErrCritical},
		{"an unknown key", header(`{"alg":"RS256","kid":"key-2"}`), ErrUnknownKey},
		{"a key of another kind", header(`{"alg":"EdDSA","kid":"key-1"}`), ErrUnfitKey},
		{"no signature of ours", header(`{"alg":"RS256","kid":"key-1"}`), ErrSignature},
		{"another payload", strings.Replace(good, `"e30"`, `"e30g"`, 1), ErrSignature},
		{"another header", strings.Replace(good, parts.Protected, encode(`{"kid":"key-1","alg":"RS256","x":1}`), 1), ErrSignature},
		{"a key in the header", header(`{"alg":"RS256","kid":"key-1","jku":"https://attacker.example/keys"}`), ErrSignature},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Verify([]byte(test.envelope), keys); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if _, err := Verify([]byte(good), keys); err != nil {
		t.Errorf("the envelope that the others were made from: %v", err)
	}
}

func flatRaw(protected, payload, signature string) string {
	return fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, payload, protected, signature)
}

// An HMAC made with the public key's bytes, which a careless verifier takes.
func TestKeyConfusion(t *testing.T) {
	public, err := json.Marshal(Public(testKey()))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: public, KeyID: "key-1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := signer.Sign([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify([]byte(forged.FullSerialize()), publicSet(t)); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("got %v, want ErrAlgorithm", err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(sign(f, "{}"))
	f.Add([]byte(flat(`{"alg":"EdDSA","kid":"key-1"}`, "{}", "x")))
	f.Add([]byte(`{"payload":"","protected":"e30","signature":""}`))
	f.Add([]byte(`{"signatures":[{}],"payload":"e30"}`))
	genuine := string(sign(f, "{}"))
	keys := publicSet(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Verify(data, keys)
		if err != nil {
			return
		}
		// Nobody but us has the key: whatever verifies says what we signed.
		if string(e.Payload) != "{}" || e.KeyID != "key-1" {
			t.Errorf("%s verifies as %s by %s; we signed %s", data, e.Payload, e.KeyID, genuine)
		}
	})
}
