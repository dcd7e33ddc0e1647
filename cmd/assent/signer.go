package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/caller"
	"github.com/assent-sign/assent/cmd/assent/internal/person"
	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
	"github.com/assent-sign/assent/sap/sapclient"
)

func signerCommand() *cobra.Command {
	return group("signer", "Add signers, see their state, recover who lost the passkey",
		"  assent signer add anna --name \"Anna Demo\"\n  assent signer show anna",
		signerAddCommand(), signerLinkCommand(), signerShowCommand(),
		signerNoticesCommand(), signerRevokeCommand(), signerRecoverCommand(), signerHalfCommand(), signerEndCommand())
}

func signerAddCommand() *cobra.Command {
	var in sapclient.SignerIn
	var software bool
	cmd := &cobra.Command{
		Use:   "add ID",
		Short: "Record a signer whose identity was proofed, and open the enrolment",
		Long: `As registration authority, records the signer in the module; then, as officer, prints
two one-time links for them. Where the officer's files are not at hand, that is the
officer's part: assent signer link. The links are the enrolment link (with the officer's code; it registers the signing passkey
at the signing origin) and the invitation (it registers the login passkey at the
app origin). Give the enrolment link to the proofed person only, and not by way of
the application: whoever has it becomes the signer.

--software makes a software signer instead, in the demo and development profiles.
` + exitCodes,
		Example: `  assent signer add anna --name "Anna Demo" --proof passport-2026-11-17
  assent signer add robot --name "Robot Demo" --software`,
		Args: cobra.ExactArgs(1),
	}
	load := dirFlag(cmd)
	cmd.Flags().StringVar(&in.Name, "name", "", "name as proofed; it goes into the certificate request")
	cmd.Flags().StringVar(&in.Proof, "proof", "by officer", "reference of the record of identity proofing")
	cmd.Flags().BoolVar(&software, "software", false, "demo and development: enrol a software authenticator; it says so loudly")
	_ = cmd.MarkFlagRequired("name")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		in.ID = args[0]
		if err := s.record(cmd.Context(), in); err != nil {
			return err
		}
		if s.Officer.Cert == "" {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is recorded; an officer goes on: assent signer link %s\n", in.ID, in.ID)
			return err
		}
		officer, err := s.officer()
		if err != nil {
			return err
		}
		defer officer.Close()
		l, err := s.links(cmd.Context(), officer, in.ID, in.Name)
		if err != nil {
			return err
		}
		if software {
			return s.enrolSoftware(cmd, in.ID, l)
		}
		return l.print(cmd.OutOrStdout())
	})
	return cmd
}

// record records a signer, as registration authority.
func (s *settings) record(ctx context.Context, in sapclient.SignerIn) error {
	ra, err := s.registrar()
	if err != nil {
		return err
	}
	defer ra.Close()
	return ra.Post(ctx, sapclient.PathSigners, in, nil)
}

func signerLinkCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "link ID",
		Short:   "Print new links for a signer whose links expired unused",
		Long:    "Opens a new enrolment and a new invitation for a signer who is recorded but not enrolled.\n" + exitCodes,
		Example: "  assent signer link anna",
		Args:    cobra.ExactArgs(1),
	}
	load := dirFlag(cmd)
	cmd.Flags().StringVar(&name, "name", "", "name on the app origin's pages; default: the recorded one")
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
		if name == "" {
			var known sapclient.Signer
			if err := officer.Get(cmd.Context(), sapclient.PathSigners, url.Values{"id": {args[0]}}, &known); err != nil {
				return err
			}
			name = known.Name
		}
		l, err := s.links(cmd.Context(), officer, args[0], name)
		if err != nil {
			return err
		}
		return l.print(cmd.OutOrStdout())
	})
	return cmd
}

func signerShowCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a signer and their authenticators",
		Long:    "Shows the module's record of a signer.\n" + exitCodes,
		Example: "  assent signer show anna -o json",
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
		var out sapclient.Signer
		if err := officer.Get(cmd.Context(), sapclient.PathSigners, url.Values{"id": {args[0]}}, &out); err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, out, func(w io.Writer) error {
			fmt.Fprintf(w, "%s (%s): %s\n", out.ID, out.Name, out.State)
			for _, a := range out.Authenticators {
				locked := ""
				if a.Locked {
					locked = ", LOCKED OUT"
				}
				fmt.Fprintf(w, "  authenticator %s, attestation %s, can be backed up: %v, since %s%s\n", a.Credential, a.Attestation, a.BackupEligible, unixTime(a.Created), locked)
			}
			return nil
		})
	})
	return cmd
}

// links are the two one-time links of a new signer.
type links struct {
	Enrol   string // at the signing origin, with the officer's code
	Join    string // at the app origin
	Expires int64
}

func (l links) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "give both links to the signer, each works once (until %s):\n  signing passkey:  %s\n  login passkey:    %s\n", unixTime(l.Expires), l.Enrol, l.Join)
	return err
}

// links opens an enrolment in the module and an invitation at ssad. The code of
// the first never passes through ssad.
func (s *settings) links(ctx context.Context, officer *caller.Client, id, name string) (links, error) {
	var code sapclient.EnrolCodeOut
	if err := officer.Post(ctx, sapclient.PathEnrolCode, sapclient.EnrolCodeIn{Signer: id}, &code); err != nil {
		return links{}, err
	}
	l := links{Enrol: s.SigningOrigin + "/enrol#" + "id=" + url.QueryEscape(code.ID) + "&code=" + url.QueryEscape(code.Code), Expires: code.Expires}
	var err error
	l.Join, err = s.invite(ctx, id, name)
	return l, err
}

// enrolSoftware takes the signer's part with a software authenticator.
func (s *settings) enrolSoftware(cmd *cobra.Command, id string, l links) error {
	if s.DemoSigners == "" {
		return missing("--software: only installations of the demo and development profiles have software signers")
	}
	fmt.Fprintf(cmd.OutOrStdout(), "SOFTWARE SIGNER: %s is a program, nobody approves anything, its signatures mean nothing\n", id)
	dev, err := s.newDevice(cmd.Context())
	if err != nil {
		return err
	}
	p, err := person.New(s.AppOrigin, s.SigningOrigin, dev)
	if err != nil {
		return err
	}
	if _, err := p.Enrol(cmd.Context(), l.Enrol); err != nil {
		return err
	}
	if err := p.Join(cmd.Context(), l.Join); err != nil {
		return err
	}
	path := s.personFile(id)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := p.Save(path); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "enrolled; keys in %s\n", path)
	return err
}

func (s *settings) personFile(id string) string {
	return filepath.Join(s.path(s.DemoSigners), id+".json")
}

// newDevice makes a software authenticator that believes the module that this
// installation has.
func (s *settings) newDevice(ctx context.Context) (*device.Software, error) {
	in, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	key, err := proof.ReadSAMKey(in.StatementKey)
	if err != nil {
		return nil, err
	}
	return device.New(key, in.Origin, in.RPID)
}

// info asks the module about itself, as officer.
func (s *settings) info(ctx context.Context) (*sapclient.Info, error) {
	officer, err := s.officer()
	if err != nil {
		return nil, err
	}
	defer officer.Close()
	in := &sapclient.Info{}
	return in, officer.Get(ctx, sapclient.PathInfo, nil, in)
}

// invite asks ssad's admin listener for a login invitation.
func (s *settings) invite(ctx context.Context, id, name string) (string, error) {
	if !sap.ValidID(id) {
		return "", missing("%q is no signer id: letters, digits and . _ : @ -", id)
	}
	token, err := config.ReadSecret(s.path(s.AdminToken))
	if err != nil {
		return "", err
	}
	defer token.Wipe()
	body, err := json.Marshal(map[string]string{"signer": id, "name": name})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Admin+"/admin/v1/invitations", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+string(token.Reveal()))
	res, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return "", fmt.Errorf("ssad's admin listener at %s: %w", s.Admin, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return "", err
	}
	var out struct {
		URL string `json:"url"`
	}
	if res.StatusCode/100 != 2 || json.Unmarshal(text, &out) != nil || out.URL == "" {
		return "", fmt.Errorf("ssad's admin listener: %s: %.200s", res.Status, text)
	}
	return out.URL, nil
}

func unixTime(s int64) string { return time.Unix(s, 0).UTC().Format("2006-01-02 15:04:05 UTC") }
