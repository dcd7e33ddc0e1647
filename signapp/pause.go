package signapp

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Who asks again and again until somebody presses yes by mistake (push fatigue) is
// made to wait (AFL-04): after Limits.Declines refusals of a signer in a row, the
// client that asked may ask this signer nothing more for Limits.Pause, twice as
// long with each further refusal, at most maxPause. It is of one client before one
// signer: nobody can silence others by being refused, nor a signer by asking. An
// approval ends the row. All of it is read from the operations themselves: a
// restart forgets nothing.

const (
	maxPause = 24 * time.Hour
	rowLimit = 50 // operations looked at
)

// mayAsk refuses a client that a signer has refused too often (AFL-04).
func (s *Service) mayAsk(tx Tx, c Client, signer string) error {
	rows, err := tx.Operations().List(OfSigner(signer), Query{States: []State{StateDeclined, StateFinished}, Limit: rowLimit})
	if err != nil {
		return err
	}
	approved, last := int64(-1), int64(0)
	var refused []int64
	for _, r := range rows {
		if r.Client != c.ID {
			continue
		}
		var p progressPart
		if err := json.Unmarshal(r.Progress, &p); err != nil {
			return fmt.Errorf("signapp: operation %s: %w", r.ID, err)
		}
		if r.State == StateFinished {
			approved = max(approved, p.Ended)
		} else {
			refused = append(refused, p.Ended)
		}
	}
	declined := 0
	for _, ended := range refused {
		if ended > approved { // since the last approval
			declined, last = declined+1, max(last, ended)
		}
	}
	if declined < s.cfg.Limits.Declines {
		return nil
	}
	until := fromMillis(last).Add(pauseOf(s.cfg.Limits.Pause, declined-s.cfg.Limits.Declines))
	if s.now().Before(until) {
		return fmt.Errorf("%w: the signer said no %d times in a row; not before %s", ErrPaused, declined, until.UTC().Format(time.RFC3339))
	}
	return nil
}

// pauseOf doubles a pause.
func pauseOf(first time.Duration, more int) time.Duration {
	d := first
	for range more {
		if d *= 2; d >= maxPause {
			return maxPause
		}
	}
	return min(d, maxPause)
}

// asking is mayAsk before any work is done for the request.
func (s *Service) asking(ctx context.Context, c Client, signer string) error {
	return s.store.View(ctx, func(tx Tx) error { return s.mayAsk(tx, c, signer) })
}
