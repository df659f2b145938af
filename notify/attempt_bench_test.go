package notify_test

import (
	"context"
	"testing"
	"time"

	"docket/domain"
	"docket/notify"
)

// BenchmarkAttempts sends 200 messages of ten tenants to a provider that takes no time, and
// reports what one takes from its claim to its outcome.
func BenchmarkAttempts(b *testing.B) {
	w := newWorld(b)
	const tenants, each = 10, 20
	for range tenants {
		ann, bob := newID[domain.UserID](b), newID[domain.UserID](b)
		tenant, _ := w.tenant(ann, bob)
		last := w.configure(tenant, map[string]string{"default_notification_channel": `"email"`}).Seq
		for range each {
			last = w.assign(tenant, ann, bob).Seq
		}
		w.queued(tenant, last)
	}
	for b.Loop() {
		b.StopTimer()
		if _, err := w.engine.Exec(b.Context(), `update deliveries set state = 'queued', attempts = 0, finished_at = null, due_at = now()`); err != nil {
			b.Fatal(err)
		}
		done := make(chan struct{}, tenants*each)
		b.StartTimer()
		stop := w.queue(notify.QueueConfig{Poll: time.Millisecond, Providers: map[domain.Channel]notify.Provider{
			domain.ChannelEmail: provider(func(context.Context, notify.Message) error { done <- struct{}{}; return nil })}})
		for range tenants * each {
			receive(b, done, "a message")
		}
		stop()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*tenants*each), "µs/message")
}
