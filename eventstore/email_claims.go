package eventstore

import (
	"context"
	"fmt"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// claimEmailForm is the kind of the claim, in the platform's log, that says by which form
// of addresses the claims of kind email are kept; its value is emailForm.
const (
	claimEmailForm ClaimKind = "email_form"
	emailForm      string    = "lower case, ASCII domains"
)

// registeredBeyondASCIISQL reads the registrations ($1 the platform's log) of users with
// characters beyond ASCII, oldest first.
const registeredBeyondASCIISQL = `select ` + Columns + ` from events
where tenant_id = $1 and type = 'user.registered' and data::text ~ '[^\x01-\x7f]' order by seq`

// moveClaimSQL gives a holder ($5) a claim ($1 log, $2 kind) of another value ($4) for that
// of one ($3), where the holder has that and the other is free.
const moveClaimSQL = `with old as (
  delete from claims where tenant_id = $1 and kind = $2 and value = $3 and holder = $5
    and not exists (select from claims where tenant_id = $1 and kind = $2 and value = $4)
  returning holder)
insert into claims (tenant_id, kind, value, holder) select $1, $2, $4, holder from old`

// keepFormSQL records that the claims are kept by a form ($1 log, $2 kind, $3 form).
const keepFormSQL = `insert into claims (tenant_id, kind, value, holder)
values ($1, $2, $3, '00000000-0000-0000-0000-000000000000') on conflict do nothing`

// RefoldEmails moves, once, the claims of addresses from domain.Caseless, by which they
// were compared at first, to domain.FoldEmail. It returns how many it moved, and the users
// whose address now is another user's: these keep the claim that they have, by which they
// are still found.
func (s *Store) RefoldEmails(ctx context.Context) (moved int, collisions []domain.UserID, err error) {
	platform := domain.Platform.UUID()
	if _, done, err := s.Claimant(ctx, domain.Platform, claimEmailForm, emailForm); done || err != nil {
		return 0, nil, err
	}
	rows, err := s.engine.Query(ctx, registeredBeyondASCIISQL, platform)
	if err != nil {
		return 0, nil, fmt.Errorf("addresses: %w", Unreachable(err))
	}
	registered, err := pgx.CollectRows(rows, Scan)
	if err != nil {
		return 0, nil, fmt.Errorf("addresses: %w", Unreachable(err))
	}
	for _, r := range registered {
		e, ok := r.Event.(domain.UserRegistered)
		if !ok {
			continue
		}
		old, now := domain.Caseless(e.Email.Value), domain.FoldEmail(e.Email.Value)
		if old == now {
			continue
		}
		tag, err := s.engine.Exec(ctx, moveClaimSQL, platform, string(ClaimEmail), old, now, r.Stream.ID)
		if err != nil && !violatesUnique(err) {
			return moved, collisions, fmt.Errorf("addresses: %w", Unreachable(err))
		}
		if err == nil && tag.RowsAffected() > 0 {
			moved++
			continue
		}
		holder, found, err := s.Claimant(ctx, domain.Platform, ClaimEmail, now)
		if err != nil {
			return moved, collisions, err
		}
		if found && holder != r.Stream.ID {
			collisions = append(collisions, domain.UserID(r.Stream.ID))
		}
	}
	if _, err := s.engine.Exec(ctx, keepFormSQL, platform, string(claimEmailForm), emailForm); err != nil {
		return moved, collisions, fmt.Errorf("addresses: %w", Unreachable(err))
	}
	return moved, collisions, nil
}
