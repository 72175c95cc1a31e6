package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

const secret = `not+a/real"secret-<01>~`

func TestEveryFormIsMasked(t *testing.T) {
	jsonText, err := json.Marshal(map[string]string{"token": secret})
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ name, text string }
	rows := []row{
		{"as it is", "bearer " + secret},
		{"as a query value", "?t=" + url.QueryEscape(secret)},
		{"as a path segment", "/x/" + url.PathEscape(secret)},
		{"as a query value in lower case", "?t=" + strings.ToLower(url.QueryEscape("not+a/real\"secret-<01>~"))},
		{"in JSON", string(jsonText)},
		{"in Go quotes", fmt.Sprintf("%q", secret)},
		{"in hex", hex.EncodeToString([]byte(secret))},
		{"in upper-case hex", strings.ToUpper(hex.EncodeToString([]byte(secret)))},
	}
	for before := range 4 {
		for after := range 4 {
			text := strings.Repeat("b", before) + secret + strings.Repeat("a", after)
			rows = append(rows,
				row{fmt.Sprintf("in base64 after %d and before %d bytes", before, after), base64.StdEncoding.EncodeToString([]byte(text))},
				row{fmt.Sprintf("in URL base64 after %d and before %d bytes", before, after), base64.RawURLEncoding.EncodeToString([]byte(text))},
				row{fmt.Sprintf("in escaped base64 after %d and before %d bytes", before, after), url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(text)))},
			)
		}
	}
	var s Secrets
	s.Add(secret)
	for _, r := range rows {
		got := s.String(r.text)
		if !strings.Contains(got, Mask) {
			t.Errorf("%s: got %q, want a mask", r.name, got)
		}
		// Nothing longer than what two neighbouring bytes can explain is left.
		if strings.Contains(r.name, "base64") && len(strings.ReplaceAll(got, Mask, "")) > 16 {
			t.Errorf("%s: got %q, want only the text around the secret", r.name, got)
		}
	}
}

func TestBase64LeavesNoPieceOfTheSecret(t *testing.T) {
	var s Secrets
	s.Add(secret)
	got := s.String("Basic " + base64.StdEncoding.EncodeToString([]byte("client-1:"+secret)))
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("client-1:"))[:12] + Mask; strings.TrimRight(got, "=") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOrdinaryTextIsUntouched(t *testing.T) {
	var s Secrets
	s.Add("", "a", "abc", secret)
	const text = "abc: a policy named not-a-real-secret\n"
	if got := s.String(text); got != text {
		t.Errorf("got %q, want %q", got, text)
	}
}

func TestOverlappingSecretsBecomeOneMask(t *testing.T) {
	var s Secrets
	s.Add("firstsecond", "secondthird")
	if got, want := s.String("<firstsecondthird>"), "<"+Mask+">"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEachLineOfAKeyIsSecret(t *testing.T) {
	var s Secrets
	s.Add("line-one\nline-two\r\n")
	if got, want := s.String("x line-two y\nline-one"), "x *** y\n***"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A secret is masked wherever the writes cut it, and the rest arrives
// unchanged and in order.
func TestWriterMasksAcrossWrites(t *testing.T) {
	var s Secrets
	s.Add(secret)
	text := strings.Repeat("some text\nand "+secret+" in a line\n", 20) + "tail " + secret
	want := strings.ReplaceAll(text, secret, Mask)
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var out bytes.Buffer
		w := NewWriter(&out, &s)
		for rest := text; rest != ""; {
			n := min(1+rng.IntN(30), len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Fatalf("seed %d: got %q, want %q", seed, got, want)
		}
	}
}

// One endless line is passed on in pieces, and a secret at each border of
// them is still masked.
func TestWriterBoundsALineWithoutEnd(t *testing.T) {
	for shift := range 2 * len(secret) {
		var s Secrets
		s.Add(secret)
		var out bytes.Buffer
		w := NewWriter(&out, &s)
		text := strings.Repeat("x", maxHeld-2*len(secret)+shift) + secret + strings.Repeat("y", 1000)
		for i := 0; i < len(text); i += 101 {
			if _, err := w.Write([]byte(text[i:min(i+101, len(text))])); err != nil {
				t.Fatal(err)
			}
		}
		if out.Len() == 0 {
			t.Fatal("got nothing before Flush, want the beginning of the line")
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), strings.ReplaceAll(text, secret, Mask); got != want {
			t.Fatalf("shift %d: the output differs: %d bytes, want %d", shift, len(got), len(want))
		}
	}
}

func TestSecretAddedLaterIsMasked(t *testing.T) {
	var s Secrets
	var out bytes.Buffer
	w := NewWriter(&out, &s)
	fmt.Fprintln(w, "before")
	s.Add(secret)
	fmt.Fprintln(w, secret)
	if got, want := out.String(), "before\n***\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

type failing struct{}

var errFull = errors.New("disk full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrorIsReported(t *testing.T) {
	w := NewWriter(failing{}, &Secrets{})
	if _, err := w.Write([]byte("x\n")); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
	if err := w.Flush(); !errors.Is(err, errFull) {
		t.Errorf("Flush: got %v, want %v", err, errFull)
	}
}

// Whatever the secret and the text around it are, the secret is not in what is
// left.
func FuzzBytes(f *testing.F) {
	f.Add("secret-1", "a", "b")
	f.Add("%2F%2f", "/", "==")
	f.Add("aaaaaa", "aa", "aaa")
	f.Fuzz(func(t *testing.T, value, before, after string) {
		if len(value) < minSecret || strings.ContainsAny(value, "\r\n*") || strings.TrimSpace(value) != value {
			return // not a secret on one line
		}
		var s Secrets
		s.Add(value)
		if got := s.String(before + value + after); strings.Contains(got, value) {
			t.Errorf("got %q, which still has %q", got, value)
		}
	})
}
