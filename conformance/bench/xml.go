package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/assent-sign/assent/internal/c14n"
)

// bigXML writes an invoice of about n bytes: namespaces, attributes out of order,
// references, and with place the element that xmlsec1 is to fill in.
func bigXML(path string, n int64, place string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	_, _ = w.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<inv:Invoice xmlns:inv="urn:example:invoice" xmlns:cac="urn:example:cac" xmlns:cbc="urn:example:cbc">` + "\n")
	for i, size := 0, int64(200); size < n; i++ {
		k, err := fmt.Fprintf(w, `  <cac:Line  unit='EA' id="l%d" cbc:zone="b&lt;%d"><cbc:Name>Item %d &amp; more, at 5 &#8364;</cbc:Name><cbc:Quantity>%d</cbc:Quantity><cbc:Note/></cac:Line>`+"\n", i, i%7, i, i%13)
		if err != nil {
			return err
		}
		size += int64(k)
	}
	_, _ = w.WriteString(place + "</inv:Invoice>\n")
	return w.Flush()
}

// canonicalDigest writes the SHA-256 of a file's exclusive canonical form.
func canonicalDigest(in, out string) error {
	f, err := os.Open(in)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if err := c14n.Canonicalize(f, c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive}); err != nil {
		return err
	}
	return os.WriteFile(out, []byte(hex.EncodeToString(h.Sum(nil))), 0o600)
}

// program is a peer that runs once for each document. What it writes goes nowhere.
func program(ctx context.Context, name string, args ...string) contender {
	return contender{name: name + " " + args[0], measure: func() (sample, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		start := time.Now()
		if err := cmd.Run(); err != nil {
			return sample{}, fmt.Errorf("%w: %s", err, complaint.Bytes())
		}
		s := sample{Wall: time.Since(start), CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
		if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			s.RSS = u.Maxrss << 10
		}
		return s, nil
	}}
}

// freeMemory is what the kernel could give, in bytes; 0 where it does not tell.
func freeMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	_, line, _ := bytes.Cut(text, []byte("MemAvailable:"))
	var kib int64
	if _, err := fmt.Sscan(string(line), &kib); err != nil {
		return 0
	}
	return kib << 10
}

// sameForm fails when xmllint's octets are not those of the digests.
func sameForm(ctx context.Context, in string, digests []string) error {
	cmd := exec.CommandContext(ctx, "xmllint", "--huge", "--exc-c14n", in)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, out); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return err
	}
	form := hex.EncodeToString(h.Sum(nil))
	for _, d := range digests {
		text, err := os.ReadFile(d)
		if err != nil {
			return err
		}
		if form != string(text) {
			return fmt.Errorf("%s: the canonical form in %s is not xmllint's", in, d)
		}
	}
	return nil
}

// signaturePlace is what xmlsec1 fills in.
const signaturePlace = `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` +
	`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/><ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>` +
	`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>`

func benchXML(ctx context.Context, c config) error {
	for _, tool := range []string{"xmllint", "xmlsec1", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Printf("\nxml: not measured, %s is not installed\n", tool)
			return nil
		}
	}
	dir, err := os.MkdirTemp(c.dir, "assent-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := benchCanonical(ctx, c, dir); err != nil {
		return err
	}
	return benchXAdES(ctx, c, dir)
}

func benchCanonical(ctx context.Context, c config, dir string) error {
	heading("Exclusive canonical form and SHA-256 of it (xmllint: the form alone), the same octets")
	jobs, err := startAll(ctx, dir, []string{"assent, canonical form"}, formPeers)
	if err != nil {
		return err
	}
	defer stopAll(jobs)
	sizes := []int64{100 << 10, 1 << 20, 10 << 20, 1 << 30}
	if c.short {
		sizes = sizes[:2]
	}
	in, small := filepath.Join(dir, "in.xml"), filepath.Join(dir, "small.xml")
	if err := bigXML(small, 0, ""); err != nil { // what starting the program costs, each time
		return err
	}
	for _, n := range sizes {
		rounds, able := c.rounds, jobs
		if n > 100<<20 {
			if free := freeMemory(); free < 16<<30 {
				fmt.Printf("\n%d KiB: not measured, xmllint needs 13 GiB of memory, %d are free\n", n>>10, free>>30)
				continue
			}
			rounds, able = 1, jobs[:1] // a tree of it is too large for the others
		}
		if err := bigXML(in, n, ""); err != nil {
			return err
		}
		start := program(ctx, "xmllint", "--exc-c14n", "--huge", small)
		start.name = "xmllint of an empty document"
		cs := []contender{program(ctx, "xmllint", "--exc-c14n", "--huge", in), start}
		var digests []string
		for i, p := range able {
			digests = append(digests, filepath.Join(dir, "digest"+strconv.Itoa(i)))
			cs = append(cs, p.contender(order{In: in, Out: digests[i], Times: int(min(max(10<<20/n, 1), 20))}))
		}
		if err := compare(fmt.Sprintf("%d KiB", n>>10), "xmllint", rounds, cs); err != nil {
			return err
		}
		if err := sameForm(ctx, in, digests); err != nil {
			return err
		}
	}
	return nil
}

func benchXAdES(ctx context.Context, c config, dir string) error {
	heading("XAdES B-B enveloped: prepare, sign, finish, sync (xmlsec1: XML Signature, no sync)")
	key := filepath.Join(dir, "key.pem")
	if out, err := exec.CommandContext(ctx, "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key).CombinedOutput(); err != nil {
		return fmt.Errorf("openssl: %w: %s", err, out)
	}
	if err := os.Mkdir(filepath.Join(dir, "xades"), 0o700); err != nil {
		return err
	}
	jobs, err := startAll(ctx, filepath.Join(dir, "xades"), []string{"assent, XAdES"}, xadesPeers)
	if err != nil {
		return err
	}
	defer stopAll(jobs)
	sizes := []int64{100 << 10, 1 << 20, 10 << 20}
	if c.short {
		sizes = sizes[:2]
	}
	in, template, small := filepath.Join(dir, "in.xml"), filepath.Join(dir, "template.xml"), filepath.Join(dir, "small.xml")
	if err := bigXML(small, 0, signaturePlace); err != nil { // what starting the program costs, each time
		return err
	}
	for _, n := range sizes {
		if err := errors.Join(bigXML(in, n, ""), bigXML(template, n, signaturePlace)); err != nil {
			return err
		}
		start := program(ctx, "xmlsec1", "--sign", "--privkey-pem", key, "--output", "/dev/null", small)
		start.name = "xmlsec1 of an empty document"
		cs := []contender{program(ctx, "xmlsec1", "--sign", "--privkey-pem", key, "--output", "/dev/null", template), start}
		for _, p := range jobs {
			cs = append(cs, p.contender(order{In: in, Out: filepath.Join(dir, "out.xml"), Times: int(min(max(10<<20/n, 1), 20))}))
		}
		if err := compare(fmt.Sprintf("%d KiB", n>>10), "xmlsec1", c.rounds, cs); err != nil {
			return err
		}
	}
	return nil
}
