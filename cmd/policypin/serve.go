package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
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
}

func serveCommand(w *world) *cli.Command {
	opts := serveOptions{clock: oneOf("real", "fixed"), ids: oneOf("random", "sequential")}
	return &cli.Command{
		Name:  "serve",
		Usage: "run the local zone as an HTTP service",
		Description: help{
			text: `Serves Keycard's policy API on loopback, for other clients and for trying
failures. Clients send the bearer that --token or KEYCARD_API_TOKEN gives, else
the one that is printed; KEYCARD_API_CLIENT_ID and KEYCARD_API_CLIENT_SECRET are
accepted as client credentials. Ends in order on SIGINT or SIGTERM.

A fault is "[METHOD] PATH:STATUS", with @PROBABILITY behind it, and may be given
more than once.`,
			examples: []string{
				"policypin serve --db zone.db --zone zone_stg --zone zone_prd",
				"policypin serve --addr 127.0.0.1:0 --clock fixed --ids sequential",
				"policypin serve --fault 'POST /…/versions:503@0.1'",
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

// Time limits of the server. The zone answers from memory or one file, so a
// request that takes longer is a client that hangs.
const (
	headerTimeout = 10 * time.Second
	stopTimeout   = 5 * time.Second
)

func serve(ctx context.Context, w *world, opts serveOptions) error {
	host, _, err := net.SplitHostPort(opts.addr)
	if err != nil {
		return &usage{msg: fmt.Sprintf("--addr: %v", err)}
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return &usage{msg: fmt.Sprintf("--addr: %s is not a loopback address", host), hint: "the service speaks plain http and is meant for this machine alone"}
	}
	zoneOpts := zone.Options{
		Zones:    opts.zones.Value(),
		ClientID: w.getenv("KEYCARD_API_CLIENT_ID"), ClientSecret: w.getenv("KEYCARD_API_CLIENT_SECRET"),
		TokenLifetime: opts.tokenLifetime, FixedClock: opts.clock.value == "fixed", SequentialIDs: opts.ids.value == "sequential",
		Generation: opts.generation, ManifestsInLists: opts.inlineManifest,
	}
	if opts.db != "" {
		zoneOpts.Path = resolvePath(w.workDir(), opts.db)
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
		return err
	}
	served := opts.zones.Value()
	if len(served) == 0 {
		served = []string{zone.LocalZoneID}
	}
	if err := report.ServeText(w.stdout, "http://"+listener.Addr().String(), shown, served, zoneOpts.Path); err != nil {
		listener.Close()
		return err
	}
	return listenUntil(ctx, &http.Server{Handler: server, ReadHeaderTimeout: headerTimeout}, listener)
}

// listenUntil serves until ctx ends; requests under way are answered first.
func listenUntil(ctx context.Context, server *http.Server, listener net.Listener) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(limit)
	})
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) && !stop() {
		return <-stopped
	}
	return err
}
