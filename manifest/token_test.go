package manifest

import (
	"strings"
	"testing"
)

func TestTokenSpans(t *testing.T) {
	for name, text := range secrets {
		for _, around := range []string{"", " ", `"`, "/", "=", "(", "."} {
			// A slash or a dot may belong to the word: only the credential must be covered.
			in := "x" + around + text + around
			if around == "" {
				in = text
			}
			spans := tokenSpans([]byte(in))
			if len(spans) != 1 || !strings.Contains(in[spans[0][0]:spans[0][1]], text[:len(text)-1]) {
				t.Errorf("%s in %q: got %v", name, around, spans)
			}
		}
	}
	for _, text := range []string{
		"policies/finance-read.cedar",
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
		"0190a3b2-7c4d-7e5f-8a9b-0c1d2e3f4a5b",
		"AllowFinanceTeamToReadLedgerResourcesVersion2InProduction",
		"https://mcp.example.com/v1/resources/accounting-ledger-2026/Read_Only",
		"Keycard::RegistrationMethod::managed",
		"sk-finance-department-may-read-the-ledger-of-2026",
		"ghp_short", "AKIA", "eyJ", "eyJ.a.b",
		"# ================================================================",
		"----------------------------------------------------------------",
		"policy-sets/payments-platform-authorization-2026-q3-rollout.yaml",
		"arn:aws:iam::123456789012:role/FinanceReadOnlyAccessForContractors",
		strings.Repeat("a", 1000), strings.Repeat("aB3", 100),
	} {
		if spans := tokenSpans([]byte(text)); len(spans) > 0 {
			t.Errorf("%q was taken for a credential", text)
		}
	}
}

// The redaction knows secrets that are parts of others.
func TestRedact(t *testing.T) {
	var problems = checkedProblems("a abcdef b abc c", "xabcx")
	redact(problems, []string{"abc", "abcdef", "abc"})
	if got, want := problems[0].Message, "a "+redacted+" b "+redacted+" c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := problems[0].Fix, "x"+redacted+"x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
