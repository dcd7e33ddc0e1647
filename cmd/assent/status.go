package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/internal/ends"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

func statusCommand() *cobra.Command {
	var format, saveKey string
	var wait time.Duration
	var ready bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the module's state, token and audit head",
		Long: `As officer, asks samd about itself. --save-key writes its public statement key (PEM):
sicd needs it, and whoever checks receipts. --ready also asks ssad and sicd whether
they answer, and fails if one does not. --wait asks again until all is well.
` + exitCodes,
		Example: "  assent status\n  assent status --save-key sicd/sam-statement.pem",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	outputFlag(cmd, &format)
	cmd.Flags().StringVar(&saveKey, "save-key", "", "file for the module's public key")
	cmd.Flags().DurationVar(&wait, "wait", 0, "ask again for so long, such as 30s")
	cmd.Flags().BoolVar(&ready, "ready", false, "ssad and sicd must answer too")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		officer, err := s.officer()
		if err != nil {
			return err
		}
		defer officer.Close()
		var st sapclient.Status
		err = patient(cmd.Context(), wait, func(ctx context.Context) error {
			err := officer.Get(ctx, sapclient.PathStatus, nil, &st)
			if err == nil && ready {
				err = errors.Join(ok200(s.AppOrigin+"/livez")(ctx), ok200(s.SigningOrigin+"/config.json")(ctx))
			}
			return err
		})
		if err != nil {
			return err
		}
		if saveKey != "" {
			if err := os.WriteFile(saveKey, proof.SAMKeyPEM(st.Info.StatementKey), 0o644); err != nil {
				return err
			}
		}
		return output(cmd.OutOrStdout(), format, st, func(w io.Writer) error {
			return errors.Join(printStatus(w, st), printEnds(w, s.endingSoon(time.Now()), time.Now()))
		})
	})
	return cmd
}

// patient repeats ask until it succeeds or the time is over.
func patient(ctx context.Context, d time.Duration, ask func(context.Context) error) error {
	end := time.Now().Add(d)
	for {
		err := ask(ctx)
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// sealing says under which epoch samd's records are sealed, and which others count.
func sealing(st sapclient.Status) string {
	if st.SealLow == st.SealEpoch {
		return fmt.Sprintf("epoch %d", st.SealEpoch)
	}
	return fmt.Sprintf("epoch %d; what is of epoch %d on counts until all is sealed anew", st.SealEpoch, st.SealLow)
}

func printStatus(w io.Writer, st sapclient.Status) error {
	open := st.State
	if st.Why != "" {
		open += ": " + st.Why
	}
	_, err := fmt.Fprintf(w, `module      %s, %s (version %s)
token       %s, label of its signatures: %s
key uses    %d since its start, %d of them of signers' keys
origin      %s (rpId %s)
key id      %s
audit head  %s:%d:%s
sealing     %s
`, st.Info.Audience, open, st.Info.Version, st.Token, st.Info.Assurance, st.KeyUses, st.SignerKeyUses,
		st.Info.Origin, st.Info.RPID, st.Info.KeyID, st.Info.Instance, st.AuditSeq, hex.EncodeToString(st.AuditHead), sealing(st))
	if err != nil {
		return err
	}
	if err := printClock(w, st.Clock); err != nil {
		return err
	}
	for _, a := range st.Alarms {
		if _, err := fmt.Fprintf(w, "ALARM       %s %s: %s: %s (%d)\n", unixTime(a.Time), a.Kind, a.Means, a.Subject, a.Count); err != nil {
			return err
		}
	}
	if n := st.ToDestroy; n.Count != 0 {
		if _, err := fmt.Fprintf(w, "to destroy  %d revoked keys wait for two officers, the first since %s (assent credential destroy)\n", n.Count, unixTime(n.Since/1000)); err != nil {
			return err
		}
	}
	if err := printEnds(w, st.Certificates, time.Now()); err != nil {
		return err
	}
	for _, warning := range st.Warnings {
		if _, err := fmt.Fprintf(w, "warning     %s: %s\n", st.Crypto, warning); err != nil {
			return err
		}
	}
	return nil
}

// endingSoon are the certificates of this folder's people that end within 30 days, or
// have ended: samd refuses them then, and says to nobody why.
func (s *settings) endingSoon(now time.Time) []sapclient.CertificateEnd {
	var out []sapclient.CertificateEnd
	for _, id := range []struct{ name, file string }{
		{"officer", s.Officer.Cert}, {"second_officer", s.SecondOfficer.Cert}, {"administrator", s.Administrator.Cert}, {"operator", s.Operator.Cert},
		{"ra", s.RA.Cert}, {"auditor", s.Auditor.Cert},
	} {
		if id.file == "" {
			continue
		}
		c, err := ends.Load(id.name, "", s.path(id.file), "")
		if err == nil && c.End.Sub(now) <= ends.Soon { // each person has only their own files
			out = append(out, sapclient.CertificateEnd{Use: id.name, Subject: c.Subject, End: c.End.Unix()})
		}
	}
	return out
}

// printEnds says when samd's certificates end, and loudly when that is soon.
func printEnds(w io.Writer, list []sapclient.CertificateEnd, now time.Time) error {
	for _, c := range list {
		end := ends.Certificate{End: time.Unix(c.End, 0)}
		word := "ends"
		switch left := end.End.Sub(now); {
		case left < 0:
			word = "HAS ENDED:"
		case left <= ends.Soon:
			word = fmt.Sprintf("ENDS IN %d DAYS:", end.Days(now))
		}
		if _, err := fmt.Fprintf(w, "certificate %s (%s) %s %s\n", c.Use, c.Subject, word, unixTime(c.End)); err != nil {
			return err
		}
	}
	return nil
}

func printClock(w io.Writer, c sapclient.Clock) error {
	state := "trusted"
	if !c.Trusted {
		state = "IN DOUBT, no key is used: " + c.Why
	}
	if len(c.Sources) == 0 {
		state += "; no second source of time: for development only"
	}
	_, err := fmt.Fprintf(w, "clock       %s\n", state)
	for _, s := range c.Sources {
		word := "agrees"
		if !s.Agrees {
			word = "DOES NOT AGREE"
		}
		if err == nil {
			_, err = fmt.Fprintf(w, "            %s %s: %s\n", s.Name, word, s.Detail)
		}
	}
	return err
}

func explainCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "explain REF",
		Short: "Say why the module refused something",
		Long: `Refusals reach signers and clients without a reason. The operator finds it in the
audit record that the refusal names; reasons are listed in sap/reason.go.
` + exitCodes,
		Example: "  assent explain 17",
		Args:    cobra.ExactArgs(1),
	}
	load := dirFlag(cmd)
	outputFlag(cmd, &format)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		officer, err := s.officer()
		if err != nil {
			return err
		}
		defer officer.Close()
		var rec sapclient.AuditRecord
		if err := officer.Get(cmd.Context(), sapclient.PathExplain, url.Values{"ref": {args[0]}}, &rec); err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, rec, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "record %d at %s: %s by %s: %s\n  reason: %s\n  %s\n", rec.Seq, unixTime(rec.Time/1000), rec.Type, rec.Actor, rec.Outcome, reasonWords(rec.Reason), rec.Data)
			return err
		})
	})
	return cmd
}

// reasonWords adds plain words to the reasons that people ask about most.
func reasonWords(reason string) string {
	if w, ok := map[sap.Reason]string{
		sap.ReasonConsumed:      "the approval was used already",
		sap.ReasonExpired:       "the approval came after its time",
		sap.ReasonOrigin:        "the passkey was used on another site",
		sap.ReasonUserVerified:  "the passkey did not verify its user (PIN, finger, face)",
		sap.ReasonCeremony:      "a login was offered as an approval",
		sap.ReasonDTBSR:         "what should be signed does not follow from the approved document",
		sap.ReasonLocked:        "too many failed approvals: assent lockout lift",
		sap.ReasonRaw:           "the key may not sign digests of unseen content: assent credential raw",
		sap.ReasonCertValidity:  "the certificate is outside its validity",
		sap.ReasonRole:          "the caller's role may not do this",
		sap.ReasonAuthenticator: "the authenticator is not enrolled for this signer",
		sap.ReasonEnrolCode:     "the enrolment code is wrong",
		sap.ReasonClock:         "the module does not trust its clock: assent status",
	}[sap.Reason(reason)]; ok {
		return reason + ": " + w
	}
	return reason
}

func lockoutCommand() *cobra.Command {
	return group("lockout", "Lift the lockout of a signer's authenticator",
		"  assent lockout lift --signer anna --credential ID --why \"called back\"", lockoutLiftCommand())
}

func lockoutLiftCommand() *cobra.Command {
	var in sapclient.LiftIn
	cmd := &cobra.Command{
		Use:     "lift",
		Short:   "Let an authenticator try again",
		Long:    "As officer, after you know why it was locked. The reason goes into the audit record.\n" + exitCodes,
		Example: "  assent lockout lift --signer anna --credential ID --why \"signer called back, wrong finger\"",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	cmd.Flags().StringVar(&in.Signer, "signer", "", "signer id")
	cmd.Flags().StringVar(&in.Credential, "credential", "", "authenticator, as assent signer show prints it")
	cmd.Flags().StringVar(&in.Why, "why", "", "why it is safe")
	for _, f := range []string{"signer", "credential", "why"} {
		_ = cmd.MarkFlagRequired(f)
	}
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		officer, err := s.officer()
		if err != nil {
			return err
		}
		defer officer.Close()
		if err := officer.Post(cmd.Context(), sapclient.PathLift, in, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "the authenticator of %s may be used again\n", in.Signer)
		return err
	})
	return cmd
}
