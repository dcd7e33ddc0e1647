package pkcs11

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// How a child knows that it is one: both must be there.
const (
	childArg = "pkcs11-child"
	childEnv = "ASSENT_PKCS11_CHILD"
)

// Descriptors of a child. Standard input and output are not used: vendors'
// libraries print to them.
const (
	fdRequests = 3
	fdReplies  = 4
	fdLifeline = 5
)

// RunChildIfAsked turns the process into a worker and never returns, when the
// driver started it as one; otherwise it returns false at once. main calls it
// before anything else, and so does TestMain of packages that open a token.
func RunChildIfAsked() bool {
	if len(os.Args) != 2 || os.Args[1] != childArg || os.Getenv(childEnv) != "1" {
		return false
	}
	runChild(newBackend())
	os.Exit(0)
	return true
}

// backend does what requests ask for. close ends the use of the module.
type backend interface {
	handle(req message) message
	close()
}

// runChild serves requests until the parent closes the pipe.
func runChild(b backend) {
	// The parent decides when a child ends: a terminal's interrupt or a service
	// manager's SIGTERM to the whole group must not cut a signature in two.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	harden()
	for fd := fdRequests; fd <= fdLifeline; fd++ {
		syscall.CloseOnExec(fd)
	}
	go dieWithParent(os.NewFile(fdLifeline, "lifeline"))
	runtime.LockOSThread() // some modules keep state per thread
	_ = syscall.SetNonblock(fdRequests, false)
	_ = syscall.SetNonblock(fdReplies, false)
	_ = serve(b, rawFile(fdRequests), rawFile(fdReplies)) // a broken pipe ends the child just as its close does
	b.close()
}

// dieWithParent ends the process at once when the other end of the lifeline
// closes, even while the main loop hangs inside the module.
func dieWithParent(lifeline *os.File) {
	var b [1]byte
	for {
		if _, err := lifeline.Read(b[:]); err != nil {
			os.Exit(3)
		}
	}
}

// serve is the loop of a child.
func serve(b backend, in io.Reader, out io.Writer) error {
	r := bufio.NewReaderSize(in, 32<<10)
	var buf []byte
	for {
		req, err := readFrame(r)
		if err != nil {
			return err
		}
		rep := b.handle(req)
		rep.seq = req.seq
		if buf, err = appendFrame(buf[:0], rep); err != nil {
			// The signatures exist but cannot be sent: not "not started".
			f := &fault{status: statusFailed, started: true, text: err.Error()}
			if buf, err = appendFrame(buf[:0], f.reply(req.seq, rep.num)); err != nil {
				return err
			}
		}
		if _, err := out.Write(buf); err != nil {
			return err
		}
		clear(buf)
	}
}

// rawFile reads and writes a descriptor with plain blocking system calls: a
// child has one thing to do, and Go's poller would only add latency.
type rawFile int

func (f rawFile) Read(b []byte) (int, error) {
	for {
		n, err := syscall.Read(int(f), b)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (f rawFile) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := syscall.Write(int(f), b[done:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}
