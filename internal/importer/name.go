package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// maxStem leaves room for a folder, an ending and a number in the 255 bytes
// that file systems allow, and for people to read it.
const maxStem = 100

// reserved are the names that Windows keeps for devices, whatever their ending
// (Microsoft, "Naming Files, Paths, and Namespaces").
var reserved = func() map[string]bool {
	m := map[string]bool{"con": true, "prn": true, "aux": true, "nul": true, "conin$": true, "conout$": true}
	for _, n := range "0123456789" {
		m["com"+string(n)], m["lpt"+string(n)] = true, true
	}
	return m
}()

// stem makes the name of a policy or a set a file name without its ending that
// is safe on every system: letters, digits, dots, _ and - of ASCII, since macOS
// changes how other letters are encoded. other is for a name with none of them.
func stem(name, other string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
			b.WriteRune(r)
		case !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= maxStem {
			break
		}
	}
	// A leading dot hides a file, a leading dash looks like a flag, and Windows
	// drops a dot at the end.
	s := strings.Trim(b.String(), ".-")
	if s == "" {
		return other
	}
	if device, _, _ := strings.Cut(s, "."); reserved[fold(device)] {
		return other + "-" + s
	}
	return s
}

// fold maps names that are one file on macOS and Windows to one key.
func fold(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// stems gives each name a file name of its own, that depends on the names alone
// and not on their order: where several would have the same, the one that is
// spelled so keeps it, and the others get a part of their name's hash.
func stems(names []string, other string) map[string]string {
	byFold := map[string][]string{}
	for _, name := range names {
		key := fold(stem(name, other))
		if !slices.Contains(byFold[key], name) {
			byFold[key] = append(byFold[key], name)
		}
	}
	out := make(map[string]string, len(names))
	taken := make(map[string]bool, len(names))
	var rest []string
	for key, same := range byFold {
		slices.Sort(same)
		first := 0
		if len(same) > 1 {
			first = slices.IndexFunc(same, func(name string) bool { return stem(name, other) == name })
		}
		for i, name := range same {
			if i == first {
				out[name] = stem(name, other)
				taken[key] = true
			} else {
				rest = append(rest, name)
			}
		}
	}
	slices.Sort(rest)
	for _, name := range rest {
		sum := sha256.Sum256([]byte(name))
		digits := hex.EncodeToString(sum[:])
		for n := 8; ; n++ {
			s := stem(name, other) + "-" + digits[:min(n, len(digits))]
			if n > len(digits) {
				s += "-" + strings.Repeat("x", n-len(digits))
			}
			if !taken[fold(s)] {
				out[name], taken[fold(s)] = s, true
				break
			}
		}
	}
	return out
}
