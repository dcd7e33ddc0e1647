package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// peer is a library of others in a program of ours that takes orders as our own
// contenders do. Judges of `make conformance` bring them.
type peer struct {
	name string
	args []string
	need string // file that is there when it can run
}

func javaPeer(name, job string) peer {
	return peer{name, []string{"java", "-cp", "var/judges/classes:var/judges/lib/*", "Peers", job}, "var/judges/classes/Peers.class"}
}

// Libraries of others, by what they do.
var (
	pdfPeers = []peer{
		javaPeer("PDFBox", "PDFBox"), javaPeer("EU DSS", "DSS-PAdES"),
		{"pyHanko", []string{"var/pyhanko/bin/python", "conformance/bench/peers/pyhanko_peer.py"}, "var/pyhanko/installed.txt"},
	}
	formPeers  = []peer{javaPeer("Santuario (Java), DOM", "Santuario")}
	xadesPeers = []peer{javaPeer("EU DSS", "DSS-XAdES")}
)

// startPeers starts those that are installed, and says which are not.
func startPeers(ctx context.Context, list []peer) (up []*process, err error) {
	for _, p := range list {
		if _, err := os.Stat(p.need); err != nil {
			fmt.Printf("\n%s: not measured, `make conformance` installs it\n", p.name)
			continue
		}
		cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
		cmd.Stderr = os.Stderr
		proc, err := startProcess(p.name, cmd)
		if err != nil {
			stopAll(up)
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		up = append(up, proc)
	}
	return up, nil
}

func stopAll(list []*process) {
	for _, p := range list {
		p.stop()
	}
}

// startAll starts contenders of ours, in folders of their own, and then peers.
func startAll(ctx context.Context, dir string, ours []string, others []peer) ([]*process, error) {
	var up []*process
	for _, name := range ours {
		p, err := startContender(ctx, name, filepath.Join(dir, "c"+strconv.Itoa(len(up))))
		if err != nil {
			stopAll(up)
			return nil, err
		}
		up = append(up, p)
	}
	more, err := startPeers(ctx, others)
	if err != nil {
		stopAll(up)
		return nil, err
	}
	return append(up, more...), nil
}
