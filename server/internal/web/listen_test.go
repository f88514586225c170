package web

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listening is a server with a socket.
type listening struct {
	*Server
	address string
	stop    context.CancelFunc
	done    chan error
}

// listen starts s on a port of its own; it is stopped at the end of the test.
func listen(t *testing.T, s *Server, config *tls.Config) *listening {
	t.Helper()
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	run := &listening{s, l.Addr().String(), stop, make(chan error, 1)}
	go func() { run.done <- s.Serve(ctx, l, config) }()
	t.Cleanup(func() {
		stop()
		<-run.done
	})
	return run
}

// dial opens a connection and sends a text.
func (l *listening) dial(t *testing.T, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// answer reads all that comes until the server closes the connection.
func answer(t *testing.T, c net.Conn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the server leaves the connection open after %q", b)
	}
	return string(b)
}

// fine sends a valid request on a new connection.
func (l *listening) fine(t *testing.T) {
	t.Helper()
	got := answer(t, l.dial(t, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"))
	if !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.HasSuffix(got, "ok") {
		t.Errorf("the next request got %q", got)
	}
}

// Clients that send slowly, or nothing, are let go, whichever part they are slow with.
func TestSlowClients(t *testing.T) {
	const soon = 100 * time.Millisecond
	run := listen(t, newServer(t, Config{Limits: Limits{
		HeaderTimeout: soon, BodyGrace: soon, BodyRate: 1 << 20, BodyTimeout: 3 * soon, IdleTimeout: soon, IngestSlots: 1,
	}}), nil)
	for name, tt := range map[string]struct{ text, want string }{
		"header":             {"POST /echo HTTP/1.1\r\nHost:", ""},
		"nothing":            {"", ""},
		"body":               {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx", "HTTP/1.1 503 "},
		"stream":             {"POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx", "HTTP/1.1 503 "},
		"chunks":             {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "HTTP/1.1 503 "},
		"body without route": {"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx", "HTTP/1.1 404 "},
		"second request":     {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nPOST", "HTTP/1.1 200 "},
		"none after the end": {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := answer(t, run.dial(t, tt.text))
			if !strings.HasPrefix(got, tt.want) || tt.want == "HTTP/1.1 503 " && !strings.Contains(got, "Connection: close") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			run.fine(t)
		})
	}
}

// What a stream brought in quickly is no credit for a long stop.
func TestStreamsThatStop(t *testing.T) {
	const soon = 100 * time.Millisecond
	run := listen(t, newServer(t, Config{Limits: Limits{BodyGrace: soon, BodyTimeout: soon, BodyRate: 1}}), nil)
	got := answer(t, run.dial(t, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n"+strings.Repeat("x", 1000)))
	if !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "slow_body") {
		t.Errorf("got %q", got)
	}
	run.fine(t)
}

// A client that trickles its body holds no slot while it does.
func TestSlowBodiesHoldNoSlot(t *testing.T) {
	run := listen(t, newServer(t, Config{Limits: Limits{IngestSlots: 1, QuerySlots: 1, IngestWait: time.Nanosecond}},
		Route{Pattern: "POST /query", Name: "q", Slot: QuerySlot, Handler: http.HandlerFunc(echo)}), nil)
	for _, path := range []string{"/echo", "/stream", "/query"} {
		slow := run.dial(t, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n")
		line, err := bufio.NewReader(slow).ReadString('\n') // the server waits for the body now
		if err != nil || !strings.Contains(line, "100") {
			t.Fatalf("%s: %q, %v", path, line, err)
		}
		if _, err := io.WriteString(slow, "o"); err != nil {
			t.Fatal(err)
		}
		run.fine(t)
		if _, err := io.WriteString(slow, "k"); err != nil {
			t.Fatal(err)
		}
		if got := answer(t, slow); !strings.HasSuffix(got, "ok") {
			t.Errorf("%s: %q", path, got)
		}
	}
}

// A client that does not take what it is sent is let go.
func TestClientsThatStopReading(t *testing.T) {
	ended := make(chan error, 1)
	run := listen(t, newServer(t, Config{Limits: Limits{WriteTimeout: 100 * time.Millisecond}},
		Route{Pattern: "GET /much", Name: "m", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for part := make([]byte, 1<<20); ; {
				if _, err := w.Write(part); err != nil {
					ended <- err
					return
				}
			}
		})}), nil)
	run.dial(t, "GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing ended with %v", err)
	}
	run.fine(t)
}

func TestHeadersBeyondTheLimit(t *testing.T) {
	run := listen(t, newServer(t, Config{Limits: Limits{HeaderBytes: 10_000}}), nil)
	header := func(n int) string {
		return "GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + strings.Repeat("y", n) + "\r\n\r\n"
	}
	if got := answer(t, run.dial(t, header(9000))); !strings.HasPrefix(got, "HTTP/1.1 404 ") {
		t.Errorf("a long header: %q", got)
	}
	if got := answer(t, run.dial(t, header(10_100))); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("a longer header: %q", got)
	}
	run.fine(t)
}

// Connections beyond the limit wait until there is room.
func TestConnectionsBeyondTheLimit(t *testing.T) {
	run := listen(t, newServer(t, Config{Limits: Limits{Connections: 2}}), nil)
	const request = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
	var first net.Conn
	for range 2 {
		c := run.dial(t, request)
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err)
		}
		first = c
	}
	third := run.dial(t, request)
	if err := third.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := third.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a third connection is served: %d, %v", n, err)
	}
	_ = first.Close()
	if err := third.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(third).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("after one has ended: %q, %v", line, err)
	}
}

// What is under way when the server stops is finished, what takes too long is cut off.
func TestDrain(t *testing.T) {
	for name, patience := range map[string]time.Duration{"finished": 30 * time.Second, "cut off": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			b := &blocked{make(chan struct{}, 1), make(chan struct{})}
			run := listen(t, newServer(t, Config{Limits: Limits{DrainTimeout: patience}},
				Route{Pattern: "POST /wait", Name: "w", Handler: b}), nil)
			c := run.dial(t, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
			<-b.entered
			run.stop()
			if name == "cut off" {
				if got := answer(t, c); got != "" {
					t.Errorf("got %q", got)
				}
				select {
				case err := <-run.done:
					t.Errorf("the server ended before the handler: %v", err)
				default:
				}
				close(b.leave)
				err := <-run.done
				run.done <- err
				if !errors.Is(err, ErrCutOff) {
					t.Errorf("the error is %v", err)
				}
				return
			}
			for { // until no more are accepted
				late, err := net.Dial("tcp", run.address)
				if err != nil {
					break
				}
				_ = late.Close()
			}
			close(b.leave)
			if got := answer(t, c); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
				t.Errorf("got %q", got)
			}
		})
	}
}

// writeCertificate writes a certificate that signs itself.
func writeCertificate(t *testing.T, files TLSFiles, serial int64, modified time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := errors.Join(os.WriteFile(path, pem.EncodeToMemory(block), 0o600), os.Chtimes(path, modified, modified)); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if _, err := files.Config(nil); err == nil || !strings.Contains(err.Error(), "cert.pem") {
		t.Errorf("without files: %v", err)
	}
	began := time.Now().Add(-time.Hour)
	cert := writeCertificate(t, files, 1, began)
	config, err := files.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	run := listen(t, newServer(t, Config{}), config)
	ask := func(cert *x509.Certificate, mine []tls.Certificate, most uint16) (int64, error) {
		roots := x509.NewCertPool()
		roots.AddCert(cert)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: mine, MaxVersion: most}, DisableKeepAlives: true}}
		response, err := client.Post("https://"+run.address+"/echo", "", strings.NewReader("x"))
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		if response.StatusCode != 200 {
			return 0, fmt.Errorf("status %d", response.StatusCode)
		}
		return response.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if serial, err := ask(cert, nil, 0); err != nil || serial != 1 {
		t.Errorf("got %d, %v", serial, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	if response, err := client.Post("https://"+run.address+"/echo", "", strings.NewReader("x")); err != nil || response.ProtoMajor != 2 || response.StatusCode != 200 {
		t.Errorf("HTTP/2: %+v, %v", response, err)
	} else {
		_ = response.Body.Close()
		client.CloseIdleConnections()
	}
	if _, err := ask(cert, nil, tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is accepted")
	}

	// The watch, with a clock of its own.
	w := &tlsWatch{files: files, logger: newServer(t, Config{}).cfg.Logger, current: config, looked: began}
	w.stamps, err = files.stamps()
	if err != nil {
		t.Fatal(err)
	}
	serial := func(now time.Time) int64 {
		c, err := x509.ParseCertificate(w.config(now).Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return c.SerialNumber.Int64()
	}
	writeCertificate(t, files, 2, began.Add(time.Minute))
	if got := serial(began.Add(lookAgain / 2)); got != 1 {
		t.Errorf("looked too often: %d", got)
	}
	if got := serial(began.Add(lookAgain)); got != 2 {
		t.Errorf("after a change: %d", got)
	}
	if err := os.WriteFile(files.Key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(began.Add(2 * lookAgain)); got != 2 {
		t.Errorf("after a change that cannot be used: %d", got)
	}
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	if got := serial(began.Add(3 * lookAgain)); got != 2 {
		t.Errorf("without the key: %d", got)
	}
	cert = writeCertificate(t, files, 3, began.Add(2*time.Minute))
	if got := serial(began.Add(4 * lookAgain)); got != 3 {
		t.Errorf("after the repair: %d", got)
	}

	// Clients with certificates.
	files.ClientCA = files.Cert
	if config, err = files.Config(nil); err != nil {
		t.Fatal(err)
	}
	run = listen(t, newServer(t, Config{}), config)
	if _, err := ask(cert, nil, 0); err == nil {
		t.Error("a client without a certificate is let in")
	}
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if serial, err := ask(cert, []tls.Certificate{pair}, 0); err != nil || serial != 3 {
		t.Errorf("with a certificate: %d, %v", serial, err)
	}
	files.ClientCA = files.Key
	if _, err := files.Config(nil); err == nil || !strings.Contains(err.Error(), "no certificate in it") {
		t.Errorf("a file of clients without certificates: %v", err)
	}
}
