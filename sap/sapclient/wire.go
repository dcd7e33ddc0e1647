// Package sapclient is the SSA's and the officer's client of the signature
// activation module: the wire types of samd's API (JSON over mutually
// authenticated TLS 1.3) and a client for each role. ssad and assent link this
// package and no code of package sam.
package sapclient

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/assent-sign/assent/sap"
)

// Paths of samd's API. Roles are those of the caller's certificate; each path
// has one list of roles, asserted from the route table.
const (
	PathInfo        = "/v1/info"                    // GET; all roles
	PathRequest     = "/v1/activation/request"      // POST; sspu
	PathRedeem      = "/v1/activation/redeem"       // POST; sspu
	PathCredentials = "/v1/credentials"             // GET ?signer= or ?key=; sspu, officer, ra. POST (generate); officer
	PathCertificate = "/v1/credentials/certificate" // POST; officer
	PathPermission  = "/v1/credentials/permission"  // POST; officer
	PathKeyStatus   = "/v1/credentials/status"      // POST; officer
	PathOnceRequest = "/v1/onetime/request"         // POST; sspu
	PathOnceApprove = "/v1/onetime/approve"         // POST; sspu
	PathOnceEnd     = "/v1/onetime/end"             // POST; sspu
	PathEnrolBegin  = "/v1/enrolment/begin"         // POST; sspu
	PathEnrolFinish = "/v1/enrolment/finish"        // POST; sspu
	PathSigners     = "/v1/signers"                 // POST; ra. GET ?id=; officer, ra, sspu
	PathEnrolCode   = "/v1/enrolment/code"          // POST; officer
	PathLift        = "/v1/lockout/lift"            // POST; officer
	PathAudit       = "/v1/audit"                   // GET ?from=&limit=[&since=&until=&type=&identity=]; auditor
	PathExplain     = "/v1/explain"                 // GET ?ref=; auditor, officer
	PathStatus      = "/v1/status"                  // GET; officer, administrator, operator, auditor
	PathHealth      = "/v1/health"                  // GET; all roles
	PathDecisions   = "/v1/decisions"               // POST (propose); officer. GET ?state=&limit=; officer, auditor
	PathApprove     = "/v1/decisions/approve"       // POST; another officer
	PathWithdraw    = "/v1/decisions/withdraw"      // POST; officer
	PathRoles       = "/v1/roles"                   // GET; officer, administrator, auditor
	PathSelfTest    = "/v1/selftest"                // POST; officer, administrator
	PathReopen      = "/v1/reopen"                  // POST; officer
)

// Paths for changes of a signer's authenticators, and recovery.
const (
	PathChangeBegin  = "/v1/authenticators/change" // POST; sspu
	PathChangeFinish = "/v1/authenticators/finish" // POST; sspu
	PathAuthList     = "/v1/authenticators/list"   // POST; sspu, officer
	PathAuthRevoke   = "/v1/authenticators/revoke" // POST; officer
	PathHalf         = "/v1/recovery/half"         // POST; officer, each for himself
)

// Info is what a SAM says of itself.
type Info struct {
	Audience     string                 `json:"aud"`           // cluster "#" epoch
	Instance     string                 `json:"instance"`      // audit chain id
	StatementKey []byte                 `json:"statement_key"` // SubjectPublicKeyInfo, P-256
	KeyID        string                 `json:"key_id"`
	FirstKey     []byte                 `json:"first_key"`   // SubjectPublicKeyInfo of the module's first statement key
	Successions  []sap.SignedSuccession `json:"successions"` // from the first statement key to this one (KPR-06)
	Origin       string                 `json:"origin"`      // the one origin whose assertions count
	RPID         string                 `json:"rp_id"`
	Assurance    string                 `json:"assurance"`
	Policies     []Policy               `json:"policies"`
	Version      string                 `json:"version"`
}

// Policy is an activation policy by name.
type Policy struct {
	ID       string `json:"id"`
	MaxItems int    `json:"max_items"`
	Lifetime int    `json:"lifetime_seconds"`
	Raw      bool   `json:"raw"` // whether a credential's raw permission counts under it
}

// ActivationRequestIn asks for an activation request.
type ActivationRequestIn struct {
	Signer string `json:"signer"`
	Key    string `json:"key"`
	Alg    string `json:"alg"` // JOSE name; "" for the key's default
	N      int    `json:"n"`
	Policy string `json:"policy"` // "" for the module's default
}

// ActivationRequestOut is the SAM's signed offer.
type ActivationRequestOut struct {
	Request sap.Signed `json:"request"`
}

// RedeemIn redeems signature activation data. All three are canonical bytes.
// Evidence is "[]" for kinds that need none.
type RedeemIn struct {
	SAD      []byte `json:"sad"`
	Proof    []byte `json:"proof"`
	Evidence []byte `json:"evidence"`
}

// RedeemOut is the answer; a byte-identical repetition gets the same bytes.
type RedeemOut struct {
	Signatures [][]byte          `json:"signatures"` // in the order of the SAD's items
	Receipt    sap.SignedReceipt `json:"receipt"`
}

// Credential is a signer's key as others may see it.
type Credential struct {
	Key       string   `json:"key"`
	Signer    string   `json:"signer"`
	KeyType   string   `json:"key_type"`
	Algs      []string `json:"algs"`  // allowed now, JOSE names, default first
	State     string   `json:"state"` // generated, active, suspended, destroyed
	Carrier   string   `json:"carrier"`
	Chain     [][]byte `json:"chain,omitempty"` // DER, leaf first; empty before the link
	CSR       []byte   `json:"csr,omitempty"`   // PKCS#10 DER, while state is generated
	Raw       bool     `json:"raw"`             // may sign digests of unseen content
	Assurance string   `json:"assurance"`
	Policy    string   `json:"policy,omitempty"` // the only activation policy that the key may be used under; "" for any
	Created   int64    `json:"created"`          // Unix seconds
}

// CredentialsOut lists credentials.
type CredentialsOut struct {
	Credentials []Credential `json:"credentials"`
}

// GenerateIn makes a key for an enrolled signer (officer).
type GenerateIn struct {
	Signer  string `json:"signer"`
	KeyType string `json:"key_type"`
	Subject string `json:"subject"` // RFC 4514 DN for the CSR; "" for CN=<signer's proofed name>
}

// CertificateIn links a certificate to a key (officer).
type CertificateIn struct {
	Key   string   `json:"key"`
	Chain [][]byte `json:"chain"` // DER, leaf first
}

// PermissionIn clears the raw permission of a credential (officer); to set it is
// the decision raw_permission.
type PermissionIn struct {
	Key string `json:"key"`
	Raw bool   `json:"raw"`
}

// OnceRequestIn asks for the SAM's offer of a one-time key.
type OnceRequestIn struct {
	Signer  string `json:"signer"`
	KeyType string `json:"key_type"` // "" for the policy's default
	Subject string `json:"subject"`  // as in GenerateIn
	Policy  string `json:"policy"`   // "" for the module's default
}

// OnceRequestOut is the SAM's signed offer (sap.OneTimeRequest).
type OnceRequestOut struct {
	Request sap.Signed `json:"request"`
}

// OnceApproveIn hands over the signer's assertion over the offer's bytes.
type OnceApproveIn struct {
	Statement []byte `json:"statement"`
	Proof     []byte `json:"proof"`
}

// OnceApproveOut is a certified one-time key; it goes into an activation request
// like every other.
type OnceApproveOut struct {
	Key       string   `json:"key"`
	Signer    string   `json:"signer"`
	KeyType   string   `json:"key_type"`
	Algs      []string `json:"algs"`
	Chain     [][]byte `json:"chain"`
	Assurance string   `json:"assurance"`
	Expires   int64    `json:"expires"`
}

// OnceEndIn ends a one-time key that will not be used.
type OnceEndIn struct {
	Key string `json:"key"`
}

// KeyStatusIn tells what the CA says of a key's certificate (officer).
type KeyStatusIn struct {
	Key    string `json:"key"`
	Status string `json:"status"` // good, on_hold, revoked
	Why    string `json:"why"`
}

// SignerIn creates a signer record after identity proofing (ra).
type SignerIn struct {
	ID    string `json:"id"`    // chosen by the operator, ValidID
	Name  string `json:"name"`  // as proofed
	Proof string `json:"proof"` // reference of the proofing record (ENR-01)
}

// ChangeBeginIn asks for the SAM's offer to change a signer's authenticators.
type ChangeBeginIn struct {
	Signer string `json:"signer"`
	Action string `json:"action"` // add, remove
	Target string `json:"target"` // credential id that is removed, base64url
}

// ChangeBeginOut is the SAM's signed offer (sap.ChangeRequest).
type ChangeBeginOut struct {
	Request sap.Signed `json:"request"`
}

// ChangeFinishIn hands over the device's answer (canonical sap.Change).
type ChangeFinishIn struct {
	ID     string `json:"id"`
	Change []byte `json:"change"`
}

// ChangeFinishOut tells what was changed.
type ChangeFinishOut struct {
	Signer     string `json:"signer"`
	Action     string `json:"action"`
	Credential string `json:"credential"`
	UsableFrom int64  `json:"usable_from"`
}

// AuthListIn asks for a signer's authenticators and notices.
type AuthListIn struct {
	Signer string `json:"signer"`
	Nonce  string `json:"nonce"` // base64url, 32 octets; comes back in the list
	After  int64  `json:"after"` // notices behind this number
}

// AuthListOut is the SAM's signed list (sap.AuthenticatorList).
type AuthListOut struct {
	List sap.Signed `json:"list"`
}

// AuthRevokeIn removes an authenticator at once (officer).
type AuthRevokeIn struct {
	Signer     string `json:"signer"`
	Credential string `json:"credential"`
	Why        string `json:"why"`
}

// KindRecovery is the decision by which two officers let a signer who has no
// authenticator any more enrol a new one; its arguments are Recovery.
const KindRecovery = "signer_recovery"

// Recovery is the argument of the decision.
type Recovery struct {
	Signer string `json:"signer"`
	Name   string `json:"name"`  // as proofed now
	Proof  string `json:"proof"` // reference of the new proofing record
	Why    string `json:"why"`
}

// Decisions by which two officers destroy keys, for ever.
const (
	KindDestroy   = "key_destroy"
	KindEndSigner = "signer_end"
)

// DestroyKey is the argument of the decision key_destroy. Signer and certificate
// are there for the second officer to read; the SAM refuses what is not so.
type DestroyKey struct {
	Key    string `json:"key"`
	Signer string `json:"signer"`
	Cert   string `json:"cert"` // SHA-256 of the certificate, hex; "" when there is none
	Why    string `json:"why"`
}

// Destruction is the argument with which the destruction of this key is proposed.
func (c *Credential) Destruction(why string) DestroyKey {
	in := DestroyKey{Key: c.Key, Signer: c.Signer, Why: why}
	if len(c.Chain) > 0 {
		sum := sha256.Sum256(c.Chain[0])
		in.Cert = hex.EncodeToString(sum[:])
	}
	return in
}

// EndSigner is the argument of the decision signer_end.
type EndSigner struct {
	Signer string   `json:"signer"`
	Cause  string   `json:"cause"` // signer_request, last_authenticator_lost
	Keys   []string `json:"keys"`  // all keys that are not destroyed yet, in ascending order
	Why    string   `json:"why"`
}

// HalfIn asks for the caller's half of a recovery code.
type HalfIn struct {
	Signer string `json:"signer"`
}

// HalfOut is shown once, to one of the two officers.
type HalfOut struct {
	ID      string `json:"id"` // of the enrolment; not secret
	Signer  string `json:"signer"`
	No      int    `json:"no"`   // 1 or 2: the code is the first half followed by the second
	Half    string `json:"half"` // secret; goes to the signer by its own way, never to the SSA or the other officer
	Expires int64  `json:"expires"`
}

// Signer is a signer's record as others may see it.
type Signer struct {
	ID             string          `json:"id"`
	Name           string          `json:"name"`
	State          string          `json:"state"` // created, enrolled
	Authenticators []Authenticator `json:"authenticators"`
}

// Authenticator is an enrolled authenticator as others may see it.
type Authenticator struct {
	Credential     string `json:"credential"` // base64url
	AAGUID         string `json:"aaguid"`
	BackupEligible bool   `json:"backup_eligible"`
	Attestation    string `json:"attestation"` // format
	Locked         bool   `json:"locked"`
	Created        int64  `json:"created"`
	Via            string `json:"via,omitempty"`         // how it came: code, assertion, proofing
	UsableFrom     int64  `json:"usable_from,omitempty"` // end of its cooling time
}

// EnrolCodeIn opens an enrolment (officer).
type EnrolCodeIn struct {
	Signer string `json:"signer"`
}

// EnrolCodeOut is shown once.
type EnrolCodeOut struct {
	ID      string `json:"id"`   // names the open enrolment; not secret
	Code    string `json:"code"` // secret; goes to the signer, never to the SSA
	Expires int64  `json:"expires"`
}

// EnrolBeginIn asks for a registration request of an open enrolment.
type EnrolBeginIn struct {
	ID string `json:"id"`
}

// EnrolBeginOut is the SAM's signed offer.
type EnrolBeginOut struct {
	Request sap.Signed `json:"request"`
}

// EnrolFinishIn hands over the device's answer (canonical sap.Registration).
type EnrolFinishIn struct {
	ID           string `json:"id"`
	Registration []byte `json:"registration"`
}

// EnrolFinishOut tells what was enrolled.
type EnrolFinishOut struct {
	Signer     string `json:"signer"`
	Credential string `json:"credential"`
}

// LiftIn lifts a lockout (officer; never SSPU).
type LiftIn struct {
	Signer     string `json:"signer"`
	Credential string `json:"credential"`
	Why        string `json:"why"`
}

// ProposeIn is the first half of an act that needs two officers (ROL-04). Args
// are canonical JSON (RFC 8785), so that both officers read the same.
type ProposeIn struct {
	Kind string `json:"kind"`
	Args []byte `json:"args"`
}

// ProposalIn names a proposal.
type ProposalIn struct {
	ID string `json:"id"`
}

// Proposal is an act that waits for its second officer, or did.
type Proposal struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Args     []byte `json:"args"`   // canonical JSON
	State    string `json:"state"`  // pending, approved, withdrawn, expired
	By       string `json:"by"`     // identity of the first officer
	Person   string `json:"person"` // who that is
	Second   string `json:"second"` // who approved or withdrew it
	Created  int64  `json:"created"`
	Expires  int64  `json:"expires"`
	Decided  int64  `json:"decided"` // 0 while pending
	AuditSeq int64  `json:"audit_seq"`
}

// ProposalsOut lists proposals, the youngest first.
type ProposalsOut struct {
	Proposals []Proposal `json:"proposals"`
}

// RoleGrant is a caller that the module knows.
type RoleGrant struct {
	Name    string `json:"name"`
	Person  string `json:"person"`
	Role    string `json:"role"`
	Key     string `json:"key"`   // SHA-256 of the certificate's public key, hex
	State   string `json:"state"` // active, revoked
	Created int64  `json:"created"`
}

// RolesOut lists callers by name.
type RolesOut struct {
	Roles []RoleGrant `json:"roles"`
}

// AuditOut is a page of audit records.
type AuditOut struct {
	Records []AuditRecord `json:"records"`
	Next    int64         `json:"next"` // where the search goes on; -1 at the end
}

// AuditRecord is one record of the chain, in a form from which its hash can be
// recomputed (internal/audit).
type AuditRecord struct {
	Seq     int64  `json:"seq"`
	Time    int64  `json:"time"` // Unix milliseconds
	Type    string `json:"type"`
	Actor   string `json:"actor"`
	Outcome string `json:"outcome"` // ok, refused, error
	Reason  string `json:"reason"`
	Data    string `json:"data"` // canonical JSON
	Hash    []byte `json:"hash"`
}

// Clock is what the SAM knows about the time. It uses no key while Trusted is false.
type Clock struct {
	Trusted bool          `json:"trusted"`
	Why     string        `json:"why,omitempty"`
	Sources []ClockSource `json:"sources"` // beside the machine's clock; none: development only
}

// Alarm is something that people should look at.
type Alarm struct {
	Kind    string `json:"kind"`
	Means   string `json:"means"`
	Subject string `json:"subject"` // whom it is about
	Count   int    `json:"count"`
	Time    int64  `json:"time"` // Unix seconds
}

// ClockSource is what a second source of time last said.
type ClockSource struct {
	Name   string `json:"name"`
	Agrees bool   `json:"agrees"`
	Detail string `json:"detail"`
}

// Status is for operators.
type Status struct {
	Info          Info     `json:"info"`
	State         string   `json:"state"` // open, closed
	Why           string   `json:"why,omitempty"`
	Token         string   `json:"token"`
	KeyUses       uint64   `json:"key_uses"`        // of all keys since start, the module's own too
	SignerKeyUses uint64   `json:"signer_key_uses"` // of signers' keys
	AuditSeq      int64    `json:"audit_seq"`
	AuditHead     []byte   `json:"audit_head"`
	Crypto        string   `json:"crypto"`             // profile of algorithms
	Warnings      []string `json:"warnings,omitempty"` // what ends within 12 months, or has ended

	SelfTest   SelfTest  `json:"self_test"` // the last one
	Clock      Clock     `json:"clock"`
	Alarms     []Alarm   `json:"alarms"`               // the last ones, the oldest first
	Checkpoint string    `json:"checkpoint,omitempty"` // newest signed checkpoint of the audit chain: keep it elsewhere
	KEK        string    `json:"kek,omitempty"`        // label and epoch of the current wrapping key
	SealEpoch  int64     `json:"seal_epoch"`           // of the key under which records are sealed
	SealLow    int64     `json:"seal_low"`             // first epoch that counts; below seal_epoch while records are sealed anew
	Backup     *Backup   `json:"backup,omitempty"`     // the last one since samd started
	Waiting    []Waiting `json:"waiting,omitempty"`    // what two officers must accept before the module opens

	ToDestroy WaitingKeys `json:"to_destroy"` // revoked keys

	Certificates []CertificateEnd `json:"certificates,omitempty"` // of the process itself
}

// CertificateEnd is when a certificate ends that samd uses.
type CertificateEnd struct {
	Use     string `json:"use"` // tls: its own; caller_ca: of those who call it
	Subject string `json:"subject"`
	End     int64  `json:"end"` // Unix seconds
}

// WaitingKeys are keys that are out of use for ever and wait for two officers to destroy
// them.
type WaitingKeys struct {
	Count int64 `json:"count"`
	Since int64 `json:"since"` // Unix milliseconds of the end of the first of them; 0: none
}

// Backup is a backup that samd has written into its configured folder.
type Backup struct {
	Name    string `json:"name"`
	Size    int64  `json:"size"`
	Seq     int64  `json:"seq"` // last audit record in it
	Created int64  `json:"created"`
}

// Waiting is something that two officers must accept before the module opens.
type Waiting struct {
	Kind    string   `json:"kind"` // of the decision: policy, restore
	Why     string   `json:"why"`
	Args    []byte   `json:"args"` // arguments of the proposal, canonical JSON, but for the reason
	Changes []Change `json:"changes,omitempty"`
}

// Change is one setting that differs from the accepted configuration.
type Change struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
	Weaker bool   `json:"weaker"` // less is asked for, or who is trusted changes
}

// SelfTest is the result of a run of all self-tests (FPT-02).
type SelfTest struct {
	Time    int64            `json:"time"`    // Unix seconds
	Trigger string           `json:"trigger"` // start, periodic, demand, reopen
	Results []SelfTestResult `json:"results"`
}

// SelfTestResult is the result of one test.
type SelfTestResult struct {
	Name   string `json:"name"`
	Shows  string `json:"shows"` // what a pass means
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // why it failed
}

// ReopenIn ends the secure state after a passed self-test (officer).
type ReopenIn struct {
	Why string `json:"why"` // why it is safe; goes into the audit record
}

// ErrorBody is every error answer of samd. Code is opaque for refusals
// ("refused"); Ref is the sequence number of the audit record that says why.
type ErrorBody struct {
	Code  string `json:"code"` // refused, invalid, unavailable, not_found, forbidden, ceremony_needed, clock_in_doubt, module_closed
	Ref   string `json:"ref,omitempty"`
	Retry string `json:"retry"` // never, later, same
}
