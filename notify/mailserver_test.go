package notify_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailServer is a small SMTP server (RFC 5321) with given answers.
type mailServer struct {
	// Addr is host:port.
	Addr string
	// Trust trusts the server's certificate.
	Trust *tls.Config
	// got has each mail that was taken.
	got chan mailTaken

	t       *testing.T
	cfg     mailConfig
	cert    tls.Certificate
	list    net.Listener
	serving sync.WaitGroup
}

// mailConfig says how a mailServer behaves.
type mailConfig struct {
	implicit bool
	startTLS bool
	login    string // "user password"; empty: no login is offered
	// answer are answers in place of the usual ones, by the command's first word.
	answer map[string]string
	// reached, if not nil, makes a server that never greets, and tells when a client
	// has come; closed tells when it has hung up.
	reached, closed chan struct{}
}

type mailTaken struct {
	from, to string // of the envelope
	data     string
	secure   bool
	loggedIn bool
}

func newMailServer(t *testing.T, cfg mailConfig) *mailServer {
	t.Helper()
	s := &mailServer{t: t, cfg: cfg, got: make(chan mailTaken, 10)}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	s.Trust = &tls.Config{RootCAs: pool}
	if s.list, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.Addr = s.list.Addr().String()
	s.serving.Go(func() {
		for {
			c, err := s.list.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = s.list.Close()
		s.serving.Wait()
	})
	return s
}

func (s *mailServer) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	if s.cfg.reached != nil {
		close(s.cfg.reached)
		_, _ = c.Read(make([]byte, 1))
		close(s.cfg.closed)
		return
	}
	var m mailTaken
	if s.cfg.implicit {
		c, m.secure = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.cert}}), true
	}
	in := bufio.NewReader(c)
	say := func(lines ...string) { _, _ = c.Write([]byte(strings.Join(lines, "\r\n") + "\r\n")) }
	say("220 mail.example.org ESMTP")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		word, rest, _ := strings.Cut(line, " ")
		word = strings.ToUpper(word)
		if answer, ok := s.cfg.answer[word]; ok {
			say(answer)
			continue
		}
		switch word {
		case "EHLO":
			say(s.offers(m.secure)...)
		case "STARTTLS":
			say("220 go ahead")
			c, m.secure = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.cert}}), true
			in = bufio.NewReader(c)
		case "AUTH":
			m.loggedIn = rest == "PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00"+strings.ReplaceAll(s.cfg.login, " ", "\x00")))
			if !m.loggedIn {
				say("535 no")
				continue
			}
			say("235 welcome")
		case "MAIL":
			m.from = rest
			say("250 ok")
		case "RCPT":
			m.to = rest
			say("250 ok")
		case "DATA":
			say("354 go ahead")
			var data strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				data.WriteString(line)
			}
			if answer, ok := s.cfg.answer["."]; ok {
				say(answer)
				continue
			}
			m.data = data.String()
			s.got <- m
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default: // NOOP, RSET
			say("250 ok")
		}
	}
}

func (s *mailServer) offers(secure bool) []string {
	lines := []string{"250-mail.example.org"}
	if s.cfg.startTLS && !secure {
		lines = append(lines, "250-STARTTLS")
	}
	if s.cfg.login != "" {
		lines = append(lines, "250-AUTH PLAIN")
	}
	return append(lines, "250 8BITMIME")
}
