package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// minEncoded keeps the inner part of a short secret's encoding, which may be
// only two or three characters, from matching ordinary text.
const minEncoded = 6

// forms lists the ways in which a secret can be written down: as it is, quoted,
// percent-encoded, in hex and in base64.
func forms(secret string) []string {
	list := []string{
		secret,
		url.QueryEscape(secret), url.PathEscape(secret),
		lowerPercent(url.QueryEscape(secret)), lowerPercent(url.PathEscape(secret)),
		percentAll(secret), lowerPercent(percentAll(secret)),
		strings.Trim(strconv.Quote(secret), `"`),
		strings.Trim(jsonQuote(secret), `"`),
	}
	var encoded []string
	encoded = append(encoded, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))))
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		encoded = append(encoded, aligned(enc, secret)...)
	}
	for _, e := range encoded {
		if len(e) >= minEncoded {
			// Standard base64 in a URL has its +, / and = escaped.
			list = append(list, e, url.QueryEscape(e))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// aligned returns the base64 of secret as it appears inside the base64 of a
// longer text, such as that of "id:secret" in a Basic header. Three bytes
// become four characters, so there are three ways in which it can be cut. For
// each there is the part that depends on the secret alone, and the form with
// one more character when the secret ends the text.
func aligned(enc *base64.Encoding, secret string) []string {
	var out []string
	for before := range 3 {
		text := enc.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
		first := (before*8 + 5) / 6
		whole := (before + len(secret)) * 8 / 6
		if first >= whole {
			continue
		}
		out = append(out, text[first:whole], text[first:])
	}
	return out
}

// jsonQuote is the secret as encoding/json writes it, with <, > and & escaped.
func jsonQuote(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // a string always encodes
		return s
	}
	return string(b)
}

// percentAll encodes every byte except letters and digits, as some clients do
// where url.QueryEscape leaves - _ . ~ alone.
func percentAll(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// lowerPercent writes the hex digits of percent escapes in lower case.
func lowerPercent(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}
