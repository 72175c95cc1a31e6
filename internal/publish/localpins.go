package publish

import "fmt"

// anotherLocal explains pins of the local target that its zone knows nothing of.
// Each clone has a local zone of its own, and a clone of a folder gets the tags
// of that folder, too.
func (h *history) anotherLocal() (why, hint string, ok bool) {
	if h.target.Name != "local" {
		return "", "", false
	}
	if h.src.Origin.Name() != h.src.Repo.Local().Name() {
		return "it is of another clone's local zone", "leave out --remote, which takes the pins that other clones have pushed", true
	}
	return "it is of another clone's local zone, or of one that was deleted",
		fmt.Sprintf("each clone has a local zone of its own; to begin with this one, delete the pins that came along: git tag -d $(git tag -l %s)",
			shellWord("policypin/"+h.target.Pins+"/*")), true
}
