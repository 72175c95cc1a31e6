package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/policypin/policypin/gitstore"
)

// repository says what kind of clone this is. Every kind works, but not all at
// the same speed.
func (d *doctor) repository() {
	if d.Repo == nil {
		d.add("repository", Failure, "run it inside a clone, or give one with -C DIR", "%v", d.RepoErr)
		return
	}
	var kinds []string
	if d.Repo.Root() == "" {
		kinds = append(kinds, "bare")
	}
	if d.Repo.GitDir() != d.Repo.CommonDir() {
		kinds = append(kinds, "a linked work tree")
	}
	if d.Repo.IsShallow() {
		kinds = append(kinds, "shallow, so history that is needed is fetched for each run")
	}
	if d.Repo.IsPartial() {
		kinds = append(kinds, "partial, so Git fetches files that are needed")
	}
	if len(kinds) == 0 {
		kinds = append(kinds, "complete")
	}
	d.ok("repository", "the clone is %s", strings.Join(kinds, "; "))
}

// project says whether what is committed could be published.
func (d *doctor) project() {
	switch {
	case d.Repo == nil:
		d.skip("there is no repository", "project")
	case errors.Is(d.ProjectErr, gitstore.ErrNoCommit):
		d.add("project", Failure, "commit the project, since publish reads commits: git add . && git commit; policypin init writes one", "%s", oneLine(d.ProjectErr))
	case d.Project == nil:
		d.add("project", Failure, "policypin init writes a project; policypin validate shows every problem", "%s", oneLine(d.ProjectErr))
	case d.ProjectErr != nil:
		d.add("project", Failure, "policypin validate --rev HEAD shows every problem", "commit %s can't be published: %s", d.Commit.Short(), oneLine(d.ProjectErr))
	default:
		d.ok("project", "the project at commit %s is valid", d.Commit.Short())
	}
}

// target says which target was looked at.
func (d *doctor) target() {
	ci := strings.ToLower(d.Getenv("CI"))
	switch {
	case d.Project == nil:
		d.skip("there is no project", "target")
	case d.TargetErr != nil:
		d.add("target", Failure, "name one of them with --target", "%s", oneLine(d.TargetErr))
	case !d.TargetNamed && (ci == "true" || ci == "1"):
		d.add("target", Warning, "give --target", "CI is set, where publish, activate and drift refuse to choose a target; this looked at %s", d.Target.Name)
	default:
		d.ok("target", "target %s is zone %s", d.Target.Name, d.Target.ZoneID)
	}
}

// remote looks at the place where branch and pins are.
func (d *doctor) remote(ctx context.Context) {
	names := []string{"remote", "branch", "push", "lock", "tag-rules", "pins"}
	switch {
	case d.failed("target"):
		d.skip("there is no target", names...)
		return
	case d.OriginErr != nil:
		d.add(names[0], Failure, "git remote add origin URL, or name another one with --remote", "%s", oneLine(d.OriginErr))
		d.skip("there is no remote", names[1:]...)
		return
	}
	refs, err := d.Origin.Refs(ctx)
	if err != nil {
		d.add(names[0], Failure, accessRemedy(err), "%s", oneLine(err))
		d.skip("the remote can't be read", names[1:]...)
		return
	}
	d.refs = refs
	d.ok("remote", "%s can be read", d.Origin.Name())
	d.branch()
	d.push(ctx)
	d.lock(ctx)
	d.tagRules()
	d.readPins(ctx)
}

func accessRemedy(err error) string {
	if errors.Is(err, gitstore.ErrAccess) {
		return "set POLICYPIN_GIT_TOKEN or GITHUB_TOKEN, or a credential helper or key that Git can use"
	}
	return "check the remote's URL and the network"
}

func (d *doctor) branch() {
	branch, tip, ok := d.refs.Branch(d.Target.Branch)
	if !ok {
		if d.Target.Branch == "" && branch == "HEAD" {
			branch = "default" // the remote doesn't say how it is called
		}
		d.add("branch", Failure, "push it, or set branch: of the target", "%s has no branch %q, which target %s publishes from", d.Origin.Name(), branch, d.Target.Name)
		return
	}
	if _, err := d.Repo.Commit(tip); err != nil {
		d.add("branch", Warning, "git fetch", "%s is at %s, which this clone doesn't have", branch, tip.Short())
		return
	}
	head := "HEAD is its tip"
	if d.Commit != tip {
		head = fmt.Sprintf("HEAD is another commit, %s", d.Commit.Short())
	}
	d.ok("branch", "%s is at %s; %s", branch, tip.Short(), head)
}

func (d *doctor) push(ctx context.Context) {
	if err := d.Origin.CheckPush(ctx); err != nil {
		d.add("push", Failure, "give the token or key the right to write; in GitHub Actions: permissions: contents: write", "%s", oneLine(err))
		return
	}
	if d.Origin.Name() == d.Repo.Local().Name() {
		d.ok("push", "pins stay in this clone")
		return
	}
	d.ok("push", "%s lets us begin a push", d.Origin.Name())
}

// lock tries the lock ref, or says who has it.
func (d *doctor) lock(ctx context.Context) {
	const remedy = "allow refs/policypin/lock/* for this identity"
	if d.Origin.Name() == d.Repo.Local().Name() {
		d.ok("lock", "the local zone's store has its own lock")
		return
	}
	if !d.TryLock {
		if _, held := d.refs.All["refs/policypin/lock/"+d.Target.ZoneID]; held {
			d.add("lock", Warning, "wait for it; policypin takes over the lock of a run that is dead after two minutes",
				"another run holds the lock of zone %s", d.Target.ZoneID)
			return
		}
		d.skip("trying the lock writes a ref and deletes it; --try-lock does", "lock")
		return
	}
	lock, err := d.Origin.Lock(ctx, d.Target.ZoneID, d.Lock)
	switch {
	case errors.Is(err, gitstore.ErrLocked):
		d.add("lock", Warning, "wait for it; policypin takes over the lock of a run that is dead after two minutes", "%s", oneLine(err))
		return
	case errors.Is(err, gitstore.ErrLockRefused):
		d.add("lock", Warning, remedy, "%s; publish goes on without it, and runs at the same time may leave a spare version", oneLine(err))
		return
	case err != nil:
		d.add("lock", Failure, remedy, "%s", oneLine(err))
		return
	}
	if err := lock.Release(ctx); err != nil {
		d.add("lock", Failure, remedy, "the lock ref was created and can't be deleted: %s", oneLine(err))
		return
	}
	d.ok("lock", "the lock ref can be created and deleted")
}

// tagRules says what can't be seen: rules on tag names answer only to a push.
func (d *doctor) tagRules() {
	if d.Origin.Name() == d.Repo.Local().Name() {
		d.skip("pins stay in this clone", "tag-rules")
		return
	}
	d.skip(fmt.Sprintf("rules on tags answer only to a real push; policypin/%s/** must be allowed to be created, and should be protected from being moved and deleted", d.Target.Pins), "tag-rules")
}

// readPins reads every pin of the target.
func (d *doctor) readPins(ctx context.Context) {
	refs, odd := d.refs.Pins(d.Target.Pins)
	pins, err := d.Origin.ReadPins(ctx, refs)
	const remedy = "policypin drift names each and says what to do"
	switch {
	case errors.Is(err, gitstore.ErrBadPin):
		d.add("pins", Failure, remedy, "%s", oneLine(err))
		return
	case err != nil:
		d.add("pins", Failure, accessRemedy(err), "%s", oneLine(err))
		return
	}
	d.pins, d.sets = map[string]string{}, map[string]string{}
	for _, p := range pins {
		if p.Record.ZoneID != d.Target.ZoneID {
			d.add("pins", Failure, "correct zone_id in the project file, or for a new zone give the target another name for its pins there (pins: NAME)", "pin %s is of zone %s", p.Name, p.Record.ZoneID)
			return
		}
		d.pins[p.Record.VersionID] = p.Name
		d.sets[p.Record.PolicySetID] = p.Name
	}
	if len(odd) > 0 {
		d.add("pins", Warning, remedy, "%s is among the pins and isn't one", odd[0])
		return
	}
	if len(pins) == 1 {
		d.ok("pins", "1 pin can be read")
		return
	}
	d.ok("pins", "%d pins can be read", len(pins))
}

// oneLine is an error without the rest of its lines.
func oneLine(err error) string {
	if err == nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	if n := len(lines) - 1; n > 0 {
		return fmt.Sprintf("%s (and %d more)", lines[0], n)
	}
	return lines[0]
}
