package notify

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// joinSQL keeps where a member ($2) of a tenant ($1) is to be reached: $3
// address, $4 name.
const joinSQL = `insert into recipients (tenant_id, user_id, email, name) values ($1, $2, $3, $4)
on conflict on constraint recipients_pk do update set email = excluded.email, name = excluded.name`

// renameSQL gives a member ($2) of a tenant ($1) another name ($3).
const renameSQL = `update recipients set name = $3 where tenant_id = $1 and user_id = $2`

// leaveSQL forgets who ($2) left a tenant ($1).
const leaveSQL = `delete from recipients where tenant_id = $1 and user_id = $2`

// recipientSQL reads where a member ($2) of a tenant ($1) is to be reached.
const recipientSQL = `select email, name from recipients where tenant_id = $1 and user_id = $2`

// recipients are the members of a page's tenant as they were at the event in
// hand, folded from the tenant's own log by this subscription itself.
type recipients struct {
	tx     pgx.Tx
	tenant domain.TenantID
}

// fold takes in an event about a membership; any other changes nothing.
func (r recipients) fold(ctx context.Context, e domain.Recorded) error {
	var err error
	switch m := e.Event.(type) {
	case domain.MemberJoined:
		_, err = r.tx.Exec(ctx, joinSQL, r.tenant.UUID(), m.UserID.UUID(), m.Email.Value, m.Name.Value)
	case domain.MemberRenamed:
		_, err = r.tx.Exec(ctx, renameSQL, r.tenant.UUID(), m.UserID.UUID(), m.Name.Value)
	case domain.MemberLeft:
		_, err = r.tx.Exec(ctx, leaveSQL, r.tenant.UUID(), m.UserID.UUID())
	}
	if err != nil {
		return fmt.Errorf("keep recipient of event %d: %w", e.Seq, err)
	}
	return nil
}

// of is where a user is to be reached; found is false for one who is no member.
func (r recipients) of(ctx context.Context, u domain.UserID) (to Recipient, found bool, err error) {
	err = r.tx.QueryRow(ctx, recipientSQL, r.tenant.UUID(), u.UUID()).Scan(&to.Email, &to.Name)
	if errors.Is(err, pgx.ErrNoRows) {
		return Recipient{}, false, nil
	}
	if err != nil {
		return Recipient{}, false, fmt.Errorf("read recipient: %w", err)
	}
	return to, true, nil
}
