package projections

import (
	"context"
	"fmt"
	"math"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// replayPage is how many events a replay reads at once; its memory is bounded by
// them.
const replayPage = 500

// Until is where a replay ends: after a seq or a time, that one included. The
// zero value is the log's head at the moment of the call.
type Until struct {
	Seq  int64
	Time time.Time
}

// Replay visits a tenant's whole log up to a point, oldest first. It reads by
// ranges of seq, so it holds no snapshot, and ends with the first error of visit.
func (q *Queries) Replay(ctx context.Context, s domain.Scope, until Until, visit func(HistoryItem) error) error {
	last, err := q.lastOf(ctx, s, until)
	if err != nil {
		return err
	}
	for after := int64(0); after < last; {
		var items []HistoryItem
		err := q.scoped(ctx, s, func(b *pgx.Batch) {
			b.Queue(eventsSQL, s.Tenant().UUID(), after, min(replayPage, last-after)).Query(into(&items, scanHistory))
		})
		if err != nil {
			return fmt.Errorf("replay after %d: %w", after, err)
		}
		if len(items) == 0 {
			return nil
		}
		for _, item := range items {
			if err := visit(item); err != nil {
				return err
			}
		}
		after = items[len(items)-1].Seq
	}
	return nil
}

func (q *Queries) lastOf(ctx context.Context, s domain.Scope, until Until) (int64, error) {
	last, err := q.SeqHead(ctx, s)
	if err != nil {
		return 0, err
	}
	bySeq, byTime := int64(math.MaxInt64), int64(math.MaxInt64)
	if until.Seq > 0 {
		bySeq = until.Seq
	}
	if !until.Time.IsZero() {
		if byTime, err = q.SeqAt(ctx, s, until.Time); err != nil {
			return 0, err
		}
	}
	return min(last, bySeq, byTime), nil
}
