package verify

import (
	"strings"
	"testing"

	"github.com/policypin/policypin/gitstore"
)

// The vectors are those of the API reference, computed there by another program.
func TestForms(t *testing.T) {
	entries := []gitstore.RecordEntry{
		{PolicyID: "pol_b", VersionID: "pv_2", SHA: strings.Repeat("b", 64)},
		{PolicyID: "pol_a", VersionID: "pv_1", SHA: strings.Repeat("a", 64)},
	}
	want := map[string]string{
		"M1": "34a9dc05ad126b94d8a43f9edc87dd0d2608dfb3ff9734b7f4ecc0616cc05aab",
		"M2": "e4bdeb455c311fb1f9041c88b6811ce6a26862dfd3ce559edec9bd2a8463df78",
		"M3": "0190c1be80c1f91542b13212921e74107782dfbc7cee04edeed7d1c925651a5e",
		"M4": "31f2b9b7c4cd597b0fbd09ed22e2f67e767cf74d48b3eac9c421ce89951baf90",
		"M5": "6ae44ed22d69e0be8fdca57cf81469958824c41ff445203dfee53977833539ce",
		"M6": "5f1b2173bc61414940c14aa10535660995eb2b06a4642f502f4ecc346da39f63",
		"M7": "1afa2d3db81410afe54063c82b6fee2dd757335027e3c6cfd50f358839737413",
		"M8": "e67cd9be3880953de7aa7219f0fb62d52004b722c52f06a6dbfd5b0c73e2c4d9",
	}
	if len(forms) != len(want) {
		t.Fatalf("there are %d forms, want %d", len(forms), len(want))
	}
	for _, f := range forms {
		got, err := f.sum(entries)
		if err != nil || got.String() != want[f.name] {
			t.Errorf("%s: got %s, %v, want %s", f, got, err, want[f.name])
		}
		if winner, ok := reproduce(entries, "sha256:"+strings.ToUpper(want[f.name])); !ok || winner != f {
			t.Errorf("reproduce(%s): got %v, %v", f.name, winner, ok)
		}
	}
	if f, ok := reproduce(entries, strings.Repeat("0", 64)); ok {
		t.Errorf("reproduce of nothing: got %s", f)
	}
	for i := range entries {
		entries[i].SHA = ""
	}
	// Without shas, a form that should have them is another form.
	if f, ok := reproduce(entries, want["M3"]); !ok || f.name != "M3" {
		t.Errorf("without shas: got %v, %v, want M3", f, ok)
	}
}
