package workers

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"
)

// failover asks time-stamp authorities in the order of the property that names them. One
// that fails is told of even when another helps out; when all do, the error has every
// cause, and the level is not reached.
type failover struct {
	names   []string
	list    []Stamper
	observe func(error)
}

// Stamp implements Stamper.
func (f *failover) Stamp(ctx context.Context, h crypto.Hash, imprint []byte) ([]byte, time.Time, error) {
	var failures []error
	for i, s := range f.list {
		token, at, err := s.Stamp(ctx, h, imprint)
		if err == nil {
			return token, at, nil
		}
		err = fmt.Errorf("time-stamp authority %q: %w", f.names[i], err)
		failures = append(failures, err)
		if f.observe != nil {
			f.observe(err)
		}
		if ctx.Err() != nil {
			break // the caller has gone; the others would fail alike
		}
	}
	return nil, time.Time{}, errors.Join(failures...)
}

// stamper finds what a property names: a worker of the set (worker:NAME), the address of
// an authority, or several of them separated by blanks, which are tried in order.
func (s *Set) stamper(name string, opt Options) (Stamper, error) {
	names := strings.Fields(name)
	if len(names) == 0 || len(names) == 1 && strings.HasPrefix(names[0], workerPrefix) {
		return s.oneStamper(strings.TrimSpace(name), opt)
	}
	f := &failover{names: names, observe: opt.StampFailure}
	for _, n := range names {
		one, err := s.oneStamper(n, opt)
		if err != nil {
			return nil, err
		}
		f.list = append(f.list, one)
	}
	return f, nil
}
