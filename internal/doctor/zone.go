package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/policypin/policypin/internal/keycard"
)

// environment says which credentials are set, never what they are. Other tools
// for Keycard read variables of nearly the same names.
func (d *doctor) environment() {
	if d.failed("target") {
		d.skip("there is no target", "credentials", "address")
		return
	}
	if d.Local {
		d.ok("credentials", "the local zone needs none")
		d.ok("address", "the local zone is in the Git directory")
		return
	}
	set := func(name string) bool { return d.Getenv(name) != "" }
	const remedy = "set KEYCARD_API_CLIENT_ID and KEYCARD_API_CLIENT_SECRET, or KEYCARD_API_TOKEN, or KEYCARD_API_TOKEN_COMMAND, and only one of these"
	id, secret := set("KEYCARD_API_CLIENT_ID"), set("KEYCARD_API_CLIENT_SECRET")
	var ways []string
	if id || secret {
		ways = append(ways, "client credentials")
	}
	if set("KEYCARD_API_TOKEN") {
		ways = append(ways, "a token")
	}
	if set("KEYCARD_API_TOKEN_COMMAND") {
		ways = append(ways, "a command that prints a token")
	}
	switch {
	case len(ways) > 1:
		d.add("credentials", Failure, remedy, "several are set: %s", strings.Join(ways, ", "))
	case id != secret:
		d.add("credentials", Failure, remedy, "client credentials are incomplete: only one of KEYCARD_API_CLIENT_ID and KEYCARD_API_CLIENT_SECRET is set")
	case len(ways) == 1:
		d.ok("credentials", "%s: set", ways[0])
	case set("KEYCARD_API_API_KEY"):
		d.add("credentials", Failure, "if it is a bearer for the API, set it as KEYCARD_API_TOKEN", "none are set; KEYCARD_API_API_KEY is not read")
	case set("KEYCARD_CLIENT_ID") || set("KEYCARD_CLIENT_SECRET"):
		d.add("credentials", Failure, remedy, "none are set; KEYCARD_CLIENT_ID and KEYCARD_CLIENT_SECRET, which other tools read, are not read")
	default:
		d.add("credentials", Failure, remedy, "none are set")
	}
	d.address()
}

// address says where credentials will be sent. A URL can hold a password, so
// only its origin is shown.
func (d *doctor) address() {
	from := "the production API"
	text := cmp.Or(d.APIURL, d.Getenv("KEYCARD_API_BASE_URL"))
	switch {
	case d.APIURL != "":
		from = "--api-url"
	case text != "":
		from = "KEYCARD_API_BASE_URL"
	}
	u, err := url.Parse(cmp.Or(text, keycard.DefaultBaseURL))
	remedy := "give an https address"
	switch {
	case err != nil || u.Host == "":
		d.add("address", Failure, remedy, "%s is not a URL", from)
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		d.ok("address", "%s://%s (%s)", u.Scheme, u.Host, from)
	default:
		d.add("address", Failure, remedy, "%s is neither https nor on this machine, so no credential is sent there", from)
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// zone asks the zone for what every command reads.
func (d *doctor) zone(ctx context.Context) {
	names := []string{"token", "zone", "write", "clock", "schema", "active"}
	if d.failed("credentials") || d.failed("address") {
		d.skip("there is no way to the zone", names...)
		return
	}
	var server, local time.Time
	answered := false
	r, done, err := d.Connect(func(t keycard.Trace) {
		answered = answered || t.Status != 0 && strings.HasPrefix(t.Path, "/zones/")
		if !t.ServerTime.IsZero() {
			server, local = t.ServerTime, d.Now()
		}
	})
	if err != nil {
		d.add(names[0], Failure, "see the message", "%s", oneLine(err))
		d.skip("there is no way to the zone", names[1:]...)
		return
	}
	defer done()
	var active *keycard.PolicySet
	for s, e := range r.PolicySets(ctx, keycard.ListOptions{}) {
		if err = e; err != nil {
			break
		}
		if s.ActiveVersionID != "" {
			active = s
		}
	}
	if err != nil && (errors.Is(err, keycard.ErrUnauthorized) || !answered) {
		remedy := "check KEYCARD_API_BASE_URL and the network"
		if errors.Is(err, keycard.ErrUnauthorized) {
			remedy = "the credentials are not accepted there: check them, and KEYCARD_API_BASE_URL"
		}
		d.add(names[0], Failure, remedy, "%s", oneLine(err))
		d.skip("there is no way into the zone", names[1:]...)
		return
	}
	if d.Local {
		d.ok("token", "the local zone needs none")
	} else {
		d.ok("token", "the credentials are accepted")
	}
	if err != nil {
		d.add("zone", Failure, zoneRemedy(err), "%s", oneLine(err))
		d.skip("the zone can't be read", names[2:]...)
		return
	}
	d.known(ctx, r)
	d.skip("whether the account may create, activate and archive can't be seen without doing it", "write")
	d.clock(server, local)
	d.schemas(ctx, r)
	d.active(active)
}

// known says that the zone can be read, and, of a local one, whether it is the
// one that the pins are of: a clone of a folder gets that folder's tags, too.
func (d *doctor) known(ctx context.Context, r *keycard.Reader) {
	if d.Local {
		for _, id := range slices.Sorted(maps.Keys(d.sets)) {
			if _, err := r.PolicySet(ctx, id); errors.Is(err, keycard.ErrNotFound) {
				d.add("zone", Failure, "delete the pins that came along: git tag -d $(git tag -l 'policypin/"+d.Target.Pins+"/*')",
					"pin %s is of another clone's local zone, or of one that was deleted: this one has no policy set %s", d.sets[id], id)
				return
			}
		}
	}
	d.ok("zone", "zone %s can be read", d.Target.ZoneID)
}

func zoneRemedy(err error) string {
	switch {
	case errors.Is(err, keycard.ErrForbidden):
		return "give the service account a role for the policies of this zone"
	case errors.Is(err, keycard.ErrNotFound):
		return "check zone_id in the project file, and that the account belongs to the zone's organization; a zone that was just created needs a minute"
	}
	return "try again; if it stays, ask with the request id"
}

// maxSkew is how far clocks may be apart. Tokens have seconds of tolerance, and
// certificates none; policypin itself never compares the clocks of two machines.
const maxSkew = time.Minute

func (d *doctor) clock(server, local time.Time) {
	if server.IsZero() {
		d.skip("the zone's answers don't say what time it is there", "clock")
		return
	}
	skew := local.Sub(server).Round(time.Second)
	if skew.Abs() > maxSkew {
		d.add("clock", Warning, "set this machine's clock", "this machine's clock is %s", apart(skew))
		return
	}
	d.ok("clock", "this machine's clock and the service's agree to within %s", maxSkew)
}

func apart(skew time.Duration) string {
	if skew < 0 {
		return fmt.Sprintf("%v behind the service's", -skew)
	}
	return fmt.Sprintf("%v ahead of the service's", skew)
}

// schemas says what becomes of the schemas that the manifests use.
func (d *doctor) schemas(ctx context.Context, r *keycard.Reader) {
	if d.Tree == nil {
		d.skip("the project has problems", "schema")
		return
	}
	used := map[string][]string{}
	for _, s := range d.Tree.SetsFor(d.Target.Name) {
		used[s.SchemaVersion] = append(used[s.SchemaVersion], s.Name)
	}
	if len(used) == 0 {
		d.ok("schema", "no policy set is declared for target %s", d.Target.Name)
		return
	}
	status, newest := map[string]string{}, ""
	for s, err := range r.Schemas(ctx, keycard.ListOptions{}) {
		if err != nil {
			d.add("schema", Failure, zoneRemedy(err), "%s", oneLine(err))
			return
		}
		status[s.Version] = s.Status
		if s.IsDefault {
			newest = s.Version
		}
	}
	var versions []string
	for v := range used {
		versions = append(versions, v)
	}
	slices.Sort(versions)
	for _, v := range versions {
		sets := strings.Join(used[v], ", ")
		upgrade := "policypin schema upgrade moves every manifest, after checking every source"
		switch {
		case status[v] == "":
			d.add("schema", Failure, "policypin schema fetch lists and writes the zone's", "%s: the zone has no schema %s", sets, v)
		case status[v] == "archived":
			d.add("schema", Failure, upgrade, "%s: schema %s is archived, so no policy can get a new version", sets, v)
		case status[v] == "deprecated":
			d.add("schema", Warning, upgrade, "%s: schema %s is deprecated", sets, v)
		case newest > v: // versions are dates, and compare as text
			d.add("schema", Warning, upgrade, "%s: the zone's default schema is %s, newer than %s", sets, newest, v)
		default:
			d.ok("schema", "%s: schema %s is %s", sets, v, status[v])
		}
	}
}

// active says whether activating needs a word about what it replaces.
func (d *doctor) active(set *keycard.PolicySet) {
	switch {
	case set == nil:
		d.ok("active", "nothing is active yet")
	case d.pins == nil:
		d.skip("the pins can't be read", "active")
	case d.pins[set.ActiveVersionID] != "":
		d.ok("active", "v%d of %s is active, pinned as %s", set.ActiveVersion, set.Name, d.pins[set.ActiveVersionID])
	default:
		d.add("active", Warning, "the first publish --activate needs --replace-active "+set.ActiveVersionID+", or an approved plan",
			"v%d of %s is active, which no pin of target %s records", set.ActiveVersion, set.Name, d.Target.Name)
	}
}
