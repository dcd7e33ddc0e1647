// Command pdfsignjudge asks the verifier of digitorus/pdfsign about a PDF that
// we made. It is a program of its own because that library reads PDFs without
// bounds: a hostile file can make it eat all memory or never end. So it limits
// its own memory and processor time, and nothing of ours links it.
//
// Its verdict counts only as "the signature value and the digest are right, and
// the time-stamp's imprint fits": it has no coverage check and no policy.
//
//	pdfsignjudge file.pdf
//
// It exits with 0 if every signature of the file is valid, 1 if one is not, and
// 2 if it could not look.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/digitorus/pdfsign/verify"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pdfsignjudge", flag.ContinueOnError)
	flags.SetOutput(stderr)
	version := flags.Bool("version", false, "print the version of the library")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *version {
		fmt.Fprintln(stdout, "digitorus/pdfsign", libraryVersion())
		return 0
	}
	if flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: pdfsignjudge file.pdf")
		return 2
	}
	if err := limitSelf(); err != nil {
		fmt.Fprintln(stderr, "pdfsignjudge: cannot limit itself:", err)
		return 2
	}
	return look(flags.Arg(0), stdout, stderr)
}

func look(path string, stdout, stderr io.Writer) int {
	f, err := os.Open(path)
	if err != nil {
		fmt.Fprintln(stderr, "pdfsignjudge:", err)
		return 2
	}
	defer func() { _ = f.Close() }()
	res, err := verify.VerifyFile(f)
	if err != nil {
		fmt.Fprintln(stderr, "pdfsignjudge:", err)
		return 2
	}
	if res.Error != "" || len(res.Signers) == 0 {
		fmt.Fprintf(stdout, "no signature could be judged: %s\n", res.Error)
		return 1
	}
	code := 0
	for i, s := range res.Signers {
		fmt.Fprintf(stdout, "signature %d: valid=%v time-stamp=%s\n", i+1, s.ValidSignature, s.TimestampStatus)
		if !s.ValidSignature || s.TimestampStatus == "invalid" {
			code = 1
		}
	}
	return code
}

func libraryVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/digitorus/pdfsign" {
			return d.Version
		}
	}
	return "unknown"
}
