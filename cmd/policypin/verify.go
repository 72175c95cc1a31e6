package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/policypin/policypin/internal/jws"
	"github.com/policypin/policypin/internal/publish"
	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/internal/verify"
	"github.com/policypin/policypin/manifest"
	"github.com/urfave/cli/v2"
)

type verifyOptions struct {
	origin         originChoice
	offline        bool
	active         bool
	jwks           string
	allowedSigners string
	apiURL         string
	format         choice
}

func verifyCommand(w *world) *cli.Command {
	var opts verifyOptions
	return &cli.Command{
		Name:      "verify",
		Usage:     "recompute what pins claim",
		ArgsUsage: "[PIN…]",
		Description: help{
			text: `Recomputes the chain from commit to sources, set digest, manifest sha, version,
attestation and signatures, for the named pins, or for all of the target. Each
link is ok, a mismatch, recorded by the publisher, or not available. The last
line of a pin says that it is consistent, or signed, and what that rests on.
PIN is a tag's name or SET/vN. With --offline the repository is enough, a bare
one too. If a link is a mismatch, the exit status is 3.`,
			examples: []string{
				"policypin verify",
				"policypin verify --offline policypin/production/agents/v12",
				"policypin verify --target production --active",
				"policypin verify --offline --jwks keys.json --allowed-signers signers agents/v12",
			},
			statuses: []int{statusOK, statusFailed, statusUsage, statusProblems, statusInterrupted},
		}.String(),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "active", Usage: "verify the pin of the version that decides in the zone", Destination: &opts.active},
			&cli.BoolFlag{Name: "offline", Usage: "use this clone alone: no remote, no zone", Destination: &opts.offline},
			&cli.StringFlag{Name: "jwks", Usage: "the zone's public keys are in `FILE` (default: ask the zone)", Destination: &opts.jwks},
			&cli.StringFlag{Name: "allowed-signers", Usage: "pins must be signed by an SSH key in `FILE` (default: look in Git's gpg.ssh.allowedSignersFile)", Destination: &opts.allowedSigners},
			localFlag(&opts.origin), remoteFlag(&opts.origin),
			apiURLFlag(&opts.apiURL),
			formatFlag(&opts.format, formatText, formatJSON),
		},
		Action: func(c *cli.Context) error {
			args := c.Args().Slice()
			switch {
			case opts.active && len(args) > 0:
				return &usage{msg: "--active and PIN contradict each other"}
			case opts.active && opts.offline:
				return &usage{msg: "--active needs the zone, which --offline doesn't ask"}
			case opts.offline && opts.origin.remote != "":
				return &usage{msg: "--remote and --offline contradict each other"}
			}
			doc, err := verifyPins(c.Context, w, opts, args)
			if err != nil {
				return err
			}
			if opts.format.value == formatJSON {
				err = report.JSON(w.stdout, doc)
			} else {
				err = report.VerificationText(w.stdout, w.style(), doc)
			}
			if err == nil && slices.ContainsFunc(doc.Pins, func(p report.VerifiedPin) bool { return p.Result == verify.Broken }) {
				err = errProblems
			}
			return err
		},
	}
}

// A verification is one run of verify.
type verification struct {
	opts   verifyOptions
	p      *project
	target manifest.Target
	refs   *gitstore.Refs
	chain  verify.Chain
}

func verifyPins(ctx context.Context, w *world, opts verifyOptions, names []string) (report.Verification, error) {
	doc := report.Verification{Schema: report.Schema, Offline: opts.offline, Pins: []report.VerifiedPin{}}
	p, err := w.findProject()
	if err != nil {
		return doc, err
	}
	defer p.close()
	v := &verification{opts: opts, p: p}
	if v.target, err = w.pinTarget(p, names); err != nil {
		return doc, err
	}
	if opts.offline {
		v.opts.origin.local = true
	}
	if v.chain.Origin, err = w.origin(p, v.target, v.opts.origin); err != nil {
		return doc, err
	}
	defer v.chain.Origin.Close()
	if v.chain.Signatures, err = v.signatures(w); err != nil {
		return doc, err
	}
	if !opts.offline {
		r, done, err := w.readZone(p, v.target, opts.apiURL)
		if err != nil {
			return doc, withoutZone(opts, err)
		}
		defer done()
		v.chain.Zone = r
	}
	if v.chain.Keys, err = v.keys(w); err != nil {
		return doc, err
	}
	if v.refs, err = v.chain.Origin.Refs(ctx); err != nil {
		return doc, err
	}
	v.chain.Tips, v.chain.Siblings = v.tips(), v.readable
	doc.Target, doc.ZoneID, doc.Origin = v.target.Name, v.target.ZoneID, v.chain.Origin.Name()

	refs, odd, err := v.choose(ctx, names)
	if err != nil {
		return doc, err
	}
	results, err := v.chain.Pins(ctx, refs)
	if err != nil {
		return doc, withoutZone(opts, err)
	}
	for _, name := range odd {
		results = append(results, verify.Odd(name))
	}
	for _, r := range results {
		doc.Pins = append(doc.Pins, verifiedPin(r))
	}
	return doc, nil
}

// withoutZone adds to an error of the zone that much can be verified without it.
func withoutZone(opts verifyOptions, err error) error {
	if opts.offline || opts.active || errors.Is(err, gitstore.ErrUnreachable) || errors.Is(err, gitstore.ErrAccess) {
		return err
	}
	h := &hinted{err: err, also: "policypin verify --offline says what a clone alone can prove"}
	if own := (*hinted)(nil); errors.As(err, &own) {
		h.hint = own.hint
	}
	return h
}

// pinTarget is the target that the command line names, or whose pins the named
// ones are.
func (w *world) pinTarget(p *project, names []string) (manifest.Target, error) {
	proj, err := p.projectFile()
	if err != nil {
		return manifest.Target{}, err
	}
	if w.global.target.value == "" && len(names) > 0 {
		local, _ := proj.Target(localTarget)
		for _, t := range append(slices.Clone(proj.Targets), local) {
			if strings.HasPrefix(tagName(names[0], ""), "policypin/"+t.Pins+"/") {
				return t, nil
			}
		}
	}
	return w.target(proj)
}

// tagName is the tag that PIN means: a tag's name, or SET/vN below a target's
// pins.
func tagName(name, pins string) string {
	name = strings.TrimPrefix(name, "refs/tags/")
	if strings.HasPrefix(name, "policypin/") || pins == "" {
		return name
	}
	set, version, _ := strings.Cut(name, "/v")
	if n, err := strconv.Atoi(version); err == nil {
		if full, err := gitstore.PinName(pins, set, n); err == nil {
			return full
		}
	}
	return name
}

func (v *verification) signatures(w *world) (*gitstore.SignatureChecker, error) {
	repo, err := v.p.git()
	if err != nil {
		return nil, err
	}
	var opts gitstore.SignatureOptions
	if v.opts.allowedSigners != "" {
		opts.AllowedSigners = resolvePath(w.workDir(), v.opts.allowedSigners)
	}
	return repo.SignatureChecker(opts)
}

// maxKeysFile is far above a key set, which has a kilobyte a key.
const maxKeysFile = 1 << 20

func (v *verification) keys(w *world) (verify.KeySource, error) {
	if v.opts.jwks != "" {
		file, err := os.Open(resolvePath(w.workDir(), v.opts.jwks))
		if err != nil {
			return verify.KeySource{}, err
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, maxKeysFile+1))
		if err != nil {
			return verify.KeySource{}, err
		}
		keys, err := jws.ParseKeySet(text)
		if err != nil {
			return verify.KeySource{}, fmt.Errorf("%s: %w", v.opts.jwks, err)
		}
		read := func(context.Context) (*jws.KeySet, error) { return keys, nil }
		return verify.KeySource{Name: v.opts.jwks, Read: read, Fixed: true}, nil
	}
	zone := v.chain.Zone
	if zone == nil {
		return verify.KeySource{}, nil
	}
	return verify.KeySource{Name: "the zone", Read: func(ctx context.Context) (*jws.KeySet, error) {
		text, err := zone.KeySet(ctx)
		if err != nil {
			return nil, err
		}
		return jws.ParseKeySet(text)
	}}, nil
}

// tips are the ends of the target's branch. A remote says which it is. A clone
// has the branch under its own name, and as it last saw it on a remote.
func (v *verification) tips() []verify.Tip {
	if !v.opts.origin.local {
		if name, tip, ok := v.refs.Branch(v.target.Branch); ok {
			return []verify.Tip{{Name: name, Commit: tip}}
		}
		return nil
	}
	var tips []verify.Tip
	add := func(name, ref string) {
		if commit, ok := v.refs.All[ref]; ok {
			tips = append(tips, verify.Tip{Name: name, Commit: commit})
		}
	}
	branch := v.target.Branch
	if branch == "" {
		if seen, err := v.p.repo.Resolve("refs/remotes/origin/HEAD"); err == nil {
			return []verify.Tip{{Name: "origin/HEAD", Commit: seen}}
		}
		add("HEAD", "HEAD")
		return tips
	}
	for ref := range v.refs.All {
		if rest, ok := strings.CutPrefix(ref, "refs/remotes/"); ok {
			if _, name, _ := strings.Cut(rest, "/"); name == branch {
				add(rest, ref)
			}
		}
	}
	slices.SortFunc(tips, func(a, b verify.Tip) int { return strings.Compare(a.Name, b.Name) })
	add(branch, "refs/heads/"+branch)
	return tips
}

// choose lists the pins to verify, and the refs among them that have no pin's
// name.
func (v *verification) choose(ctx context.Context, names []string) (refs []gitstore.PinRef, odd []string, err error) {
	all, odd := v.refs.Pins(v.target.Pins)
	switch {
	case v.opts.active:
		ref, err := v.activePin(ctx, all)
		return []gitstore.PinRef{ref}, nil, err
	case len(names) == 0:
		if len(all)+len(odd) == 0 {
			return nil, nil, &hinted{
				err:  fmt.Errorf("there are no pins of target %s in %s", v.target.Name, v.chain.Origin.Name()),
				hint: "policypin publish makes the first one; --target names another target",
			}
		}
		return all, odd, nil
	}
	for _, name := range names {
		tag := tagName(name, v.target.Pins)
		at := slices.IndexFunc(all, func(r gitstore.PinRef) bool { return r.Name == tag })
		if at < 0 {
			return nil, nil, fmt.Errorf("%w %q for target %s in %s", publish.ErrNoPin, name, v.target.Name, v.chain.Origin.Name())
		}
		refs = append(refs, all[at])
	}
	return refs, nil, nil
}

// activePin is the pin of the version that decides.
func (v *verification) activePin(ctx context.Context, all []gitstore.PinRef) (gitstore.PinRef, error) {
	set, err := active(ctx, v.chain.Zone)
	if err != nil {
		return gitstore.PinRef{}, err
	}
	if set == nil || set.ActiveVersionID == "" {
		return gitstore.PinRef{}, fmt.Errorf("no version is active in zone %s", v.target.ZoneID)
	}
	pins, err := v.readPins(ctx, all)
	if err != nil {
		return gitstore.PinRef{}, err
	}
	for _, p := range pins {
		if p.Record.VersionID == set.ActiveVersionID {
			return p.PinRef, nil
		}
	}
	return gitstore.PinRef{}, &hinted{
		err:  fmt.Errorf("%w of the active version, %s v%d (%s)", publish.ErrNoPin, set.Name, set.ActiveVersion, set.ActiveVersionID),
		hint: "policypin drift says what that version is, and what to do",
	}
}

// readable reads the pins of a set.
func (v *verification) readable(ctx context.Context, set string) ([]*gitstore.Pin, error) {
	all, _ := v.refs.Pins(v.target.Pins)
	return v.readPins(ctx, slices.DeleteFunc(all, func(r gitstore.PinRef) bool { return r.Set != set }))
}

// readPins reads pins and leaves out damaged ones.
func (v *verification) readPins(ctx context.Context, refs []gitstore.PinRef) ([]*gitstore.Pin, error) {
	pins, err := v.chain.Origin.ReadPins(ctx, refs)
	if !errors.Is(err, gitstore.ErrBadPin) {
		return pins, err
	}
	pins = nil
	for _, ref := range refs {
		one, err := v.chain.Origin.ReadPins(ctx, []gitstore.PinRef{ref})
		switch {
		case errors.Is(err, gitstore.ErrBadPin):
		case err != nil:
			return nil, err
		default:
			pins = append(pins, one...)
		}
	}
	return pins, nil
}

func verifiedPin(r *verify.Result) report.VerifiedPin {
	out := report.VerifiedPin{
		Tag: r.Ref.Name, Set: r.Ref.Set, Version: r.Ref.Number, Result: r.Verdict(), SignedBy: []string{}, Links: []report.VerifiedLink{},
	}
	if r.Pin != nil {
		out.VersionID, out.Commit = r.Pin.Record.VersionID, r.Pin.Commit.String()
	}
	out.SignedBy = append(out.SignedBy, r.SignedBy...)
	for _, l := range r.Links {
		out.Links = append(out.Links, report.VerifiedLink{Link: l.Name, Status: string(l.Status), Detail: l.Detail})
	}
	return out
}
