package csc

// Version is the value of info.specs.
const Version = "2.0.0.0"

// Methods of the API, as named in info.methods.
const (
	MethodInfo            = "info"
	MethodCredentialsList = "credentials/list"
	MethodCredentialsInfo = "credentials/info"
	MethodSignHash        = "signatures/signHash"
	MethodSignDoc         = "signatures/signDoc"
	MethodSignPolling     = "signatures/signPolling"
	MethodAuthorize       = "oauth2/authorize"
	MethodPushedAuthorize = "oauth2/pushed_authorize"
	MethodToken           = "oauth2/token"
	MethodRevoke          = "oauth2/revoke"
)

// Scopes of clause 8.4.
const (
	ScopeService    = "service"
	ScopeCredential = "credential"
)

// Types of authorization_details (RFC 9396): v2.0 and v2.1 name.
const (
	DetailCredential     = "credential"
	DetailCredential2025 = "https://cloudsignatureconsortium.org/2025/credential"
)

// Error codes of clause 10.1 and of the methods served.
const (
	ErrInvalidRequest     = "invalid_request"
	ErrUnauthorizedClient = "unauthorized_client"
	ErrAccessDenied       = "access_denied"
	ErrInvalidScope       = "invalid_scope"
	ErrServerError        = "server_error"
	ErrUnavailable        = "temporarily_unavailable"
	ErrExpiredToken       = "expired_token"
	ErrInvalidToken       = "invalid_token"
	ErrAcceptedRequest    = "accepted_request"
	ErrInvalidHash        = "invalid_hash"
)

// Error is every error answer of the CSC methods (clause 10.1). The members
// after the first two are ours; clients ignore members that they do not know.
type Error struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
	RequestID   string `json:"request_id,omitempty"`
	Retry       string `json:"retry,omitempty"`        // never, later, same
	ResponseID  string `json:"responseID,omitempty"`   // with accepted_request
	ApprovalURL string `json:"approval_url,omitempty"` // with accepted_request, once
}

// Info is the answer of info (clause 11.1).
type Info struct {
	Specs               string           `json:"specs"`
	Name                string           `json:"name"`
	Logo                string           `json:"logo"`
	Region              string           `json:"region"`
	Lang                string           `json:"lang"`
	Description         string           `json:"description"`
	AuthType            []string         `json:"authType"`
	OAuth2              string           `json:"oauth2,omitempty"`
	AsynchronousMode    bool             `json:"asynchronousOperationMode"`
	Methods             []string         `json:"methods"`
	ValidationInfo      bool             `json:"validationInfo"`
	SignAlgorithms      SignAlgorithms   `json:"signAlgorithms"`
	SignatureFormats    SignatureFormats `json:"signature_formats"`
	ConformanceLevels   []string         `json:"conformance_levels"`
	SupportedHashTypes  []string         `json:"supportedHashTypes"`
	SupportsRAR         bool             `json:"supportsRar"`
	DocumentTypes       []string         `json:"documentTypes,omitempty"`
	OperatorDescription string           `json:"profile,omitempty"` // ours: demo or production
}

// SignAlgorithms lists the algorithms in use.
type SignAlgorithms struct {
	Algos      []string `json:"algos"`
	AlgoParams []string `json:"algoParams"`
}

// SignatureFormats lists formats and, for each, its envelope properties.
type SignatureFormats struct {
	Formats            []string   `json:"formats"`
	EnvelopeProperties [][]string `json:"envelope_properties"`
}

// List is the answer of credentials/list (clause 11.4).
type List struct {
	CredentialIDs   []string         `json:"credentialIDs"`
	CredentialInfos []CredentialInfo `json:"credentialInfos,omitempty"`
	OnlyValid       bool             `json:"onlyValid,omitempty"`
}

// CredentialInfo is the answer of credentials/info (clause 11.5) and, with
// CredentialID, an entry of credentials/list.
type CredentialInfo struct {
	CredentialID string `json:"credentialID,omitempty"`
	Description  string `json:"description,omitempty"`
	Key          Key    `json:"key"`
	Cert         Cert   `json:"cert"`
	Auth         Auth   `json:"auth"`
	SCAL         string `json:"SCAL"`
	Multisign    int    `json:"multisign"`
	Lang         string `json:"lang,omitempty"`
	Assurance    string `json:"assurance"` // ours: the SAM's computed label
}

// Key describes a credential's key.
type Key struct {
	Status string   `json:"status"` // enabled, disabled
	Algo   []string `json:"algo"`   // signature OIDs, then the key's own
	Len    int      `json:"len"`
	Curve  string   `json:"curve,omitempty"`
}

// Cert describes a credential's certificate.
type Cert struct {
	Status       string   `json:"status,omitempty"` // valid, expired
	Certificates []string `json:"certificates,omitempty"`
	IssuerDN     string   `json:"issuerDN,omitempty"`
	SerialNumber string   `json:"serialNumber,omitempty"` // hex
	SubjectDN    string   `json:"subjectDN,omitempty"`
	ValidFrom    string   `json:"validFrom,omitempty"`
	ValidTo      string   `json:"validTo,omitempty"`
}

// Auth describes how the signer authorises. Expression and Objects are null
// with oauth2code; the Kotlin client needs the members to be there.
type Auth struct {
	Mode       string   `json:"mode"`
	Expression *string  `json:"expression"`
	Objects    []string `json:"objects"`
}

// Signatures is the answer of signatures/signHash (clause 11.10).
type Signatures struct {
	Signatures []string `json:"signatures"`
}

// Response is the answer of an asynchronous call.
type Response struct {
	ResponseID  string `json:"responseID"`
	ApprovalURL string `json:"approval_url,omitempty"` // ours: where the signer approves
}
