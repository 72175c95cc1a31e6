package jcs

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	oracle "github.com/gowebpki/jcs"
)

func TestCanonicalize(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"spaces go", " { \"a\" :\t[ 1 , true , null ] }\r\n", `{"a":[1,true,null]}`},
		{"members are sorted", `{"b":1,"a":2,"":3}`, `{"":3,"a":2,"b":1}`},
		{"at every level", `[{"b":{"d":1,"c":2},"a":[]}]`, `[{"a":[],"b":{"c":2,"d":1}}]`},
		// RFC 8785, section 3.2.3: by UTF-16 code units, so a surrogate pair sorts
		// before U+FB33, which is smaller as a code point.
		{"by UTF-16 code units", `{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		{"escapes are the shortest", `"\u0000\u001f\u0008\u0009\u000a\u000c\u000d\u0022\u005c\u002f\u0041"`, `"\u0000\u001f\b\t\n\f\r\"\\/A"`},
		{"nothing is escaped without need", `"\u007f\u2028\u003c\u0026é"`, "\"\u007f\u2028<&é\""},
		{"section 3.2.2.3", `[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001]`, `[333333333.3333333,1e+30,4.5,0.002,1e-27]`},
		{"zero has no sign", `[0, -0, 0.0, -0e5, 0e99999999999999999999]`, `[0,0,0,0,0]`},
		{"the largest integers", `[9007199254740991, -9007199254740992]`, `[9007199254740991,-9007199254740992]`},
		{"integers that print as they are", `[1e21, 100000000000000000000, 1.5e300]`, `[1e+21,100000000000000000000,1.5e+300]`},
		{"digits in strings aren't numbers", `{"1e400":"9007199254740993 \" 1e400"}`, `{"1e400":"9007199254740993 \" 1e400"}`},
		{"scalars", ` "a" `, `"a"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := []byte(tt.doc)
			got, err := Canonicalize(doc)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v want %s", got, err, tt.want)
			}
			if string(doc) != tt.doc {
				t.Errorf("the document was changed to %s", doc)
			}
			if again, err := Canonicalize(got); err != nil || string(again) != tt.want {
				t.Errorf("canonicalizing again: got %s, %v", again, err)
			}
		})
	}
}

func TestCanonicalizeRefuses(t *testing.T) {
	tests := []struct {
		name, doc string
		number    bool
	}{
		{"overflow", `[1e400]`, true},
		{"overflow of a member", `{"a":{"b":-1e309}}`, true},
		{"underflow", `1e-400`, true},
		{"2^53+1", `9007199254740993`, true},
		{"-(2^53+1)", `-9007199254740993`, true},
		{"2^53+1 in disguise", `9007199254740993.0`, true},
		{"2^53+1 in another disguise", `0.9007199254740993E16`, true},
		{"the largest int64", `9223372036854775807`, true},
		{"a thousand digits", strings.Repeat("9", 1000), true},
		{"duplicate members", `{"a":1,"a":1}`, false},
		{"duplicate by escape", `{"a":1,"\u0061":2}`, false},
		{"data after the document", `{} {}`, false},
		{"nothing", ``, false},
		{"spaces only", `  `, false},
		{"invalid UTF-8", "\"\xff\"", false},
		{"a lone surrogate", `"\ud800"`, false},
		{"a byte order mark", "\ufeff{}", false},
		{"leading zeros", `01`, false},
		{"a plus sign", `+1`, false},
		{"hexadecimal", `0x10`, false},
		{"underscores", `1_000`, false},
		{"no digits", `-`, false},
		{"two signs", `1e--5`, false},
		{"not a number", `NaN`, false},
		{"a trailing comma", `[1,]`, false},
		{"an open string", `"a\"`, false},
		{"deep nesting", strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001), false},
		{"very deep nesting", strings.Repeat(`{"a":`, 1_000_000), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Canonicalize([]byte(tt.doc))
			if err == nil || errors.Is(err, ErrNumber) != tt.number {
				t.Fatalf("got %.80s, %v", got, err)
			}
			if len(err.Error()) > 300 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
		})
	}
}

// RFC 8785, appendix B.
func TestNumbersOfAppendixB(t *testing.T) {
	tests := []struct {
		bits uint64
		want string
	}{
		{0x0000000000000000, "0"},
		{0x8000000000000000, "0"},
		{0x0000000000000001, "5e-324"},
		{0x8000000000000001, "-5e-324"},
		{0x7fefffffffffffff, "1.7976931348623157e+308"},
		{0xffefffffffffffff, "-1.7976931348623157e+308"},
		{0x4340000000000000, "9007199254740992"},
		{0xc340000000000000, "-9007199254740992"},
		{0x4430000000000000, "295147905179352830000"},
		{0x44b52d02c7e14af5, "9.999999999999997e+22"},
		{0x44b52d02c7e14af6, "1e+23"},
		{0x44b52d02c7e14af7, "1.0000000000000001e+23"},
		{0x444b1ae4d6e2ef4e, "999999999999999700000"},
		{0x444b1ae4d6e2ef4f, "999999999999999900000"},
		{0x444b1ae4d6e2ef50, "1e+21"},
		{0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
		{0x3eb0c6f7a0b5ed8d, "0.000001"},
		{0x41b3de4355555553, "333333333.3333332"},
		{0x41b3de4355555554, "333333333.33333325"},
		{0x41b3de4355555555, "333333333.3333333"},
		{0x41b3de4355555556, "333333333.3333334"},
		{0x41b3de4355555557, "333333333.33333343"},
		{0xbecbf647612f3696, "-0.0000033333333333333333"},
		{0x43143ff3c1cb0959, "1424953923781206.2"},
	}
	for _, tt := range tests {
		f := math.Float64frombits(tt.bits)
		for _, format := range []byte{'g', 'e'} {
			text := strconv.FormatFloat(f, format, -1, 64)
			got, err := Canonicalize([]byte(text))
			if err != nil || string(got) != tt.want {
				t.Errorf("%016x as %s: got %s, %v want %s", tt.bits, text, got, err, tt.want)
			}
		}
	}
}

func TestRandomDoublesAgreeWithTheOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(8785, 0))
	for range 20_000 {
		f := math.Float64frombits(r.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		want, err := oracle.NumberToJSON(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Canonicalize([]byte(strconv.FormatFloat(f, 'e', -1, 64)))
		if err != nil || string(got) != want {
			t.Errorf("%016x: got %s, %v want %s", math.Float64bits(f), got, err, want)
		}
	}
}

func TestMarshal(t *testing.T) {
	type value struct {
		Z string         `json:"z"`
		A map[string]any `json:"a"`
	}
	got, err := Marshal(value{Z: "<&>\u2028", A: map[string]any{"n": json.Number("1.50"), "b": nil}})
	if want := "{\"a\":{\"b\":null,\"n\":1.5},\"z\":\"<&>\u2028\"}"; err != nil || string(got) != want {
		t.Errorf("got %s, %v want %s", got, err, want)
	}
	if _, err := Marshal(int64(math.MaxInt64)); !errors.Is(err, ErrNumber) {
		t.Errorf("a large integer: got %v", err)
	}
	if _, err := Marshal(func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

// FuzzCanonicalize holds the library against another implementation: where both
// take a document, they agree, and what the other takes we refuse only for a
// number.
func FuzzCanonicalize(f *testing.F) {
	for _, doc := range []string{
		`{"b":[1,2.50,-0,1e21],"a":"\u00e9\n"}`, `[1e400]`, `9007199254740993`, `{"a":1,"a":2}`, `"\ud83d\ude00"`, `[0.1,1E-7,123456789012345678]`, ` null `, `{"\ud800":1}`, `01`, `1e-400`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := Canonicalize(doc)
		want, oracleErr := oracle.Transform(doc)
		switch {
		case err == nil && oracleErr != nil:
			t.Fatalf("%q: got %s, the other refuses: %v", doc, got, oracleErr)
		case err == nil && string(got) != string(want):
			t.Fatalf("%q: got %s want %s", doc, got, want)
		case err != nil && oracleErr == nil && !errors.Is(err, ErrNumber):
			t.Fatalf("%q: got %v want %s", doc, err, want)
		}
		if err == nil {
			if again, err := Canonicalize(got); err != nil || string(again) != string(got) {
				t.Fatalf("not stable: %s, then %s, %v", got, again, err)
			}
		}
	})
}

func BenchmarkCanonicalize(b *testing.B) {
	var members []string
	for i := range 25 {
		members = append(members, fmt.Sprintf(`"member%d":{"left":{"Var":"principal"},"n":%d}`, 25-i, i))
	}
	doc := []byte("{" + strings.Join(members, ",") + "}")
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Canonicalize(doc); err != nil {
			b.Fatal(err)
		}
	}
}
