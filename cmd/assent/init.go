package main

import (
	"errors"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/setup"
	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
)

func initCommand() *cobra.Command {
	var o setup.Options
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Set up a data directory with commented configuration files",
		Long: `Makes PIN and secret files (mode 0600) and the configuration of samd, sicd, ssad and
assent. In the profiles demo and development it also holds the ceremony with
automatic officers, which are two names and no people: a CA for the callers of
samd, a certificate for each role, and the document that samd begins with. In
production people do that: assent ceremony init. Nothing is overwritten: DIR must
be empty or absent.

Profiles: demo and development use software keys (--hsm none) or SoftHSM2
(--hsm softhsm) and a self-made CA; production takes the path of a PKCS #11 module
and https origins, and refuses everything else.
` + exitCodes,
		Example: `  assent init ./assent --profile development --hsm softhsm
  assent init /srv/assent --profile production --hsm /usr/lib/vendor/libpkcs11.so \
    --signing-origin https://sign.example.org --app-origin https://app.example.org`,
		Args: cobra.ExactArgs(1),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			o.Dir = args[0]
			m, err := setup.Make(cmd.Context(), o)
			if errors.Is(err, setup.ErrOptions) || errors.Is(err, setup.ErrExists) || errors.Is(err, softhsm.ErrMissing) {
				return &exitError{exitUsage, err}
			}
			if err != nil {
				return err
			}
			return initWords.Execute(cmd.OutOrStdout(), map[string]any{"M": m, "O": o})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.Profile, "profile", setup.Development, "demo, development or production")
	f.StringVar(&o.HSM, "hsm", "none", "none (software keys), softhsm, or the absolute path of a PKCS #11 module")
	f.StringVar(&o.TokenLabel, "token-label", "assent", "label of the PKCS #11 token")
	f.StringVar(&o.Cluster, "cluster", "main", "name of the module; signed into every request, never changes")
	f.StringVar(&o.SigningOrigin, "signing-origin", "http://localhost:8441", "origin of the signer's app")
	f.StringVar(&o.AppOrigin, "app-origin", "http://localhost:8440", "origin of the application")
	f.StringVar(&o.RPID, "rp-id", "", "WebAuthn relying party id; default: the signing origin's host")
	f.StringVar(&o.Samd, "samd", "127.0.0.1:8443", "samd's address")
	f.StringVar(&o.Sicd, "sicd", "127.0.0.1:8441", "sicd's address")
	f.StringVar(&o.Ssad, "ssad", "127.0.0.1:8440", "ssad's address")
	f.StringVar(&o.Admin, "admin", "127.0.0.1:8442", "ssad's admin listener; loopback only")
	f.BoolVar(&o.NoViewer, "no-viewer", false, "demo: sicd starts without the document viewer")
	return cmd
}

// initWords says what comes next; docs/operators.md says why.
var initWords = template.Must(template.New("init").Parse(`{{.M.Dir}} is set up ({{.O.Profile}}, keys: {{.O.HSM}}).
{{- if eq .O.Profile "production"}}
  first put the token's PIN into samd/pin, make its keys, complete ssad/ssad.yaml, and
  hold the ceremony: samd does nothing before it (assent ceremony init --dir {{.M.Dir}})
{{- else}}
the officers are AUTOMATIC: two names, no people; nothing signed here has legal standing
{{- end}}
next:
  samd -config {{.M.SamdConfig}}
  assent status --dir {{.M.Dir}} --save-key {{.M.SamKeyFile}}
  ssad -config {{.M.SsadCfg}}
  sicd -config {{.M.SicdConfig}}
  assent signer add ID --name "First Last" --dir {{.M.Dir}}
`))
