package samrpc_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap/sapclient"
)

// asked tells that a body is being read.
type asked struct {
	io.Reader
	once sync.Once
	c    chan struct{}
}

func (a *asked) Read(b []byte) (int, error) {
	a.once.Do(func() { close(a.c) })
	return a.Reader.Read(b)
}

// slow is a call whose body never ends: it announces size octets (-1: it does not say) and sends none. begun is closed when they are waited for.
func slow(h http.Handler, who *tls.ConnectionState, size int64, end *sync.WaitGroup) (answer chan int, begun chan struct{}, hangUp func()) {
	r, w := io.Pipe()
	body := &asked{Reader: r, c: make(chan struct{})}
	req := httptest.NewRequest(http.MethodPost, sapclient.PathRedeem, body)
	req.ContentLength, req.TLS = size, who
	answer = make(chan int, 1)
	end.Go(func() {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		answer <- rec.Code
	})
	return answer, body.c, func() { _ = w.CloseWithError(io.ErrUnexpectedEOF) }
}

// answered waits for the answer of a call that is not to wait for its body.
func answered(t *testing.T, answer chan int) int {
	t.Helper()
	select {
	case code := <-answer:
		return code
	case <-time.After(30 * time.Second):
		t.Error("the call is held")
		return 0
	}
}

// I9, I8: a caller, who may have no right any more, does not make the module hold more of announced bodies than its
// share, however many connections it has: what goes beyond is put off at once, with a record, and keeps nobody else waiting. When calls
// end the share is there again.
func TestI9BodiesOfOneCallerAreBounded(t *testing.T) {
	routes := samrpc.Routes()
	limit := routes[slices.IndexFunc(routes, func(r samrpc.Route) bool { return r.Path == sapclient.PathRedeem })].Limit
	for name, size := range map[string]int64{"announced": 1 << 20, "not announced": -1} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			pki := samtest.NewPKI(t, t.TempDir())
			ssad, officer, gone := state(t, pki, "ssad", "sspu"), state(t, pki, "olga", "officer"), state(t, pki, "gone", "sspu")
			h := samrpc.New(w.M, slog.New(slog.DiscardHandler)).Handler()
			each := size
			if size < 0 {
				each = limit
			}
			var end sync.WaitGroup
			var calls []func()
			var codes []chan int
			hold := func(who *tls.ConnectionState) (answer chan int, begun chan struct{}) {
				answer, begun, hangUp := slow(h, who, size, &end)
				calls = append(calls, hangUp)
				return answer, begun
			}
			more := func(who *tls.ConnectionState) int {
				answer, _ := hold(who)
				return answered(t, answer)
			}
			for range samrpc.MaxBodies / each {
				answer, begun := hold(ssad)
				codes = append(codes, answer)
				_, begunToo := hold(gone)
				<-begun
				<-begunToo
			}
			if code := more(ssad); code != http.StatusServiceUnavailable {
				t.Errorf("one call more: %d", code)
			}
			if code := more(gone); code != http.StatusForbidden {
				t.Errorf("one call more of who has no right: %d", code)
			}
			if rec := post(h, officer, sapclient.PathLift, []byte(`{}`)); rec.Code == http.StatusServiceUnavailable {
				t.Errorf("another caller: %d %s", rec.Code, rec.Body)
			}
			for _, hangUp := range calls {
				hangUp()
			}
			end.Wait()
			for _, c := range codes {
				if code := <-c; code != http.StatusBadRequest {
					t.Errorf("a call within the share: %d", code)
				}
			}
			if rec := post(h, ssad, sapclient.PathRedeem, make([]byte, 1000)); rec.Code != http.StatusBadRequest {
				t.Errorf("when the calls have ended: %d", rec.Code)
			}
		})
	}
}
