package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"docket/accounts"
	"docket/internal/cli"

	"github.com/spf13/cobra"
)

// defaultLead is how long a new key is published before it signs: other services may keep
// the set of public keys for so long.
const defaultLead = time.Hour

func (p *program) keysCommand() *cobra.Command {
	return cli.Group(&cobra.Command{
		Use: "keys", Short: "The keys that sign access tokens",
		Long: `The managed keys of access tokens: pairs of Ed25519 keys, kept in the database with
their private keys sealed under DOCKET_MASTER_KEY. Other services read the public
keys at /.well-known/jwks.json. serve creates the first one.

Running servers follow a change within 5 seconds; none has to be restarted.`,
		Example: `  docket keys list
  docket keys rotate
  docket keys retire x2Fz0yq1m7w9`,
	}, p.keysListCommand(), p.keysRotateCommand(), p.keysRetireCommand())
}

func (p *program) keysListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the managed keys",
		Long: `List the managed keys in the order in which they begin to sign, and what each does:

  waits     it is published, and signs from a time on
  signs     it signs, and its tokens are valid
  verifies  another one signs; its tokens are valid until they expire
  ended     its tokens have expired
  retired   an operator has ended it: its tokens are refused

A secret is never printed. Ended and retired keys are deleted after 30 days.`,
		Example: `  docket keys list
  docket keys list --json | jq -r 'select(.state == "signs").kid'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withKeys(c, func(ctx context.Context, store *accounts.KeyStore) error {
				keys, err := store.List(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					for _, k := range keys {
						if err := cli.WriteJSON(p.stdout, k); err != nil {
							return err
						}
					}
					return nil
				}
				return p.keysTable(keys)
			})
		},
	}
	cli.JSONFlag(c, &asJSON, "one JSON object a key")
	return c
}

func (p *program) keysTable(keys []accounts.ManagedKey) error {
	t := &cli.Table{Screen: p.screen(), Columns: []cli.Column{
		{Title: "KID"}, {Title: "STATE"}, {Title: "SIGNS FROM", Drop: 1}, {Title: "VERIFIES UNTIL", Drop: 2}, {Title: "CREATED", Drop: 3},
	}}
	rows := make([][]cli.Cell, 0, len(keys))
	for _, k := range keys {
		until := "another signs"
		switch {
		case k.RetiredAt != nil:
			until = minute(*k.RetiredAt)
		case k.Verifies != nil:
			until = minute(*k.Verifies)
		}
		row := cli.Row(k.ID, string(k.State), minute(k.SignsFrom), until, minute(k.CreatedAt))
		if k.State == accounts.KeySigns {
			row[1].Style = cli.Green
		}
		rows = append(rows, row)
	}
	return t.Write(rows)
}

// minute is a time for people, in UTC.
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func (p *program) keysRotateCommand() *cobra.Command {
	lead := defaultLead
	var asJSON bool
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Add a key that signs after a lead",
		Long: `Add a key. It is published at once and signs after a lead, so that services that keep
the public keys for a while know it before the first token of it comes. The key that
signs now goes on until then; its tokens stay valid until they expire.

The lead is at least 15 seconds: by then all servers have read the key.

Exit status: 1 where there are 10 keys already.`,
		Example: `  docket keys rotate
  docket keys rotate --lead 15s`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withKeys(c, func(ctx context.Context, store *accounts.KeyStore) error {
				k, err := store.Rotate(ctx, lead)
				if err != nil {
					return refuseKey(err)
				}
				if asJSON {
					return cli.WriteJSON(p.stdout, k)
				}
				_, err = fmt.Fprintf(p.stdout, "added %s; it signs from %s on\n", k.ID, k.SignsFrom.UTC().Format(time.RFC3339))
				return err
			})
		},
	}
	c.Flags().DurationVar(&lead, "lead", lead, "how long the key is only published, a `duration`")
	cli.JSONFlag(c, &asJSON, "one JSON object, as in keys list")
	return c
}

func (p *program) keysRetireCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "retire KID",
		Short: "End a key at once",
		Long: `End a key: within 5 seconds no server takes its tokens, and its private key is deleted.
It is for a key that has leaked; one that was rotated out ends by itself.

Whoever holds a token of it refreshes it, and notices nothing else.

Exit status: 1 where there is no such key, or no other one signs: rotate first.`,
		Example: `  docket keys retire x2Fz0yq1m7w9`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withKeys(c, func(ctx context.Context, store *accounts.KeyStore) error {
				if err := store.Retire(ctx, args[0]); err != nil {
					return refuseKey(err)
				}
				_, err := fmt.Fprintf(p.stdout, "retired %s\n", cli.Printable(args[0]))
				return err
			})
		},
	}
}

// refuseKey makes a refusal of a change that isn't possible, and returns other errors as
// they are.
func refuseKey(err error) error {
	if errors.Is(err, accounts.ErrKeyRefused) {
		return cli.Refuse("%v", err)
	}
	return err
}

// withKeys runs a command on the managed keys. It needs the master key, of the settings or
// of the data directory, and creates none.
func (p *program) withKeys(c *cobra.Command, do func(context.Context, *accounts.KeyStore) error) error {
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	if err := s.requireSecrets(); err != nil {
		return err
	}
	return p.withDatabase(c, func(ctx context.Context, pools *pools) error {
		if s.DatabaseURL == "" {
			for _, secret := range s.secrets() {
				if secret.variable == "DOCKET_MASTER_KEY" && s.MasterKey == "" {
					if s.MasterKey, err = readSecret(filepath.Join(s.DataDir, keysDir), secret); err != nil {
						return err
					}
				}
			}
		}
		master, err := parseMasterKey(s.MasterKey)
		if err != nil {
			return fmt.Errorf("the master key %w", err)
		}
		store, err := accounts.NewKeyStore(pools.Login, master)
		if err != nil {
			return err
		}
		return do(ctx, store)
	})
}
