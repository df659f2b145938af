package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"docket/domain"
	"docket/notify"

	"github.com/prometheus/client_golang/prometheus"
)

// outsideChannels is the number of channels with a provider: those of newDelivery.
const outsideChannels = 2

// delivery sends notifications over e-mail and Slack.
type delivery struct {
	secrets *notify.Secrets
	egress  *notify.Egress
	queue   *notify.Queue
	email   *notify.Email // nil without a mail server
}

func newDelivery(p *pools, s settings, sec secrets, metrics prometheus.Registerer, log *slog.Logger) (*delivery, error) {
	kept, err := notify.NewSecrets(p.Engine, sec.MasterKey)
	if err != nil {
		return nil, err
	}
	var server *notify.Email
	var email notify.Provider = notify.NewEmailLog(log)
	if s.SMTPURL != "" {
		parsed, err := notify.ParseSMTP(s.SMTPURL)
		if err != nil {
			return nil, &settingError{"DOCKET_SMTP_URL", err.Error()}
		}
		domains, err := notify.ParseDomains(s.SMTPFromDomains)
		if err != nil {
			return nil, &settingError{"DOCKET_SMTP_FROM_DOMAINS", err.Error()}
		}
		server = notify.NewEmail(parsed, domains, nil)
		email = server
	}
	allowed, err := parseNetworks(s.EgressAllow)
	if err != nil {
		return nil, &settingError{"DOCKET_EGRESS_ALLOW", err.Error()}
	}
	egress := notify.NewEgress(allowed)
	queue, err := notify.NewQueue(notify.QueueConfig{
		Pool: p.Feed, Logger: log, Metrics: metrics,
		Limits: notify.Limits{Hour: s.DeliveriesPerHour, Day: s.DeliveriesPerDay},
		Providers: map[domain.Channel]notify.Provider{
			domain.ChannelEmail: email,
			domain.ChannelSlack: notify.NewSlack(egress, kept),
		},
	})
	return &delivery{secrets: kept, egress: egress, queue: queue, email: server}, err
}

// parseNetworks reads networks and single addresses. It refuses a network that is
// written with the address of a machine in it, which is wider than it looks.
func parseNetworks(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		s = strings.TrimSpace(s)
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" && !a.Is4In6() {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Addr().Is4In6() {
			return nil, fmt.Errorf("must be addresses or networks, such as 10.1.0.0/16, separated by commas: %q is neither", s)
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("has %s, which is all of %s: write that", s, p.Masked())
		}
		out = append(out, p)
	}
	return out, nil
}
