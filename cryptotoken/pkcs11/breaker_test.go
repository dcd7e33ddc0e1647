package pkcs11

import (
	"context"
	"testing"
	"time"
)

// CHN-02, F2: after a row of failures one call is let through to try; that the first idle
// child has died meanwhile does not use up its turn while another one lives.
func TestTheTryAfterFailuresFindsALivingChild(t *testing.T) {
	cfg := Config{Name: "t", Children: 2, QueueWait: time.Second}
	p := newPool(&cfg, nil)
	dead, alive := &worker{gone: make(chan struct{})}, &worker{gone: make(chan struct{})}
	close(dead.gone)
	p.idle <- dead
	p.idle <- alive
	p.breaker.pause = time.Hour
	for range p.breaker.limit {
		p.breaker.failure(time.Now().Add(-2 * time.Hour))
	}
	w, err := p.acquire(context.Background())
	if err != nil || w != alive {
		t.Errorf("%v, %v", w == alive, err)
	}
	if _, err := p.acquire(context.Background()); err == nil {
		t.Error("a second call was let through")
	}
}
