package gitstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/storage/memory"
)

// An update is a compare-and-swap of one ref on the server: it is made only if
// the ref has the old value. A zero old creates, a zero new deletes.
type update struct {
	ref      string
	old, new Hash
}

// A report is what became of a push.
type report struct {
	before map[string]plumbing.Hash // the refs when the session began
	sent   bool                     // the updates may have reached the server
	status map[string]string        // by ref: "ok" or the server's reason; nil if the answer was lost
	words  string                   // what the server's hooks said
	err    error                    // why there is no status
}

// accepted tells whether the server said that it made an update.
func (p *report) accepted(ref string) bool { return p.status[ref] == "ok" }

// refusal describes why an update wasn't made, in the server's words.
func (p *report) refusal(e *endpoint, ref string) error {
	reason, ok := p.status[ref]
	switch {
	case p.err != nil && !ok:
		return p.err
	case !ok:
		reason = "the server says nothing about it"
	case reason == "ok":
		reason = "the server accepted it, but doesn't list it"
	}
	text := e.clean(reason)
	if words := e.clean(p.words); words != "" {
		text += "\nremote: " + strings.ReplaceAll(words, "\n", "\nremote: ")
	}
	return &remoteError{text: text}
}

// push opens a session, lets choose look at the refs and pick updates, and sends
// them with the objects they need, which are sent whole: everything they refer
// to must be on the server. An error is returned only if nothing was sent.
func (r *remote) push(ctx context.Context, choose func(refs map[string]plumbing.Hash) ([]update, []plumbing.EncodedObject)) (*report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, transferTimeout, errors.New("the push took more than ten minutes"))
	defer cancel()
	session, adv, err := connect(ctx, r.pushAt, r.pushAt.client.NewReceivePackSession)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	p := &report{before: adv.References}
	updates, objects := choose(adv.References)
	if len(updates) == 0 {
		return p, nil
	}
	req := packp.NewReferenceUpdateRequestFromCapabilities(adv.Capabilities)
	if !req.Capabilities.Supports(capability.ReportStatus) {
		return nil, &remoteError{text: r.pushAt.shown + ": the server can't report what becomes of a push"}
	}
	words := &serverWords{}
	if adv.Capabilities.Supports(capability.Sideband64k) {
		_ = req.Capabilities.Set(capability.Sideband64k)
		req.Progress = words
	}
	needsPack := false
	for _, u := range updates {
		req.Commands = append(req.Commands, &packp.Command{Name: plumbing.ReferenceName(u.ref), Old: fromHash(u.old), New: fromHash(u.new)})
		needsPack = needsPack || !u.new.IsZero()
	}
	if needsPack {
		pack, err := packObjects(objects)
		if err != nil {
			return nil, fmt.Errorf("packing %d objects: %w", len(objects), err)
		}
		req.Packfile = io.NopCloser(bytes.NewReader(pack))
	}
	p.sent = true
	status, err := session.ReceivePack(ctx, req)
	p.words = words.String()
	switch {
	case status != nil:
		p.status = map[string]string{}
		for _, s := range status.CommandStatuses {
			p.status[s.ReferenceName.String()] = s.Status
		}
		if status.UnpackStatus != "ok" {
			p.words = strings.TrimSpace(p.words + "\nunpack: " + status.UnpackStatus)
		}
	case err != nil:
		p.err = r.pushAt.explain(ctx, "pushing to "+r.pushAt.shown, err)
	default:
		p.err = &remoteError{text: "pushing to " + r.pushAt.shown + ": the answer was lost"}
	}
	return p, nil
}

func packObjects(objects []plumbing.EncodedObject) ([]byte, error) {
	s := memory.NewStorage()
	var hashes []plumbing.Hash
	for _, obj := range objects {
		h, err := s.SetEncodedObject(obj)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, h)
	}
	var pack bytes.Buffer
	_, err := packfile.NewEncoder(&pack, s, false).Encode(hashes, 0)
	return pack.Bytes(), err
}

// serverWords keeps the beginning of what hooks print.
type serverWords struct{ bytes.Buffer }

func (w *serverWords) Write(b []byte) (int, error) {
	if left := 4*maxWords - w.Len(); left > 0 {
		w.Buffer.Write(b[:min(left, len(b))])
	}
	return len(b), nil
}

// CheckPush asks for the refs as a push does, which needs the right to push.
func (r *remote) CheckPush(ctx context.Context) error {
	_, err := r.push(ctx, func(map[string]plumbing.Hash) ([]update, []plumbing.EncodedObject) { return nil, nil })
	return err
}

func (r *remote) PushPins(ctx context.Context, pins []*Pin) ([]PushResult, error) {
	if len(pins) == 0 {
		return nil, nil
	}
	results, err := r.pushPins(ctx, pins)
	if err != nil {
		return results, err
	}
	// Some servers limit the refs of a push, and a hook that declines one ref may
	// decline the whole push. Where everything was refused, each gets its own.
	if len(pins) > 1 && allRefused(results) {
		r.opts.Progress("the push was refused; pushing the pins one by one")
		for i := range pins {
			one, err := r.pushPins(ctx, pins[i:i+1])
			if err != nil {
				return results, err
			}
			results[i] = one[0]
		}
	}
	for i := range results {
		if p := results[i].Pin; p != nil && r.repo.store.HasEncodedObject(fromHash(p.Commit)) == nil {
			if kept := r.repo.keepPin(p); kept.Err != nil {
				// What counts is on the remote.
				r.opts.Progress(fmt.Sprintf("the pin is on %s, but not in this clone: %v", r.name, kept.Err))
			}
		}
	}
	return results, nil
}

func allRefused(results []PushResult) bool {
	for _, res := range results {
		if res.Err == nil || errors.Is(res.Err, ErrPinExists) {
			return false
		}
	}
	return true
}

// lostAnswerTries is how often a push is sent whose answer was lost and that
// didn't show up on the server.
const lostAnswerTries = 2

func (r *remote) pushPins(ctx context.Context, pins []*Pin) ([]PushResult, error) {
	results := make([]PushResult, len(pins))
	for try := 1; ; try++ {
		pushed, err := r.push(ctx, func(refs map[string]plumbing.Hash) (updates []update, objects []plumbing.EncodedObject) {
			for _, p := range pins {
				if _, taken := refs[tagPrefix+p.Name]; !taken {
					updates = append(updates, update{ref: tagPrefix + p.Name, new: p.Object})
					objects = append(objects, tagObject(p))
				}
			}
			return updates, objects
		})
		if err != nil {
			return results, err
		}
		refs, err := r.refsAfterPush(ctx, pushed)
		if err != nil {
			return results, err
		}
		lost := r.readBack(ctx, pins, refs, pushed, results)
		if !lost || try == lostAnswerTries || ctx.Err() != nil {
			return results, nil
		}
		select {
		case <-ctx.Done():
			return results, nil
		case <-time.After(time.Second): // the server may still be at it
		}
	}
}

// refsAfterPush lists the remote again. Once something was sent, an error here
// would leave the caller in doubt, so it is tried three times.
func (r *remote) refsAfterPush(ctx context.Context, pushed *report) (refs *Refs, err error) {
	for try := range 3 {
		if try > 0 {
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-time.After(time.Duration(try) * 500 * time.Millisecond):
			}
		}
		if refs, err = r.Refs(ctx); err == nil || !pushed.sent || errors.Is(err, ErrAccess) {
			break
		}
	}
	if err != nil && pushed.sent {
		err = fmt.Errorf("the pins were pushed, but can't be read back: %w", err)
	}
	return refs, err
}

// readBack fills the results from what the remote has now. lost tells that a
// pin is absent and that nobody knows why.
func (r *remote) readBack(ctx context.Context, pins []*Pin, refs *Refs, pushed *report, results []PushResult) (lost bool) {
	for i, p := range pins {
		full := tagPrefix + p.Name
		_, before := pushed.before[full]
		there := p.PinRef
		there.Object = refs.All[full]
		switch {
		case there.Object.IsZero():
			results[i] = PushResult{Err: fmt.Errorf("pushing %s: %w", p.Name, pushed.refusal(r.pushAt, full))}
			lost = lost || pushed.status == nil
		default:
			results[i] = settle(p, there, func() (*Pin, error) {
				read, err := r.ReadPins(ctx, []PinRef{there})
				if err != nil {
					return nil, err
				}
				return read[0], nil
			})
			results[i].New = !before && there.Object == p.Object && (pushed.accepted(full) || pushed.status == nil)
		}
	}
	return lost
}
