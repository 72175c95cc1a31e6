package zone

import "fmt"

// platformUser created what a zone starts with.
const platformUser = "usr_platform"

// seedPolicies are the policies of a new zone, in the order of the active set.
// Their texts are our own; the service's defaults do the same by its
// documentation: users reach resources, applications may act for users who may,
// and on their own reach what they depend on.
var seedPolicies = []struct {
	name, description string
	versions          []seedVersion
}{
	{
		"default-user-grants", "Users may use the zone's resources.",
		[]seedVersion{
			{"2026-02-24", `@id("default-user-grants")
permit (principal is Keycard::User, action, resource is Keycard::Resource);
`},
			{"2026-03-16", `@id("default-user-grants")
permit (principal is Keycard::User, action, resource is Keycard::Resource)
when { principal has identifier || principal has email };
`},
			{"2026-06-18", `@id("default-user-grants")
permit (principal is Keycard::User, action, resource is Keycard::Resource)
unless { context has impersonate && context.impersonate };
`},
		},
	},
	{
		"default-app-delegation", "Applications may act for users.",
		[]seedVersion{
			{"2026-06-18", `@id("default-app-delegation")
permit (principal is Keycard::Application, action, resource is Keycard::Resource)
when { context.on_behalf };
`},
		},
	},
	{
		"default-app-direct-access", "Applications may use the resources they depend on.",
		[]seedVersion{
			{"2026-06-18", `@id("default-app-direct-access")
permit (principal is Keycard::Application, action, resource is Keycard::Resource)
when { principal has dependencies && principal.dependencies.contains(resource) }
unless { context.on_behalf || (context has impersonate && context.impersonate) };
`},
		},
	},
}

type seedVersion struct{ schema, text string }

// seedSet is the set that is active in a new zone, with every seeded policy's
// latest version.
const seedSet = "default-zone-policies"

// seed writes what a zone starts with. Ids and times are fixed, so that a store
// that wasn't created yet answers the same as one that was.
func seed(w *writer, zone string) error {
	z := &zoneRecord{DefaultSchema: defaultSchema}
	if err := save(w, tableZones, zone, z); err != nil {
		return err
	}
	now := formatTime(clockStart)
	var m storedManifest
	for _, p := range seedPolicies {
		latest, err := seedPolicy(w, zone, now, p.name, p.description, p.versions)
		if err != nil {
			return fmt.Errorf("policy %s: %w", p.name, err)
		}
		m.Entries = append(m.Entries, entry{latest.Version.PolicyID, latest.Version.ID, latest.Version.SHA})
		m.Places = append(m.Places, latest.Place)
	}
	set, err := addSet(w, zone, setRecord{Set: policySet{
		ID: sequentialID(w, zone, kindSet, seedSet), Name: seedSet, OwnerType: ownerPlatform, ScopeType: targetZone,
		CreatedAt: now, UpdatedAt: now, CreatedBy: platformUser,
	}})
	if err != nil {
		return err
	}
	version := setVersion{SchemaVersion: defaultSchema, CreatedAt: now, CreatedBy: platformUser}
	v, err := addSetVersion(w, set, version, m, func(n int) string {
		return sequentialVersionID(kindSet, set.Set.ID, n)
	})
	if err != nil {
		return err
	}
	if z, err = loadZone(w, zone); err != nil { // it has counted places meanwhile
		return err
	}
	z.ActiveSet, z.ActiveVersion, z.ActiveSince = set.Set.ID, v.Version.ID, now
	return save(w, tableZones, zone, z)
}

func seedPolicy(w *writer, zone, now, name, description string, versions []seedVersion) (*policyVersionRecord, error) {
	p, err := addPolicy(w, zone, policyRecord{TargetType: targetZone, Policy: policy{
		ID: sequentialID(w, zone, kindPolicy, name), Name: name, Description: &description,
		OwnerType: ownerPlatform, CreatedAt: now, UpdatedAt: now, CreatedBy: platformUser,
	}})
	if err != nil {
		return nil, err
	}
	var latest *policyVersionRecord
	for _, v := range versions {
		i, _ := findSchema(v.schema)
		text, err := checkContent(v.text, schemas[i])
		if err != nil {
			return nil, err
		}
		pv := policyVersion{OwnerType: ownerPlatform, CreatedAt: now, CreatedBy: platformUser}
		latest, err = addPolicyVersion(w, p, pv, text, func(n int) string {
			return sequentialVersionID(kindPolicy, p.Policy.ID, n)
		})
		if err != nil {
			return nil, err
		}
	}
	return latest, nil
}
