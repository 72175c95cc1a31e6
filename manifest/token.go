package manifest

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"github.com/policypin/policypin/diag"
)

// redacted stands where a message would have shown a credential.
const redacted = "(a string shaped like a credential)"

// A tokenShape is a documented form of a credential: a prefix, then at least
// min characters of the alphabet that inToken accepts, not counting dots.
type tokenShape struct {
	prefix string
	min    int
}

// tokenShapes are the forms that GitHub's secret scanning documents for the
// services that policy repositories are used with. A prefix counts only at the
// start of a word.
var tokenShapes = []tokenShape{
	{"AKIA", 16}, {"ASIA", 16}, // AWS access key ids
	{"ghp_", 30}, {"gho_", 30}, {"ghu_", 30}, {"ghs_", 30}, {"ghr_", 30}, {"github_pat_", 30},
	{"glpat-", 20},
	{"xoxa-", 20}, {"xoxb-", 20}, {"xoxp-", 20}, {"xoxr-", 20}, {"xoxs-", 20},
	{"sk_live_", 20}, {"rk_live_", 20}, {"sk-", 32},
	{"npm_", 36}, {"AIza", 35},
}

// minEntropyRun is the length from which a word without a known prefix is
// judged by its entropy: shorter ones are too often ids.
const minEntropyRun = 40

// minEntropy is in bits per character. Words of English in camel case with 40
// or more letters reach 4.2; random base64 of that length has about 4.8.
const minEntropy = 4.4

// minWord is the shortest word that any shape can match.
const minWord = 20

// inToken marks the characters of base64, base64url, JWT and the shapes above.
var inToken = func() (set [256]bool) {
	for c := range set {
		b := byte(c)
		set[c] = b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || strings.IndexByte("_-.+/=", b) >= 0
	}
	return set
}()

var (
	keyBegin = []byte("-----BEGIN ")
	keyEnd   = []byte("PRIVATE KEY-----")
)

// tokenSpans returns the byte ranges of text that are shaped like credentials.
func tokenSpans(text []byte) [][2]int {
	var spans [][2]int
	if i := bytes.Index(text, keyBegin); i >= 0 {
		if n := bytes.Index(text[i:], keyEnd); n >= 0 && n < 60 {
			spans = append(spans, [2]int{i, i + n + len(keyEnd)})
		}
	}
	for i := 0; i < len(text); {
		if !inToken[text[i]] {
			i++
			continue
		}
		start := i
		for i < len(text) && inToken[text[i]] {
			i++
		}
		if i-start >= minWord {
			spans = appendTokens(spans, text, start, i)
		}
	}
	return spans
}

// appendTokens looks for a credential in one word.
func appendTokens(spans [][2]int, text []byte, start, end int) [][2]int {
	word := string(text[start:end])
	for _, shape := range tokenShapes {
		i := strings.Index(word, shape.prefix)
		if i < 0 || i > 0 && alphanumeric(word[i-1]) {
			continue
		}
		rest := word[i+len(shape.prefix):]
		n := 0
		for n < len(rest) && (alphanumeric(rest[n]) || rest[n] == '_' || rest[n] == '-') {
			n++
		}
		// A name such as sk-… of dashes and small letters is not a key.
		if n >= shape.min && strings.ContainsAny(rest[:n], "0123456789") && mixed(word[i:i+len(shape.prefix)+n]) {
			return append(spans, [2]int{start + i, start + i + len(shape.prefix) + n})
		}
	}
	if i := strings.Index(word, "eyJ"); i >= 0 && (i == 0 || !alphanumeric(word[i-1])) {
		// A JWS in compact form, RFC 7515, section 7.1: three parts of base64url.
		parts := strings.Split(word[i:], ".")
		if len(parts) >= 3 && len(parts[0]) >= 10 && len(parts[1]) >= 4 {
			return append(spans, [2]int{start + i, end})
		}
	}
	for i := 0; i < len(word); {
		n := strings.IndexAny(word[i:], "./")
		if n < 0 {
			n = len(word) - i
		}
		if n >= minEntropyRun && random(word[i:i+n]) {
			return append(spans, [2]int{start + i, start + i + n})
		}
		i += n + 1
	}
	return spans
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// mixed tells whether s has letters in both cases or only capitals and digits,
// as generated identifiers have and names in lower case haven't.
func mixed(s string) bool {
	return strings.ContainsAny(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || strings.HasPrefix(s, "gh") || strings.HasPrefix(s, "xox") || strings.Contains(s, "_live_")
}

// random tells whether s looks drawn from base64: all three classes, several
// digits, and much entropy. Hexadecimal digests have only two classes.
func random(s string) bool {
	var count [256]int
	var lower, upper, digits int
	for i := range len(s) {
		c := s[i]
		count[c]++
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		}
	}
	if digits < 3 || lower < 3 || upper < 3 {
		return false
	}
	entropy := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(s))
			entropy -= p * math.Log2(p)
		}
	}
	return entropy >= minEntropy
}

const tokenFix = "remove it from the file and from history, and revoke it"

// checkTokens reports what is shaped like a credential and returns those
// strings, so that no other message shows them.
func checkTokens(file string, text []byte, problems *diag.List) (secrets []string) {
	for i, span := range tokenSpans(text) {
		secrets = append(secrets, string(text[span[0]:span[1]]))
		if i > maxProblems {
			continue
		}
		problems.Add(diag.Problem{
			Position: positionAt(file, text, span[0]), Rule: "token-shaped",
			Message: "this looks like a credential",
			Fix:     tokenFix,
		})
	}
	return secrets
}

// redact removes secrets from the messages of every problem.
func redact(problems diag.List, secrets []string) {
	if len(secrets) == 0 {
		return
	}
	// Longest first, so that no secret survives as the rest of another.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	secrets = slices.Compact(secrets)
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, redacted)
	}
	r := strings.NewReplacer(pairs...)
	for i := range problems {
		problems[i].Message = r.Replace(problems[i].Message)
		problems[i].Fix = r.Replace(problems[i].Fix)
	}
}
