package freeport

import (
	"fmt"
	"net"
	"testing"
)

// Ports differ, are free, and are none that the system gives to anybody who does not ask for them by number.
func TestPortsAreNobodyElses(t *testing.T) {
	ports, err := Find(50)
	if err != nil || len(ports) != 50 {
		t.Fatal(ports, err)
	}
	low, seen := lowest(), map[int]bool{}
	for _, p := range ports {
		if seen[p] || low > first+tries && (p < first || p >= low) {
			t.Errorf("port %d of %v, the system's begin at %d", p, ports, low)
		}
		seen[p] = true
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
}
