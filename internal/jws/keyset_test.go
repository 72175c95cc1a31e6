package jws

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const edPublic = `"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`

func TestKeySets(t *testing.T) {
	for _, test := range []struct {
		name, keys string
		want       []string // ids of the keys that were taken
	}{
		{"none", ``, []string{}},
		{"one", `{` + edPublic + `,"kid":"a"}`, []string{"a"}},
		{"for signatures", `{` + edPublic + `,"kid":"a","use":"sig","alg":"EdDSA","key_ops":["verify"]}`, []string{"a"}},
		{"for encryption", `{` + edPublic + `,"kid":"a","use":"enc"}`, []string{}},
		{"for other operations", `{` + edPublic + `,"kid":"a","key_ops":["wrapKey"]}`, []string{}},
		{"without an id", `{` + edPublic + `}`, []string{}},
		{"of unknown kinds", `{"kty":"XYZ","kid":"a"},{"kid":"b"},{"kty":"oct","kid":"c","k":"AAAA"},{` + edPublic + `,"kid":"d"}`, []string{"d"}},
		{"with a short point", `{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"a"}`, []string{}},
		{"with a certificate that is broken", `{` + edPublic + `,"kid":"a","x5c":["AAAA"]}`, []string{"a"}},
		{"of one id", `{` + edPublic + `,"kid":"a"},{` + edPublic + `,"kid":"a"}`, []string{"a", "a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := keySet(t, `{"keys":[`+test.keys+`]}`).IDs(); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestRefusedKeySets(t *testing.T) {
	for _, test := range []struct{ name, set, want string }{
		{"text", `hello`, "not JSON"},
		{"an array", `[]`, "not an object"},
		{"a single key", `{` + edPublic + `,"kid":"a"}`, `no array "keys"`},
		{"keys as an object", `{"keys":{}}`, `no array "keys"`},
		{"a key that is text", `{"keys":["a"]}`, "keys[0] is not an object"},
		{"a private key", `{"keys":[{` + edPublic + `,"kid":"a","d":"AAAA"}]}`, "keys[0] shows a private key"},
		{"too many", `{"keys":[` + strings.TrimSuffix(strings.Repeat("{},", maxKeys+1), ",") + `]}`, "more than 1000 keys"},
		{"too large", `{"keys":[],"x":"` + strings.Repeat("x", maxKeySetBytes) + `"}`, "more than 1048576 bytes"},
		{"a name twice", `{"keys":[],"keys":[]}`, "twice"},
		{"deep", `{"keys":` + strings.Repeat("[", 100000), "nested deeper"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ParseKeySet([]byte(test.set)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

// Keys that are there, and may not verify.
func TestUnfitKeys(t *testing.T) {
	signed := sign(t, "{}")
	for _, test := range []struct{ name, key string }{
		{"an Ed25519 key", `{` + edPublic + `,"kid":"key-1"}`},
		{"a short RSA key", `{"kty":"RSA","kid":"key-1","e":"AQAB","n":"` + strings.Repeat("q", 171) + `"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Verify(signed, keySet(t, `{"keys":[`+test.key+`]}`))
			if !errors.Is(err, ErrUnfitKey) {
				t.Errorf("got %v, want ErrUnfitKey", err)
			}
		})
	}
	for _, key := range []string{
		`{"kty":"RSA","kid":"key-1","e":"AQAB","n":"` + strings.Repeat("q", 1400) + `"}`, // 8400 bits
		`{"kty":"oct","kid":"key-1","k":"AAAA"}`,
		`{"kty":"EC","crv":"P-256","kid":"key-1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`,
	} {
		if _, err := Verify(signed, keySet(t, `{"keys":[`+key+`]}`)); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%s: got %v, want ErrUnknownKey", key, err)
		}
	}
	// A key for another algorithm doesn't hide the right one of the same id.
	public, err := json.Marshal(Public(testKey()))
	if err != nil {
		t.Fatal(err)
	}
	both := strings.Replace(string(public), `"keys":[`, `"keys":[{`+edPublic+`,"kid":"key-1"},`, 1)
	if _, err := Verify(signed, keySet(t, both)); err != nil {
		t.Errorf("two keys of one id: %v", err)
	}
	for _, alg := range []string{"RS512", "PS256"} {
		other := strings.Replace(string(public), `"RS256"`, `"`+alg+`"`, 1)
		if _, err := Verify(signed, keySet(t, other)); !errors.Is(err, ErrUnfitKey) {
			t.Errorf("the key for %s: got %v, want ErrUnfitKey", alg, err)
		}
	}
	if _, err := Verify(signed, &KeySet{}); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("the empty set: got %v, want ErrUnknownKey", err)
	}
}

func TestKeys(t *testing.T) {
	b, err := json.Marshal(testKey())
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKey(b)
	if err != nil {
		t.Fatal(err)
	}
	if signed, err := k.Sign([]byte("{}")); err != nil || string(signed) != string(sign(t, "{}")) {
		t.Errorf("a key that was written and read signs otherwise: %v", err)
	}
	for _, text := range []string{"", "{}", `{"keys":[]}`, `{` + edPublic + `,"kid":"a"}`, strings.Replace(string(b), `"key-1"`, `""`, 1)} {
		if k, err := ParseKey([]byte(text)); err == nil {
			t.Errorf("%.40q: got %v, want an error", text, k)
		}
	}
	var private struct{ D string }
	if err := json.Unmarshal(b, &private); err != nil || private.D == "" {
		t.Fatalf("a written key has no private part: %v", err)
	}
	public, err := json.Marshal(Public(testKey()))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(public), fmt.Sprintf("%v %+v %#v %s", testKey(), testKey(), testKey(), testKey())} {
		if strings.Contains(text, private.D) || strings.Contains(text, `"d"`) {
			t.Errorf("shows the private part: %.80s", text)
		}
	}
	if _, err := NewKey(""); err == nil {
		t.Error("a key without an id: got no error")
	}
}

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{` + edPublic + `,"kid":"a","use":"sig","key_ops":["verify"]}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"b","e":"AQAB","n":"` + strings.Repeat("q", 342) + `"},{"kty":"oct","kid":"c","k":"AA"}]}`))
	signed := sign(f, "{}")
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseKeySet(data)
		if err != nil {
			return
		}
		b, err := json.Marshal(set)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		again, err := ParseKeySet(b)
		if err != nil || !slices.Equal(again.IDs(), set.IDs()) {
			t.Errorf("%s: written as %s, read as %v, %v", data, b, again, err)
		}
		if _, err := Verify(signed, set); err == nil {
			t.Errorf("%s verifies what another key signed", data)
		}
	})
}
