package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/policypin/policypin/internal/report"
	"github.com/policypin/policypin/internal/zone"
	"github.com/urfave/cli/v2"
)

type serveOptions struct {
	addr           string
	db             string
	zones          cli.StringSlice
	token          string
	faults         cli.StringSlice
	clock, ids     choice
	generation     int
	tokenLifetime  time.Duration
	inlineManifest bool
	attestation    choice
	seed           string
}

func serveCommand(w *world) *cli.Command {
	opts := serveOptions{
		clock: oneOf("real", "fixed"), ids: oneOf("random", "sequential"),
		attestation: oneOf(zone.AttestStatement, zone.AttestEnvelope, zone.AttestNone),
	}
	return &cli.Command{
		Name:  "serve",
		Usage: "run the local zone as an HTTP service",
		Description: help{
			text: `Serves Keycard's policy API on loopback, for other clients and for trying
failures. Clients send the bearer that --token or KEYCARD_API_TOKEN gives, else
the one that is printed; KEYCARD_API_CLIENT_ID and KEYCARD_API_CLIENT_SECRET are
accepted as client credentials. Ends in order on SIGINT or SIGTERM.

` + zone.FaultHelp + `

` + zone.SeedHelp + `

Attestations are statements without a signature, as the service's are. As
envelopes they are signed, with the key that the zone's jwks_uri shows. POST
/_local/rotate-keys, with the bearer given here, makes new keys and issues every
attestation anew, as re_signed.`,
			examples: []string{
				"policypin serve --db zone.db --zone zone_stg --zone zone_prd",
				"policypin serve --addr 127.0.0.1:0 --clock fixed --ids sequential",
				"policypin serve --fault 'POST /…/versions:503@0.1'",
				"policypin serve --seed seed.json --attestation envelope",
			},
			statuses: []int{statusOK, statusFailed, statusUsage},
		}.String(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "addr", Usage: "listen on `HOST:PORT`, loopback only; port 0 takes a free one", Value: "127.0.0.1:8787", Destination: &opts.addr},
			&cli.StringFlag{Name: "db", Usage: "keep the zone in `FILE` (default: in memory)", Destination: &opts.db},
			&cli.StringSliceFlag{Name: "zone", Usage: "serve zone `ID`, repeatable (default: " + zone.LocalZoneID + ")", Destination: &opts.zones},
			&cli.StringFlag{Name: "token", Usage: "accept `TOKEN` as bearer (default: $KEYCARD_API_TOKEN, else a new one)", Destination: &opts.token},
			&cli.StringSliceFlag{Name: "fault", Usage: "make requests fail by `RULE`, repeatable", Destination: &opts.faults},
			&cli.GenericFlag{Name: "clock", Usage: "`CLOCK` is real or fixed", Value: &opts.clock},
			&cli.GenericFlag{Name: "ids", Usage: "`IDS` are random or sequential", Value: &opts.ids},
			&cli.IntFlag{Name: "generation", Usage: "speak generation `N` of the API, 2 or 3", Value: 3, Destination: &opts.generation},
			&cli.DurationFlag{Name: "token-lifetime", Usage: "fetched tokens live for `TIME`; negative leaves it out of the answer (default: 1h)", Destination: &opts.tokenLifetime},
			&cli.GenericFlag{Name: "attestation", Usage: "`SHAPE` of attestations is statement, envelope or none", Value: &opts.attestation},
			&cli.StringFlag{Name: "seed", Usage: "start a new store with the policies and sets in `FILE`, JSON or a folder", Destination: &opts.seed},
			&cli.BoolFlag{Name: "manifests-in-lists", Usage: "put manifests into the list of versions", Destination: &opts.inlineManifest},
		},
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return serve(c.Context, w, opts)
		},
	}
}

func serve(ctx context.Context, w *world, opts serveOptions) error {
	host, _, err := net.SplitHostPort(opts.addr)
	if err != nil {
		return &usage{msg: fmt.Sprintf("--addr: %v", err)}
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return &usage{msg: fmt.Sprintf("--addr: %s is not a loopback address", host), hint: "the service speaks plain http and is meant for this machine alone"}
	}
	for _, id := range opts.zones.Value() {
		if url.PathEscape(id) != id {
			return &usage{msg: fmt.Sprintf("--zone: %q can't be part of an address as it is", id), hint: "ids have letters, digits, _ and -"}
		}
	}
	if opts.generation != 2 && opts.generation != 3 {
		return &usage{msg: fmt.Sprintf("--generation: the local zone speaks 2 and 3 of the API, not %d", opts.generation)}
	}
	zoneOpts := zone.Options{
		Zones:    opts.zones.Value(),
		ClientID: w.getenv("KEYCARD_API_CLIENT_ID"), ClientSecret: w.getenv("KEYCARD_API_CLIENT_SECRET"),
		TokenLifetime: opts.tokenLifetime, FixedClock: opts.clock.value == "fixed", SequentialIDs: opts.ids.value == "sequential",
		Generation: opts.generation, ManifestsInLists: opts.inlineManifest, Attestation: opts.attestation.value,
	}
	if opts.db != "" {
		zoneOpts.Path = resolvePath(w.workDir(), opts.db)
	}
	if opts.seed != "" {
		folder, name := filepath.Split(resolvePath(w.workDir(), opts.seed))
		if zoneOpts.Seed, err = zone.ReadSeed(os.DirFS(folder), name); err != nil {
			return err
		}
	}
	for _, rule := range opts.faults.Value() {
		f, err := zone.ParseFault(rule)
		if err != nil {
			return &usage{msg: fmt.Sprintf("--fault %q: %v", rule, err)}
		}
		zoneOpts.Faults = append(zoneOpts.Faults, f)
	}
	token, shown := opts.token, opts.token
	if token == "" {
		token, shown = w.getenv("KEYCARD_API_TOKEN"), "$KEYCARD_API_TOKEN"
	}
	if token == "" {
		token = "local-" + strings.ToLower(rand.Text())
		shown = token
	}
	zoneOpts.Tokens = []string{token}

	server, err := zone.Open(zoneOpts)
	if err != nil {
		return err
	}
	defer server.Close()
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return &hinted{err: err, hint: "--addr 127.0.0.1:0 takes a free port"}
	}
	served := opts.zones.Value()
	if len(served) == 0 {
		served = []string{zone.LocalZoneID}
	}
	if err := report.ServeText(w.stdout, "http://"+listener.Addr().String(), shown, served, zoneOpts.Path); err != nil {
		listener.Close()
		return err
	}
	return server.Serve(ctx, listener)
}
