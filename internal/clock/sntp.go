package clock

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// SNTP asks servers for UTC: the client of RFC 4330 and RFC 5905 section 14, one
// request and one answer each. When there are several servers, more than half of
// all must answer and agree with one another; fewer liars are outvoted, and named
// in Detail.
//
// Answers are not authenticated. Who can answer in the servers' place can be
// believed in, so that the comparison stops signing; and whoever also sets the
// machine's clock by the same lie is found by the step alone. Servers on networks
// of one's own, several of them, are the remedy.
type SNTP struct {
	Servers []string // host or host:port; addresses are better than names
	Timeout time.Duration
}

// Bounds of an answer that is worth anything.
const (
	sntpLen       = 48
	sntpTimeout   = 2 * time.Second
	sntpMaxReply  = 1024
	sntpMaxDelay  = time.Second // of the round trip
	sntpMaxRoot   = time.Second // error of the server's own chain
	sntpMaxStrata = 15
)

// Name implements Source.
func (s SNTP) Name() string { return "sntp " + strings.Join(s.Servers, ",") }

// Read implements Source.
func (s SNTP) Read(ctx context.Context, c Steady) (Reading, error) {
	if len(s.Servers) == 0 {
		return Reading{}, fmt.Errorf("%w: no server", ErrSource)
	}
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = sntpTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answers := make([]answer, len(s.Servers))
	done := make(chan int, len(s.Servers))
	for i, server := range s.Servers {
		go func() {
			r, err := ask(ctx, c, server)
			answers[i] = answer{server, r, err}
			done <- i
		}()
	}
	for range s.Servers {
		<-done // each ends with ctx at the latest
	}
	return majority(answers)
}

type answer struct {
	server string
	Reading
	err error
}

// majority finds the largest group of servers whose statements can all be true
// (Marzullo): some moment lies within the bounds of each. The result is the
// narrowest statement of the group.
func majority(answers []answer) (Reading, error) {
	var best []answer
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		// Every largest group contains the lower end of one of its members.
		low := a.Offset - a.MaxError
		var group []answer
		for _, b := range answers {
			if b.err == nil && b.Offset-b.MaxError <= low && low <= b.Offset+b.MaxError {
				group = append(group, b)
			}
		}
		if len(group) > len(best) {
			best = group
		}
	}
	if 2*len(best) <= len(answers) {
		return Reading{}, fmt.Errorf("%w: %d of %d time servers agree: %w", ErrSource, len(best), len(answers), complaints(answers))
	}
	r := slices.MinFunc(best, func(a, b answer) int { return cmp.Compare(a.MaxError, b.MaxError) }).Reading
	r.Detail = fmt.Sprintf("%d of %d servers agree", len(best), len(answers))
	for _, a := range answers {
		if a.err == nil && !slices.ContainsFunc(best, func(b answer) bool { return b.server == a.server }) {
			r.Detail += fmt.Sprintf("; %s is off by %v", a.server, a.Offset.Round(time.Millisecond))
		}
	}
	return r, nil
}

func complaints(answers []answer) error {
	var list []error
	for _, a := range answers {
		if a.err != nil {
			list = append(list, a.err)
		} else {
			list = append(list, fmt.Errorf("%s says %v", a.server, a.Offset.Round(time.Millisecond)))
		}
	}
	return errors.Join(list...)
}

// ask asks one server. The socket is connected, so the kernel passes on what
// comes from the server's address and port, and nothing else.
func ask(ctx context.Context, c Steady, server string) (Reading, error) {
	fail := func(err error) (Reading, error) { return Reading{}, fmt.Errorf("%w: %s: %w", ErrSource, server, err) }
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "123")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", server)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = conn.Close() }()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return fail(err)
		}
	}
	// The transmit timestamp is random: it comes back and shows that the answer is
	// one to this very request. The server does not need the true one.
	request := make([]byte, sntpLen)
	request[0] = 4<<3 | 3 // version 4, client
	if _, err := rand.Read(request[40:]); err != nil {
		return fail(err)
	}
	sent, at := c.Now(), c.Elapsed()
	if _, err := conn.Write(request); err != nil {
		return fail(err)
	}
	reply := make([]byte, sntpMaxReply)
	for {
		n, err := conn.Read(reply)
		if err != nil {
			return fail(err)
		}
		r, err := parseSNTP(reply[:n], request[40:], sent, c.Elapsed()-at)
		if errors.Is(err, errNotOurs) {
			continue // a late or a forged one; the deadline ends this
		}
		if err != nil {
			return fail(err)
		}
		return r, nil
	}
}

var errNotOurs = errors.New("an answer to another request")

// parseSNTP reads an answer to the request with the given transmit timestamp, which
// was sent at sent and answered after trip.
func parseSNTP(b, nonce []byte, sent time.Time, trip time.Duration) (Reading, error) {
	if len(b) < sntpLen || string(b[24:32]) != string(nonce) {
		return Reading{}, errNotOurs
	}
	leap, version, mode, stratum := b[0]>>6, b[0]>>3&7, b[0]&7, b[1]
	switch {
	case mode != 4 || version < 3 || version > 4:
		return Reading{}, fmt.Errorf("no answer of a server: version %d, mode %d", version, mode)
	case stratum == 0:
		return Reading{}, fmt.Errorf("the server declines: %q", printable(b[12:16]))
	case leap == 3 || stratum > sntpMaxStrata:
		return Reading{}, fmt.Errorf("the server itself is not synchronised (stratum %d)", stratum)
	case trip < 0 || trip > sntpMaxDelay:
		return Reading{}, fmt.Errorf("the answer took %v", trip)
	case allZero(b[32:40]) || allZero(b[40:48]):
		return Reading{}, errors.New("no time in the answer")
	}
	root := short(b[4:8])/2 + short(b[8:12])
	received, transmitted := stamp(b[32:40], sent), stamp(b[40:48], sent)
	held := transmitted.Sub(received)
	if root > sntpMaxRoot || held < 0 || held > trip {
		return Reading{}, fmt.Errorf("the server states an error of %v and that it held the request for %v of %v", root, held, trip)
	}
	// RFC 5905 section 8: half the sum of both differences; it is wrong by half the
	// time on the way at most.
	there, back := received.Sub(sent), transmitted.Sub(sent.Add(trip))
	return Reading{Offset: there/2 + back/2, MaxError: (trip-held)/2 + root}, nil
}

func allZero(b []byte) bool { return binary.BigEndian.Uint64(b) == 0 }

func printable(b []byte) string {
	for _, c := range b {
		if c < 'A' || c > 'Z' {
			return "?"
		}
	}
	return string(b)
}

// short is a 16.16 fixed-point number of seconds.
func short(b []byte) time.Duration {
	return time.Duration(int64(binary.BigEndian.Uint32(b)) * int64(time.Second) >> 16)
}

// ntpEpoch is 1900-01-01 in Unix seconds; an era has 2^32 seconds.
const (
	ntpEpoch = -2208988800
	ntpEra   = 1 << 32
)

// stamp is an NTP timestamp as a time: of the era in which it is nearest to about
// (RFC 5905 section 6: eras cannot be told from the number; the first ends in
// 2036).
func stamp(b []byte, about time.Time) time.Time {
	seconds, fraction := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
	unix := seconds + ntpEpoch
	eras := (about.Unix() - unix + ntpEra/2) / ntpEra
	if about.Unix()-unix+ntpEra/2 < 0 {
		eras--
	}
	return time.Unix(unix+eras*ntpEra, fraction*int64(time.Second)>>32)
}
