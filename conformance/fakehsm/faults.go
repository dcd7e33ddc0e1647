package fakehsm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// ErrCommand is returned for a command that is not known.
var ErrCommand = errors.New("fakehsm: want latency DURATION, hang N, fail CKR N, flip-bit N, short-signature N, remove, insert, pin-limit N, tolerant, open, strict, log")

// Do runs a command and returns its answer:
//
//	latency 700ms      every C_Sign takes this much longer
//	hang N             the next N calls of C_Sign get no answer
//	fail CKR N         the next N calls of C_Sign fail with this code, unsigned
//	flip-bit N         the next N signatures come back with a bit turned
//	short-signature N  the next N signatures come back without their last octet
//	remove, insert     the token is gone, and is back
//	pin-limit N        after N wrong PINs the token is locked
//	tolerant           C_UnwrapKey takes a changed blob for the last good one
//	open               C_UnwrapKey makes every key readable, whatever is asked of it
//	strict             C_UnwrapKey does what it should
//	log                how many lines the log has
func (h *HSM) Do(command string) (string, error) {
	word := append(strings.Fields(command), "", "", "")
	n, nErr := strconv.Atoi(word[1])
	h.mu.Lock()
	defer h.mu.Unlock()
	switch word[0] {
	case "latency":
		d, err := time.ParseDuration(word[1])
		h.latency = d
		return "", err
	case "fail":
		code, err := strconv.ParseUint(word[1], 0, 64)
		count, err2 := strconv.Atoi(word[2])
		for range count {
			h.fail = append(h.fail, code)
		}
		return "", errors.Join(err, err2)
	case "remove", "insert":
		h.removed = word[0] == "remove"
		return "", nil
	case "tolerant":
		h.lies = lieTolerant
		return "", nil
	case "open":
		h.lies = lieOpen
		return "", nil
	case "strict":
		h.lies = 0
		return "", nil
	case "log":
		return strconv.FormatInt(h.lines, 10), nil
	case "hang":
		h.hang = n
	case "flip-bit":
		h.flip = n
	case "short-signature":
		h.short = n
	case "pin-limit":
		h.pinLimit, h.pinWrong = n, 0
	default:
		return "", ErrCommand
	}
	return "", nErr
}

// commands serves the control socket: a line in, a line out.
func (h *HSM) commands(c net.Conn) {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		answer, err := h.Do(lines.Text())
		if err != nil {
			answer = "error: " + err.Error()
		}
		if _, err := fmt.Fprintln(c, answer); err != nil {
			return
		}
	}
}

func (h *HSM) next() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	return h.calls
}

// refuses tells what a removed or locked token answers before anything happens.
func (h *HSM) refuses(call string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.removed:
		return ckrNotPresent
	case call == callLogin && h.pinLimit > 0 && h.pinWrong >= h.pinLimit:
		return ckrPINLocked
	}
	return 0
}

// unwrapping tells how the next C_UnwrapKey is to be done.
func (h *HSM) unwrapping() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lies
}

func (h *HSM) login(rv string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if rv == strconv.Itoa(ckrPINWrong) {
		h.pinWrong++
	}
}

func (h *HSM) nextFailure() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.fail) == 0 {
		return 0
	}
	code := h.fail[0]
	h.fail = h.fail[1:]
	return code
}

// misbehave is slow, or never comes back.
func (h *HSM) misbehave(ctx context.Context) error {
	h.mu.Lock()
	wait := h.latency
	hang := h.hang > 0
	if hang {
		h.hang--
	}
	h.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// spoil tells what is to become of a signature on its way to the application.
func (h *HSM) spoil() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.flip > 0:
		h.flip--
		return answerFlip
	case h.short > 0:
		h.short--
		return answerShort
	}
	return 0
}
