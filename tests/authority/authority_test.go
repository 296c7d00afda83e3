package authority_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/tests/authority"
)

func TestMain(m *testing.M) {
	if err := authority.Prepare(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(authority.Residue))
}

// client is an ACME client of another project's making.
func client(t *testing.T, ca *authority.Authority, solvers map[string]acmez.Solver) acmez.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return acmez.Client{
		Client: &acme.Client{
			Directory:    ca.Directory,
			HTTPClient:   &http.Client{Transport: transport, Timeout: 20 * time.Second},
			PollInterval: 20 * time.Millisecond,
		},
		ChallengeSolvers: solvers,
	}
}

func key(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// account makes an account.
func account(t *testing.T, c acmez.Client) acme.Account {
	t.Helper()
	a, err := c.NewAccount(t.Context(), acme.Account{TermsOfServiceAgreed: true, PrivateKey: key(t)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// order obtains a certificate for names.
func order(t *testing.T, c acmez.Client, a acme.Account, names ...string) (*x509.Certificate, []acme.Certificate) {
	t.Helper()
	chains, err := c.ObtainCertificateForSANs(t.Context(), a, key(t), names)
	if err != nil {
		t.Fatal(err)
	}
	return leaf(t, chains[0].ChainPEM), chains
}

func leaf(t *testing.T, chain []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(chain)
	if block == nil {
		t.Fatalf("no certificate in %q", chain)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func verify(t *testing.T, ca *authority.Authority, chain []byte, name string) {
	t.Helper()
	cert := leaf(t, chain)
	_, rest := pem.Decode(chain)
	between := x509.NewCertPool()
	between.AppendCertsFromPEM(rest)
	if _, err := cert.Verify(x509.VerifyOptions{DNSName: name, Roots: ca.Issued(), Intermediates: between}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// records solves DNS-01 with the records of the authority's own name server.
type records struct{ at *authority.NameServer }

func (r records) Present(_ context.Context, c acme.Challenge) error {
	r.at.Add(c.DNS01TXTRecordName() + `. 1 IN TXT "` + c.DNS01KeyAuthorization() + `"`)
	return nil
}

func (r records) CleanUp(_ context.Context, c acme.Challenge) error {
	r.at.Remove(c.DNS01TXTRecordName(), "TXT")
	return nil
}

func dns01(ca *authority.Authority) map[string]acmez.Solver {
	return map[string]acmez.Solver{acme.ChallengeTypeDNS01: records{ca.DNS}}
}

// web solves HTTP-01 with a server that is there for one challenge.
type web struct {
	addr   string
	server *http.Server
}

func (w *web) Present(_ context.Context, c acme.Challenge) error {
	l, err := net.Listen("tcp", w.addr)
	if err != nil {
		return err
	}
	w.server = &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Path == c.HTTP01ResourcePath() {
			_, _ = out.Write([]byte(c.KeyAuthorization))
		}
	}), ReadHeaderTimeout: time.Second}
	go func() { _ = w.server.Serve(l) }()
	return nil
}

func (w *web) CleanUp(context.Context, acme.Challenge) error { return w.server.Close() }

func TestDNS01(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	c := client(t, ca, dns01(ca))
	begin := time.Now()
	cert, chains := order(t, c, account(t, c), "*.example.org", "example.org")
	t.Logf("issued after %v", time.Since(begin))
	verify(t, ca, chains[0].ChainPEM, "a.example.org")
	if got := cert.NotAfter.Sub(cert.NotBefore).Round(time.Minute); got != 90*24*time.Hour {
		t.Errorf("valid for %v", got)
	}
	if ca.Orders() != 1 || ca.Orders("example.org") != 1 || ca.Orders("other.example.org") != 0 {
		t.Errorf("orders: %d, of the name %d, of another %d", ca.Orders(), ca.Orders("example.org"), ca.Orders("other.example.org"))
	}
	if got := ca.DNS.Records("_acme-challenge.example.org"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestHTTP01(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{NonceReject: 50})
	c := client(t, ca, map[string]acmez.Solver{acme.ChallengeTypeHTTP01: &web{addr: ca.HTTPAddr()}})
	_, chains := order(t, c, account(t, c), "ftp.example.org")
	verify(t, ca, chains[0].ChainPEM, "ftp.example.org")
	refused := 0
	for _, r := range ca.Requests() {
		if r.Status == http.StatusBadRequest {
			refused++
		}
	}
	if refused < 3 || ca.Orders() != 1 {
		t.Errorf("%d requests were refused, %d orders", refused, ca.Orders())
	}
}

func TestAddressThatIsElsewhere(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{DNS: authority.NameOptions{Records: []string{"gone.example.org. 1 IN A 127.0.0.9"}}})
	c := client(t, ca, map[string]acmez.Solver{acme.ChallengeTypeHTTP01: &web{addr: ca.HTTPAddr()}})
	_, err := c.ObtainCertificateForSANs(t.Context(), account(t, c), key(t), []string{"gone.example.org"})
	var problem acme.Problem
	if !errors.As(err, &problem) || problem.Type != acme.ProblemTypeConnection {
		t.Errorf("not a connection problem: %v", err)
	}
}
