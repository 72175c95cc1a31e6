package zone

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
)

// SeedHelp explains seed files, for the help of a command that takes them.
const SeedHelp = `A seed is a JSON file, or a folder with a seed.json, of policies and policy sets
to start with. Every policy has a name, versions with Cedar text (cedar_raw,
cedar_json, or cedar_file, a path beside the seed), and maybe a description.
Every set has a name and versions, which list their policies by name, the latest
version or a numbered one; "active" is the number of the version to activate.
schema_version is the zone's default where it is left out. For example:

  {"policies": [{"name": "finance-read", "versions": [{"cedar_file": "finance.cedar"}]}],
   "policy_sets": [{"name": "agents", "active": 1,
     "versions": [{"policies": ["default-user-grants", {"policy": "finance-read", "version": 1}]}]}]}`

// seedName is the file to read in a folder.
const seedName = "seed.json"

// maxSeedBytes bounds a seed file and everything it names, each by itself: it is
// read at once, and 10,000 policies of a kilobyte have 10 MB.
const maxSeedBytes = 64 << 20

// A Seed is what a new store starts with; see [SeedHelp].
type Seed struct {
	policies []seededPolicy
	sets     []seededSet
}

type seededPolicy struct {
	name        string
	description *string
	versions    []*content
}

type seededSet struct {
	name     string
	versions []seededSetVersion
	active   int // number of the version to activate; 0: none
}

type seededSetVersion struct {
	schema string
	pins   []seededPin
}

type seededPin struct {
	policy  string
	version int // 0 is the latest
}

// ReadSeed reads the seed file name in fsys; a folder stands for its seed.json.
// Cedar text is checked here, and whether names fit together when a store is
// made from the seed.
func ReadSeed(fsys fs.FS, name string) (*Seed, error) {
	if info, err := fs.Stat(fsys, name); err == nil && info.IsDir() {
		name = path.Join(name, seedName)
	}
	b, err := readLimited(fsys, name)
	if err != nil {
		return nil, err
	}
	seed, err := parseSeed(fsys, path.Dir(name), b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return seed, nil
}

func readLimited(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSeedBytes+1))
	if err == nil && len(b) > maxSeedBytes {
		err = fmt.Errorf("%s has more than %d bytes", name, maxSeedBytes)
	}
	return b, err
}

func parseSeed(fsys fs.FS, dir string, b []byte) (*Seed, error) {
	o, err := parseObject(b, "policies", "policy_sets")
	if err != nil {
		return nil, err
	}
	seed := &Seed{}
	err = eachObject(o, "policies", func(o object) error {
		p, err := readSeededPolicy(fsys, dir, o)
		seed.policies = append(seed.policies, p)
		return err
	}, "name", "description", "versions")
	if err != nil {
		return nil, err
	}
	return seed, eachObject(o, "policy_sets", func(o object) error {
		set, err := readSeededSet(o)
		seed.sets = append(seed.sets, set)
		return err
	}, "name", "versions", "active")
}

// eachObject goes through an array of objects; a missing one is empty.
func eachObject(o object, name string, read func(object) error, allowed ...string) error {
	if !o.has(name) {
		return nil
	}
	list, err := o.list(name)
	if err != nil {
		return err
	}
	for i, item := range list {
		where := name + "[" + strconv.Itoa(i) + "]"
		member, err := subObject(where, item, allowed...)
		if err != nil {
			return err
		}
		if err := read(member); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	return nil
}

func readSeededPolicy(fsys fs.FS, dir string, o object) (p seededPolicy, err error) {
	if p.name, err = o.name(); err != nil {
		return p, err
	}
	if p.description, err = o.text("description"); err != nil {
		return p, err
	}
	return p, eachObject(o, "versions", func(o object) error {
		schema, err := o.schemaVersion()
		if err != nil {
			return err
		}
		file, err := o.text("cedar_file")
		if err != nil {
			return err
		}
		if file != nil {
			if o.has("cedar_raw") || o.has("cedar_json") {
				return errors.New("cedar_file can't be combined with Cedar content")
			}
			name := path.Join(dir, *file)
			if !fs.ValidPath(name) {
				return fmt.Errorf("cedar_file: %q is outside of the seed's folder", clip(*file))
			}
			b, err := readLimited(fsys, name)
			if err != nil {
				return err
			}
			raw, err := json.Marshal(string(b))
			if err != nil {
				return err
			}
			o["cedar_raw"] = raw
		}
		text, err := contentOf(o, schema)
		p.versions = append(p.versions, text)
		return err
	}, "schema_version", "cedar_raw", "cedar_json", "cedar_file")
}

// schemaVersion is the member of that name, or the default of a new zone.
func (o object) schemaVersion() (string, error) {
	schema, err := o.text("schema_version")
	if err != nil || schema == nil {
		return defaultSchema, err
	}
	return *schema, nil
}

func readSeededSet(o object) (set seededSet, err error) {
	if set.name, err = o.name(); err != nil {
		return set, err
	}
	err = eachObject(o, "versions", func(o object) error {
		schema, err := o.schemaVersion()
		if err != nil {
			return err
		}
		if _, ok := findSchema(schema); !ok {
			return unknownSchema(schema)
		}
		v := seededSetVersion{schema: schema}
		list, err := o.list("policies")
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return errors.New("a version needs at least one policy")
		}
		for _, item := range list {
			pin, err := readSeededPin(item)
			if err != nil {
				return err
			}
			v.pins = append(v.pins, pin)
		}
		set.versions = append(set.versions, v)
		return nil
	}, "schema_version", "policies")
	if err != nil {
		return set, err
	}
	if set.active, err = o.number("active"); err != nil {
		return set, err
	}
	if set.active > len(set.versions) {
		return set, fmt.Errorf("active: there is no version %d", set.active)
	}
	return set, nil
}

// readSeededPin reads "name" or {"policy": "name", "version": 1}.
func readSeededPin(raw json.RawMessage) (seededPin, error) {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return seededPin{policy: name}, nil
	}
	o, err := subObject("a policy of a version", raw, "policy", "version")
	if err != nil {
		return seededPin{}, err
	}
	if name, err = o.requiredText("policy"); err != nil {
		return seededPin{}, err
	}
	number, err := o.number("version")
	return seededPin{name, number}, err
}

// number is a member that counts from 1; absent is 0.
func (o object) number(name string) (int, error) {
	if !o.has(name) {
		return 0, nil
	}
	n, err := strconv.Atoi(string(o[name]))
	if err != nil || n < 1 {
		return 0, badRequest("%s must be a number from 1", name)
	}
	return n, nil
}
