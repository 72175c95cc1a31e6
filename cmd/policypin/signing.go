package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/policypin/policypin/gitstore"
	"github.com/urfave/cli/v2"
)

// signFlags are those of commands that write pins.
type signFlags struct {
	always, never bool
	key           string
}

func (o *signFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "sign", Usage: "sign new pins, as Git's gpg.format and user.signingKey say", Destination: &o.always},
		&cli.StringFlag{Name: "signing-key", Usage: "sign new pins with SSH key `KEY`: a key file, or key::TEXT of one in the agent", Destination: &o.key},
		&cli.BoolFlag{Name: "no-sign", Usage: "don't sign, whatever Git's tag.gpgSign says", Destination: &o.never},
	}
}

// build finds the key, before anything is created. The result is nil if pins
// aren't to be signed.
func (o *signFlags) build(w *world, repo *gitstore.Repo) (func(context.Context, *gitstore.Pin) (*gitstore.Pin, error), error) {
	if o.never {
		if o.always || o.key != "" {
			return nil, &usage{msg: "--no-sign contradicts --sign and --signing-key"}
		}
		return nil, nil
	}
	key := o.key
	switch {
	case key == "" || strings.HasPrefix(key, "key::") || strings.HasPrefix(key, "ssh-") || filepath.IsAbs(key) || strings.HasPrefix(key, "~/"):
	default:
		key = resolvePath(w.workDir(), key)
	}
	signer, err := repo.Signer(gitstore.SignerOptions{Key: key, Always: o.always})
	if err != nil || signer == nil {
		return nil, err
	}
	return signer.Sign, nil
}
