package pkcs11

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/assent-sign/assent/cryptotoken"
)

// A message is what parent and child exchange, one request and one reply at a
// time. On the pipe: length of the rest (4 bytes, big endian), kind, flags,
// seq (4), num (4), number of fields (2), then each field with its length (4).
type message struct {
	kind   byte   // op of a request, status of a reply
	flags  byte   // of a reply: flagNotStarted, flagRetire
	seq    uint32 // a reply repeats that of its request
	num    uint32 // algorithm, or number of signatures made; see each op
	fields [][]byte
}

// Operations. Fields in order; the reply's fields after the arrow.
const (
	opHello      byte = iota + 1 // module, label, serial, PIN, KEK label, seal label; num: wanted mechanism or 0 -> manufacturer, model, serial, firmware, KEKs...; num: mechanism in use
	opInit                       // (no fields) -> none: makes the two token keys
	opSelfTest                   // (no fields) -> one field per downgrade that the module allowed
	opGenerate                   // key type, KEK -> public key, blob; num: uses
	opSign                       // key type, KEK, blob, digests...; num: algorithm -> signatures...; num: uses
	opCheck                      // key type, KEK, blob -> none
	opFind                       // label -> public key
	opCreate                     // label, key type -> public key; num: uses
	opNamed                      // label, digest; num: algorithm -> signature; num: uses
	opSeal                       // label -> secret
	opPing                       // (no fields) -> none
	opNextKEK                    // the current KEK -> the next one, which may be there already
	opRewrap                     // key type, KEK, KEK to wrap under, blob, public key -> blob
	opDestroyKEK                 // KEK -> none
	opDestroyKey                 // label -> none
)

// Statuses of a reply; all but statusOK carry a text as their first field.
const (
	statusOK byte = iota
	statusKeyNotFound
	statusKeyExists
	statusLocked
	statusBadBlob
	statusUnsupported
	statusInvalidInput
	statusSelfTest
	statusDevice // the module or the session is broken: this child is of no more use
	statusFailed // one call failed, the child is well
)

const (
	flagNotStarted byte = 1 << iota // C_Sign was not called
	flagRetire                      // the child asks to be replaced
)

const (
	maxFrame  = 4 << 20 // 4,096 signatures of RSA-4096 take 2.1 MB
	maxFields = cryptotoken.MaxDigests + 8
	headSize  = 12 // of a frame, after the length
)

var errFrame = errors.New("pkcs11: malformed frame")

// appendFrame encodes m behind b.
func appendFrame(b []byte, m message) ([]byte, error) {
	size := headSize
	for _, f := range m.fields {
		size += 4 + len(f)
	}
	if size > maxFrame || len(m.fields) > maxFields {
		return b, fmt.Errorf("%w: %d bytes in %d fields are too much", errFrame, size, len(m.fields))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = append(b, m.kind, m.flags)
	b = binary.BigEndian.AppendUint32(b, m.seq)
	b = binary.BigEndian.AppendUint32(b, m.num)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.fields)))
	for _, f := range m.fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b, nil
}

// readFrame reads one message. Memory grows with what arrived, not with what a
// length claims. io.EOF only when the stream ended between two frames.
func readFrame(r *bufio.Reader) (message, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return message{}, err
	}
	size := int(binary.BigEndian.Uint32(head[:]))
	if size < headSize || size > maxFrame {
		return message{}, fmt.Errorf("%w: length %d", errFrame, size)
	}
	body, err := readN(r, size)
	if err != nil {
		return message{}, err
	}
	return decodeBody(body)
}

func readN(r io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	buf := make([]byte, 0, min(n, step))
	for len(buf) < n {
		more := min(n-len(buf), step)
		start := len(buf)
		buf = append(buf, make([]byte, more)...)
		if _, err := io.ReadFull(r, buf[start:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return buf, nil
}

// decodeBody decodes a frame without its length. Fields alias b.
func decodeBody(b []byte) (message, error) {
	if len(b) < headSize {
		return message{}, fmt.Errorf("%w: %d bytes", errFrame, len(b))
	}
	m := message{kind: b[0], flags: b[1], seq: binary.BigEndian.Uint32(b[2:]), num: binary.BigEndian.Uint32(b[6:])}
	n := int(binary.BigEndian.Uint16(b[10:]))
	b = b[headSize:]
	if n > maxFields || n > len(b)/4 {
		return message{}, fmt.Errorf("%w: %d fields in %d bytes", errFrame, n, len(b))
	}
	m.fields = make([][]byte, n)
	for i := range m.fields {
		if len(b) < 4 {
			return message{}, fmt.Errorf("%w: field %d is missing", errFrame, i)
		}
		size := binary.BigEndian.Uint32(b)
		b = b[4:]
		if uint64(size) > uint64(len(b)) {
			return message{}, fmt.Errorf("%w: field %d is cut", errFrame, i)
		}
		m.fields[i], b = b[:size:size], b[size:]
	}
	if len(b) != 0 {
		return message{}, fmt.Errorf("%w: %d bytes left over", errFrame, len(b))
	}
	return m, nil
}

// field returns field i, nil when there is none.
func (m message) field(i int) []byte {
	if i >= len(m.fields) {
		return nil
	}
	return m.fields[i]
}
