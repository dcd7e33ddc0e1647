package validate

import (
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

const misnamed = "the issuer and the serial number beside the signed digest of the certificate are not its own; the digest decides (EN 319 102-1, 5.2.3.4)"

// begins is the moment at which a month begins.
func begins(m algo.Month) time.Time {
	return time.Date(m.Year, time.Month(m.Month), 1, 0, 0, 0, 0, time.UTC)
}

func (s *Signature) warn(format string, args ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...))
}

// ended takes an error about an algorithm or a key of which the time is over. Whether the signature is proven to be from before is
// known when its time-stamps are judged: see aged.
func (s *Signature) ended(err error) bool {
	var end *algo.Ended
	if !errors.As(err, &end) {
		return false
	}
	s.until = begins(end.Since)
	if s.SubIndication == CryptoConstraintsFailure {
		s.SubIndication = CryptoNoPOE
	}
	return true
}

// aged tells a signature that is proven to be older than the end of its algorithm from one of which nothing shows that (EN 319 102-1,
// 5.2.8.2 and 5.5.4). Neither passes: what old algorithms signed is not verified here.
func (s *Signature) aged(proven time.Time) {
	if s.until.IsZero() || !proven.Before(s.until) {
		return
	}
	if s.SubIndication == CryptoNoPOE {
		s.SubIndication = CryptoConstraintsFailure
	}
	s.Why = append(s.Why, fmt.Sprintf("it is proven to be from before %s, when that was accepted; such signatures are not verified here", s.until.Format(time.DateOnly)))
}

// late warns of an algorithm whose foreseen end has come for all that is known of the signature's age. The day may have been moved since
// the table was written, so that it does not change the verdict.
func (j *judge) late(s *Signature) {
	a, err := algo.Parse(s.Algorithm)
	if err != nil || s.certificate == nil {
		return
	}
	if ends := algo.Ends(a, s.certificate.PublicKey); ends != (algo.Month{}) && !j.when(s).Before(begins(ends)) {
		s.warn("%s with this key was to end in %s (ETSI TS 119 312 V1.5.1), and nothing proves that the signature is older", a, ends)
	}
}
