package oauth

import (
	"encoding/json"
	"net/http"

	"github.com/assent-sign/assent/api/csc"
)

// Metadata is the document of RFC 8414.
type Metadata struct {
	Issuer               string   `json:"issuer"`
	Authorization        string   `json:"authorization_endpoint"`
	Token                string   `json:"token_endpoint"`
	Pushed               string   `json:"pushed_authorization_request_endpoint"`
	Revocation           string   `json:"revocation_endpoint"`
	Scopes               []string `json:"scopes_supported"`
	ResponseTypes        []string `json:"response_types_supported"`
	ResponseModes        []string `json:"response_modes_supported"`
	Grants               []string `json:"grant_types_supported"`
	TokenAuth            []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs        []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuth       []string `json:"revocation_endpoint_auth_methods_supported"`
	Challenges           []string `json:"code_challenge_methods_supported"`
	IssuerParameter      bool     `json:"authorization_response_iss_parameter_supported"`
	AuthorizationDetails []string `json:"authorization_details_types_supported"`
	ServiceDocumentation string   `json:"service_documentation,omitempty"`
}

// Metadata describes this server.
func (s *Server) Metadata() Metadata {
	methods := []string{AuthSecretBasic, AuthSecretPost, AuthPrivateKeyJWT}
	var algs []string
	for _, a := range signingAlgs {
		algs = append(algs, string(a))
	}
	return Metadata{
		Issuer: s.cfg.Issuer, Authorization: s.cfg.Issuer + PathAuthorize, Token: s.cfg.Issuer + PathToken,
		Pushed: s.cfg.Issuer + PathPushed, Revocation: s.cfg.Issuer + PathRevoke,
		Scopes: []string{csc.ScopeService, csc.ScopeCredential}, ResponseTypes: []string{"code"}, ResponseModes: []string{"query"},
		Grants: []string{"authorization_code", "client_credentials"}, TokenAuth: methods, TokenAuthAlgs: algs,
		RevocationAuth: methods, Challenges: []string{"S256"}, IssuerParameter: true,
		AuthorizationDetails: []string{csc.DetailCredential, csc.DetailCredential2025},
	}
}

// ServeMetadata answers PathMetadata.
func (s *Server) ServeMetadata(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_ = json.NewEncoder(w).Encode(s.Metadata())
}
