package feed_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/google/uuid"
)

// Watermill's own tests of a Pub/Sub, with pages of one event.
func TestWatermillConformance(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	fixtures, begun := map[string]*fixture{}, &sync.Map{}
	// Each test has a database of its own: a subscription reads all logs there are.
	group := func(t *testing.T, name string) (message.Publisher, message.Subscriber) {
		mu.Lock()
		defer mu.Unlock()
		f := fixtures[t.Name()]
		if f == nil {
			f = impatient(t)
			fixtures[t.Name()] = f
		}
		api, engine := f.DB.API(t), f.DB.Engine(t)
		events := feed.New(feed.Config{Pool: engine, PageSize: 1, Workers: 1, Sweep: soon}, feed.NewPositions(api))
		t.Cleanup(func() { _ = events.Close() })
		return &publisher{t: t, store: eventstore.New(engine, api, events), begun: begun}, &subscriber{t: t, feed: events, group: name}
	}
	tests.TestPubSub(t, tests.Features{
		ConsumerGroups:  true,
		GuaranteedOrder: true,
		Persistent:      true,
		ForceShort:      true,
	}, func(t *testing.T) (message.Publisher, message.Subscriber) { return group(t, "") }, group)
}

// soon is a sweep for Watermill's tests, which have time limits of their own.
const soon = 10 * time.Millisecond

// impatient is a fixture where failed events are due at once: Watermill's tests don't wait
// for ours.
func impatient(t *testing.T) *fixture {
	f := newFixture(t)
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for tick := time.Tick(soon); ctx.Err() == nil; <-tick {
			_, _ = f.Engine.Exec(ctx, `update checkpoints set retry_at = null where retry_at is not null`)
		}
	})
	t.Cleanup(func() {
		stop()
		done.Wait()
	})
	return f
}

// logOf makes a topic of a tenant: what is published there is the tenant's log.
// A consumer group is a subscription.
func logOf(topic string) domain.TenantID {
	return domain.TenantID(uuid.NewSHA1(uuid.Nil, []byte(topic)))
}

type publisher struct {
	t     *testing.T
	store *eventstore.Store
	begun *sync.Map
}

type subscriber struct {
	t     *testing.T
	feed  *feed.Feed
	group string
	done  sync.WaitGroup
}

// Publish appends each message as an event that carries its parts.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	tenant := logOf(topic)
	once, _ := p.begun.LoadOrStore(topic, sync.OnceValue(func() error {
		c := commit(p.t, tenantPart(tenant))
		c.NewTenants = []domain.TenantID{tenant}
		_, err := p.store.Append(context.Background(), c)
		return err
	}))
	if err := once.(func() error)(); err != nil {
		return err
	}
	for _, m := range messages {
		payload := string(m.Payload)
		_, err := p.store.Append(context.Background(), commit(p.t, eventstore.Part{
			Tenant: tenant, Stream: newStream(p.t), Events: []domain.Event{domain.TaskCreated{
				Title: m.UUID, Description: &payload, Labels: []string{m.Metadata.Get("test")},
			}},
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

// Subscribe passes on what was published to the topic, and acks the rest.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := s.feed.Subscribe(ctx, topic+"/"+s.group)
	if err != nil {
		return nil, err
	}
	tenant := logOf(topic)
	out := make(chan *message.Message)
	s.done.Go(func() {
		defer close(out)
		for m := range in {
			page, err := feed.PageOf(m)
			if err != nil {
				s.t.Error(err)
			}
			e, ok := page.Events[0].Event.(domain.TaskCreated)
			if !ok || page.Tenant != tenant {
				m.Ack()
				continue
			}
			m.UUID, m.Payload = e.Title, []byte(*e.Description)
			m.Metadata.Set("test", e.Labels[0])
			select {
			case out <- m:
			case <-m.Context().Done():
				m.Nack()
			}
		}
	})
	return out, nil
}

func (p *publisher) Close() error { return nil }

func (s *subscriber) Close() error {
	defer s.done.Wait()
	return s.feed.Close()
}
