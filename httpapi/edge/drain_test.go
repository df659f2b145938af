package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A client that reads no answer before it has sent all still gets a refusal of what it
// sends. Python's http.client is one.
func TestRefusalReachesAClientThatStillSends(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newSample(t))
	defer server.Close()
	for _, size := range []int{2 << 20, 5 << 20} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, chunked %t", size, chunked), func(t *testing.T) {
				conn, err := net.DialTimeout("tcp", server.Listener.Addr().String(), 10*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				fmt.Fprintf(conn, "POST /v1/things HTTP/1.1\r\nHost: docket\r\nContent-Type: application/json\r\n")
				body := bytes.Repeat([]byte("x"), size)
				if chunked {
					fmt.Fprintf(conn, "Transfer-Encoding: chunked\r\n\r\n")
					w := newChunks(conn)
					_, err = io.Copy(w, bytes.NewReader(body))
					fmt.Fprintf(conn, "0\r\n\r\n")
				} else {
					fmt.Fprintf(conn, "Content-Length: %d\r\n\r\n", size)
					_, err = conn.Write(body)
				}
				if err != nil {
					t.Fatalf("the server has stopped reading: %v", err)
				}
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(answer.Body)
				if err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge || !bytes.Contains(text, []byte("payload-too-large")) {
					t.Errorf("%d %s, %v", answer.StatusCode, text, err)
				}
			})
		}
	}
}

type chunks struct{ to io.Writer }

func newChunks(to io.Writer) chunks { return chunks{to} }

func (c chunks) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintf(c.to, "%x\r\n%s\r\n", len(p), p); err != nil {
		return 0, err
	}
	return len(p), nil
}
