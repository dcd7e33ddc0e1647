// Package freeport finds loopback ports for programs that are started a moment later. A port that the system itself
// gave is of the range from which it serves every other caller, outgoing connections too: between closing it here and
// opening it there somebody else may have it. These are below that range, where nobody gets one without asking for it.
package freeport

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"net"
	"os"
	"strconv"
)

const (
	first = 10240 // below it are services with fixed ports
	usual = 32768 // where the system's own range begins if it does not tell
	tries = 200
)

// Find returns n loopback ports that are free now. All are held open until the last one is found, so that they differ.
func Find(n int) ([]int, error) {
	low, ports := lowest(), make([]int, 0, n)
	var err error
	for range n + tries {
		if len(ports) == n {
			return ports, nil
		}
		port := 0 // the system's, where it leaves no room below
		if low > first+tries {
			var off *big.Int
			if off, err = rand.Int(rand.Reader, big.NewInt(int64(low-first))); err != nil {
				return nil, err
			}
			port = first + int(off.Int64())
		}
		var l net.Listener
		if l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
			continue
		}
		defer func() { _ = l.Close() }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	if len(ports) == n {
		return ports, nil
	}
	return nil, fmt.Errorf("no %d free loopback ports were found: %w", n, err)
}

// lowest is where the range begins that the system gives out (ip(7), ip_local_port_range).
func lowest() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var low int
	if _, err := fmt.Sscan(string(text), &low); err != nil || low > 1<<16 {
		return usual
	}
	return low
}
