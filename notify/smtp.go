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

// smtpTimeout bounds each step of a conversation with the mail server.
const smtpTimeout = 15 * time.Second

// SMTPServer is the mail server that the operator has set.
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
	startTLS security = iota // demanded: without it nothing is sent
	implicitTLS
	noTLS
)

// ParseSMTP reads smtp://user:password@host:587?from=docket@example.org. With
// smtp the server must offer STARTTLS (port 587 by default); smtps is TLS from the
// start (465). from is needed; it may be "Name <address>". tls=off gives up
// encryption, for a relay on the same machine. An error never quotes the URL.
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
			return SMTPServer{}, errors.New("has a port that is none")
		}
	}
	query := u.Query()
	for name, values := range query {
		if name != "from" && name != "tls" || len(values) != 1 {
			return SMTPServer{}, fmt.Errorf("may have from and tls behind the question mark, each once, not %q", name)
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
			return SMTPServer{}, errors.New("is smtps:// with tls=off: only one of them can hold")
		}
		s.security = noTLS
	default:
		return SMTPServer{}, errors.New("may say tls=off, and nothing else of tls")
	}
	return s, nil
}

// client makes a client for one mail. Its connection ends with ctx, which go-mail
// asks only while it dials.
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
			// A dialer of our own hides from go-mail that all is encrypted, and it would
			// leave out what needs that.
			auth = gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin)
		}
		options = append(options, auth, gomail.WithUsername(s.user), gomail.WithPassword(s.password))
	}
	return gomail.NewClient(s.host, options...)
}
