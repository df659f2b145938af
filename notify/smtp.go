package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// smtpTimeout limits each step of an SMTP session.
const smtpTimeout = 15 * time.Second

// SMTPServer is the operator's mail server.
type SMTPServer struct {
	host     string
	port     int
	user     string
	password string
	from     mail.Address
	security security
}

// security is how a connection to the mail server is protected.
type security int

const (
	startTLS security = iota // required: without it nothing is sent
	implicitTLS
	noTLS
)

// ParseSMTP parses smtp://user:password@host:587?from=docket@example.org. With smtp the
// server must offer STARTTLS (default port 587); smtps is implicit TLS (465). from is
// required and may be "Name <address>". tls=off disables encryption, for a relay on
// the same machine. An error never quotes the URL.
func ParseSMTP(raw string) (SMTPServer, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.Fragment != "" {
		return SMTPServer{}, errors.New("must be smtp://user:password@host:587?from=docket@example.org, or smtps://")
	}
	s := SMTPServer{host: u.Hostname(), user: u.User.Username()}
	s.password, _ = u.User.Password()
	switch u.Scheme {
	case "smtp":
		s.port, s.security = 587, startTLS
	case "smtps":
		s.port, s.security = 465, implicitTLS
	default:
		return SMTPServer{}, errors.New("must begin with smtp:// or smtps://")
	}
	if u.Port() != "" {
		if s.port, err = strconv.Atoi(u.Port()); err != nil || s.port < 1 || s.port > 65535 {
			return SMTPServer{}, errors.New("must have a port from 1 to 65535")
		}
	}
	query := u.Query()
	for name, values := range query {
		if name != "from" && name != "tls" || len(values) != 1 {
			return SMTPServer{}, fmt.Errorf("must have no parameters but from and tls, each once, not %q", name)
		}
	}
	from, err := mail.ParseAddress(query.Get("from"))
	if err != nil {
		return SMTPServer{}, errors.New("needs the sender's address: ?from=docket@example.org")
	}
	s.from = *from
	switch query.Get("tls") {
	case "":
	case "off":
		if s.security == implicitTLS {
			return SMTPServer{}, errors.New("must not have both smtps:// and tls=off")
		}
		s.security = noTLS
	default:
		return SMTPServer{}, errors.New("must have tls=off, or no tls")
	}
	return s, nil
}

// client makes a client for one mail. The end of ctx closes its connection: go-mail
// uses ctx only while it dials.
func (s SMTPServer) client(ctx context.Context, cfg *tls.Config) (*gomail.Client, error) {
	plain := &net.Dialer{}
	dial := plain.DialContext
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(smtpTimeout), gomail.WithTLSConfig(cfg),
	}
	switch s.security {
	case implicitTLS:
		options = append(options, gomail.WithSSL())
		dial = (&tls.Dialer{NetDialer: plain, Config: cfg}).DialContext
	case noTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case startTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	options = append(options, gomail.WithDialContextFunc(func(dialing context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(dialing, network, addr)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = c.Close() })
		}
		return c, err
	}))
	if s.user != "" {
		auth := gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover)
		if s.security == implicitTLS {
			// go-mail can't see that a custom dialer encrypts, and would leave out the
			// mechanisms that need encryption.
			auth = gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin)
		}
		options = append(options, auth, gomail.WithUsername(s.user), gomail.WithPassword(s.password))
	}
	return gomail.NewClient(s.host, options...)
}
