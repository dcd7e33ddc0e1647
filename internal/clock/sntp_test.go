package clock

import (
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// ntpTime is t as an NTP timestamp.
func ntpTime(t time.Time) []byte {
	b := make([]byte, 8)
	binary.BigEndian.PutUint32(b, uint32(t.Unix()-ntpEpoch))
	binary.BigEndian.PutUint32(b[4:], uint32(int64(t.Nanosecond())<<32/int64(time.Second)))
	return b
}

// genuine is a server's answer to a request, by a clock that shows now.
func genuine(request []byte, now time.Time) []byte {
	b := make([]byte, sntpLen)
	b[0], b[1], b[3] = 4<<3|4, 2, 0xEC
	binary.BigEndian.PutUint32(b[4:], 1<<16/50)  // root delay 20 ms
	binary.BigEndian.PutUint32(b[8:], 1<<16/100) // root dispersion 10 ms
	copy(b[24:], request[40:48])
	copy(b[32:], ntpTime(now))
	copy(b[40:], ntpTime(now))
	return b
}

// serve answers requests on a loopback port.
func serve(t *testing.T, answer func(request []byte) [][]byte) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			for _, out := range answer(append([]byte{}, b[:n]...)) {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// TIM-01: an honest server, one that lies, and everything that is no answer.
func TestTIM01SNTP(t *testing.T) {
	c := NewFake(epoch)
	edit := func(f func(b []byte)) func([]byte) [][]byte {
		return func(req []byte) [][]byte {
			b := genuine(req, epoch)
			f(b)
			return [][]byte{b}
		}
	}
	for name, x := range map[string]struct {
		answer func([]byte) [][]byte
		offset time.Duration
		say    string
	}{
		"honest":        {edit(func([]byte) {}), 0, ""},
		"an hour ahead": {func(r []byte) [][]byte { return [][]byte{genuine(r, epoch.Add(time.Hour))} }, time.Hour, ""},
		"an hour back":  {func(r []byte) [][]byte { return [][]byte{genuine(r, epoch.Add(-time.Hour))} }, -time.Hour, ""},
		"ten years":     {func(r []byte) [][]byte { return [][]byte{genuine(r, epoch.AddDate(10, 0, 0))} }, epoch.AddDate(10, 0, 0).Sub(epoch), ""},
		"forged ones first": {func(r []byte) [][]byte {
			forged := genuine(r, epoch.Add(time.Hour))
			forged[24] ^= 1
			return [][]byte{forged, {}, forged[:47], genuine(r, epoch)}
		}, 0, ""},
		"longer, with an authenticator": {func(r []byte) [][]byte { return [][]byte{append(genuine(r, epoch), make([]byte, 20)...)} }, 0, ""},
		"kiss of death":                 {edit(func(b []byte) { b[1] = 0; copy(b[12:], "RATE") }), 0, "RATE"},
		"unsynchronised":                {edit(func(b []byte) { b[0] |= 0xC0 }), 0, "not synchronised"},
		"stratum 16":                    {edit(func(b []byte) { b[1] = 16 }), 0, "not synchronised"},
		"a client's packet":             {edit(func(b []byte) { b[0] = 4<<3 | 3 }), 0, "no answer of a server"},
		"version 7":                     {edit(func(b []byte) { b[0] = 7<<3 | 4 }), 0, "no answer of a server"},
		"no time":                       {edit(func(b []byte) { clear(b[40:48]) }), 0, "no time"},
		"a bad chain above it":          {edit(func(b []byte) { b[4] = 0x7F }), 0, "states an error"},
		"held longer than the trip":     {edit(func(b []byte) { copy(b[40:], ntpTime(epoch.Add(time.Second))) }), 0, "held"},
		"sent before received":          {edit(func(b []byte) { copy(b[40:], ntpTime(epoch.Add(-time.Second))) }), 0, "held"},
		"too slow":                      {func(r []byte) [][]byte { c.Advance(1500 * time.Millisecond); return [][]byte{genuine(r, epoch)} }, 0, "took"},
	} {
		t.Run(name, func(t *testing.T) {
			c.Set(epoch)
			r, err := SNTP{Servers: []string{serve(t, x.answer)}, Timeout: 10 * time.Second}.Read(ctx, c)
			if x.say != "" {
				if !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), x.say) {
					t.Errorf("%+v, %v", r, err)
				}
				return
			}
			if err != nil || (r.Offset-x.offset).Abs() > time.Millisecond || r.MaxError < 19*time.Millisecond || r.MaxError > 21*time.Millisecond {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// TIM-01: nobody answers: the source says so, in bounded time.
func TestTIM01SNTPSilence(t *testing.T) {
	s := SNTP{Servers: []string{serve(t, func([]byte) [][]byte { return nil })}, Timeout: 20 * time.Millisecond}
	if r, err := s.Read(ctx, NewFake(epoch)); !errors.Is(err, ErrSource) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := (SNTP{}).Read(ctx, NewFake(epoch)); !errors.Is(err, ErrSource) {
		t.Errorf("no servers: %+v, %v", r, err)
	}
}

// Each request has a transmit timestamp of its own that nobody can guess, and tells
// nothing of this machine's clock.
func TestTIM01SNTPRequest(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	server := serve(t, func(r []byte) [][]byte {
		mu.Lock()
		defer mu.Unlock()
		if len(r) != sntpLen || r[0] != 0x23 || string(r[1:40]) != strings.Repeat("\x00", 39) {
			t.Errorf("request %x", r)
		}
		seen[string(r[40:])] = true
		return [][]byte{genuine(r, epoch)}
	})
	for range 5 {
		if _, err := (SNTP{Servers: []string{server}, Timeout: 10 * time.Second}).Read(ctx, NewFake(epoch)); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 5 {
		t.Errorf("%d different requests of 5", len(seen))
	}
}

// TIM-01: with several servers a lying minority is outvoted and named; without a
// majority there is no answer.
func TestTIM01SNTPMajority(t *testing.T) {
	at := func(d time.Duration) string {
		return serve(t, func(r []byte) [][]byte { return [][]byte{genuine(r, epoch.Add(d))} })
	}
	honest, near, liar, other := at(0), at(10*time.Millisecond), at(time.Hour), at(-time.Hour)
	dead := serve(t, func(r []byte) [][]byte {
		b := genuine(r, epoch)
		b[1] = 0
		copy(b[12:], "DENY")
		return [][]byte{b}
	})
	for name, c := range map[string]struct {
		servers []string
		ok      bool
		say     string
	}{
		"all agree":               {[]string{honest, near, honest}, true, "3 of 3"},
		"one lies":                {[]string{liar, honest, near}, true, "off by 1h0m0s"},
		"one is dead":             {[]string{honest, dead, near}, true, "2 of 3"},
		"two of two differ":       {[]string{honest, liar}, false, "1 of 2"},
		"a tie":                   {[]string{honest, near, liar, liar}, false, "2 of 4"},
		"everybody else":          {[]string{honest, liar, other}, false, "1 of 3"},
		"two dead":                {[]string{honest, dead, dead}, false, "1 of 3"},
		"the majority lies alike": {[]string{honest, liar, liar}, true, "off by"}, // nothing can be done but to name the other
	} {
		t.Run(name, func(t *testing.T) {
			r, err := SNTP{Servers: c.servers, Timeout: 10 * time.Second}.Read(ctx, NewFake(epoch))
			if (err == nil) != c.ok {
				t.Fatalf("%+v, %v", r, err)
			}
			text := r.Detail
			if err != nil {
				text = err.Error()
			}
			if !strings.Contains(text, c.say) {
				t.Errorf("%q does not say %q", text, c.say)
			}
		})
	}
}

// F27: the era of a timestamp is the one near the clock: 2036 is not 1900.
func TestNTPEras(t *testing.T) {
	for _, at := range []time.Time{
		epoch, time.Date(2036, 2, 7, 6, 28, 15, 0, time.UTC), time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 500_000_000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		for _, about := range []time.Duration{0, -30 * 365 * 24 * time.Hour, 30 * 365 * 24 * time.Hour} {
			if got := stamp(ntpTime(at), at.Add(about)); got.Sub(at).Abs() > time.Microsecond {
				t.Errorf("%v read near %v is %v", at, at.Add(about), got.UTC())
			}
		}
	}
}

// FuzzSNTP: whatever comes, the answer is an error or a reading within bounds.
func FuzzSNTP(f *testing.F) {
	nonce := []byte("12345678")
	request := append(make([]byte, 40), nonce...)
	f.Add(genuine(request, epoch), int64(time.Millisecond))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, b []byte, trip int64) {
		r, err := parseSNTP(b, nonce, epoch, time.Duration(trip))
		if err != nil {
			return
		}
		if r.MaxError < 0 || r.MaxError > sntpMaxDelay+sntpMaxRoot {
			t.Errorf("error bound %v", r.MaxError)
		}
		if years := r.Offset.Hours() / 24 / 365; years < -70 || years > 70 {
			t.Errorf("offset of %.0f years", years)
		}
	})
}
