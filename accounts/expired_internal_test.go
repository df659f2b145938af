package accounts

import (
	"testing"

	"docket/internal/pgtest"
)

// What is deleted is found by an index, however many rows stay.
func TestPlansOfDeletions(t *testing.T) {
	t.Parallel()
	pgtest.WantIndexes(t, pgtest.New(t).Engine(t), map[string]string{
		deleteEndedSQL: "sessions_ended", deleteUsedSQL: "refresh_tokens_used",
		deleteEndedMailsSQL: "account_mails_ended", deleteEndedTokensSQL: "account_tokens_ended",
	})
}
