package sam

import (
	"encoding/base64"
	"encoding/binary"
)

// Stamp is what every sealed record carries beside its own columns.
type Stamp struct {
	Seq     int64  // audit record of the last change; an older row put back shows
	Version int64  // grows by one with each change; the store compares and swaps on it
	MAC     []byte // seal over all columns, see sealer
}

// Meta is the one record that says which module this database is of.
type Meta struct {
	Stamp
	Cluster      string // configured name; part of aud
	Instance     string // name of the audit chain
	Epoch        int64  // grows with each accepted restore; part of aud
	StatementKey []byte // SubjectPublicKeyInfo of the key that signs statements
	Ceremony     string // hash of the ceremony's document; "" before it (ROL-06)
	SealEpoch    int64  // under which everything new is sealed (KPR-06)
	SealLow      int64  // first epoch of seals that counts; below SealEpoch until all is sealed anew
}

// Condition is the module's state of operation; one row.
type Condition struct {
	Stamp
	Closed     string // why the module is in its secure state; "": open (FPT-03)
	Since      int64
	VoidBefore int64  // sessions that an earlier audit record asked for are void
	Config     string // digest of the accepted configuration

	Restored     int64 // audit record of the last accepted restore; enrolments of before are void
	StrictBefore int64 // guards that an earlier record changed have one failure left (AFL-01)
}

// Identity states.
const (
	IdentityActive  = "active"
	IdentityRevoked = "revoked"
)

// Identity is who may call, and in which one role, for ever (ROL-02). Person is
// the human being behind an officer's identity: two identities of one person do
// not approve each other's proposals (ROL-04).
type Identity struct {
	Stamp
	Name    string
	Person  string
	Role    Role
	Key     string // SHA-256 of the certificate's SubjectPublicKeyInfo, hex; "": any certificate of the caller CA with this name
	State   string
	Created int64
}

// Proposal states. A proposal whose time is over is expired whatever its row says.
const (
	ProposalPending   = "pending"
	ProposalApproved  = "approved" // the act happened in the transaction of the approval
	ProposalWithdrawn = "withdrawn"
	ProposalExpired   = "expired"
)

// Proposal is a privileged act that waits for its second officer (ROL-04).
type Proposal struct {
	Stamp
	ID       string
	Kind     string // a line of the table of decisions
	Args     []byte // canonical JSON, as the first officer gave it
	State    string
	By       string // identity of the first officer
	ByPerson string
	Second   string // who approved or withdrew it
	Created  int64
	Expires  int64
	Decided  int64 // when it left the state pending
}

// Signer states.
const (
	SignerCreated  = "created"
	SignerEnrolled = "enrolled"
)

// Signer is a person after identity proofing.
type Signer struct {
	Stamp
	ID      string
	Name    string // as proofed
	Proof   string // reference of the proofing record (ENR-01)
	State   string
	Created int64 // Unix seconds, as all times of records
}

// Authenticator is a signer's enrolled signing authenticator. It never changes,
// its activation mechanism neither (SAP-11); it comes and goes by the procedures of
// ENR-04 and ENR-06.
type Authenticator struct {
	Stamp
	Credential     []byte // WebAuthn credential id
	Signer         string
	Public         []byte // SubjectPublicKeyInfo
	AAGUID         []byte
	BackupEligible bool
	Attestation    string // format that was verified
	Carrier        string
	Created        int64
	Tier           Tier   // what it showed of itself at its enrolment; "" before tiers were recorded: any
	Metadata       int64  // number of the metadata BLOB that said so; 0: none
	UsableFrom     int64  // end of its cooling time; 0: none
	Via            string // how it came: ViaCode, ViaAssertion, ViaProofing; "" as ViaCode
}

// How an authenticator came to its signer.
const (
	ViaCode      = "code"      // first enrolment, with an officer's code
	ViaAssertion = "assertion" // added with an assertion of an older one
	ViaProofing  = "proofing"  // after fresh proofing, by decision of two officers
)

// Guard counts failed authentications of one authenticator of one signer, and
// holds its signature counter.
type Guard struct {
	Stamp
	Credential  []byte
	Signer      string
	Failures    int64 // consecutive
	LockedUntil int64 // Unix seconds; 0: not locked; forever: until an officer lifts it
	SignCount   int64
	Alarm       string // AlarmCopy: locked until an officer lifts it; "" none
	CountSeq    int64  // audit record with which SignCount last grew
}

// AlarmCopy says that a signature counter went back in an approval that was certainly made
// later: there are two copies of the authenticator's key.
const AlarmCopy = "copy"

// Enrolment states.
const (
	EnrolOpen   = "open"
	EnrolUsed   = "used"
	EnrolClosed = "closed" // too many wrong codes, or replaced by a newer one
)

// Enrolment is an officer's permission to enrol one authenticator, once.
type Enrolment struct {
	Stamp
	ID        string
	Signer    string
	Code      []byte // key of the code proof, encrypted by the module's vault
	State     string
	Begun     int64  // registration requests issued
	Wrong     int64  // wrong code proofs
	Statement []byte // canonical request that is valid now; empty before Begin
	Created   int64
	Expires   int64
	Kind      string // "" for the first; EnrolAddition, EnrolRemoval, EnrolProofing
	Target    []byte // credential id that a removal is about
	First     string // officers of a proofing; each gets one half of the code
	Second    string
	Halves    []byte // both halves of its code, encrypted
	Taken     int64  // bit 1: first half was given out, bit 2: second half
}

// Kinds of enrolments beside the first.
const (
	EnrolAddition = "addition" // of a further authenticator, by an assertion of one that is there
	EnrolRemoval  = "removal"  // of an authenticator, by an assertion of one that is there
	EnrolProofing = "proofing" // of a new first authenticator, after fresh proofing: a recovery
)

// Notice tells a signer what was changed about his authenticators.
type Notice struct {
	Stamp
	Signer     string
	Kind       string // NoticeAdded, NoticeRemoved, NoticeLost, NoticeProofing, NoticeAlarm
	Credential []byte
	Until      int64 // end of a cooling time; 0: none
	Created    int64
}

// Kinds of notices.
const (
	NoticeAdded    = "authenticator_added"
	NoticeRemoved  = "authenticator_removed"
	NoticeLost     = "authenticator_lost"
	NoticeProofing = "proofing_decided"
	NoticeAlarm    = "copy_suspected"
)

// Credential states.
const (
	KeyGenerated = "generated" // proof of possession made, no certificate yet
	KeyActive    = "active"
	KeySuspended = "suspended" // its certificate is on hold
	KeyRevoked   = "revoked"   // out of use for ever; two officers destroy it
	KeyExpired   = "expired"   // passed on the way to destroyed
	KeyDestroyed = "destroyed"
)

// One-time key states.
const (
	OnceRequested = "requested" // the signer is asked; there is no key
	OnceApproved  = "approved"  // the signer agreed; there is no key
	OnceGenerated = "generated" // key and certification request made
	OnceCertified = "certified" // can be used, once
	OnceUsed      = "used"      // the wrapped key is gone, the signature is being made
	OnceDestroyed = "destroyed"
)

// Credential is a signer's key: everything that decides about its use is under
// one seal (KEY-06, KPR-02).
type Credential struct {
	Stamp
	Key      string
	Signer   string
	KeyType  string
	Public   []byte // SubjectPublicKeyInfo
	Blob     []byte // wrapped private key; empty once destroyed
	KEK      string
	Carrier  string // the one activation mechanism (SAP-11)
	State    string
	Raw      bool   // may sign digests of unseen content
	AuthHash []byte // hash of the signer's authenticator records
	Subject  []byte // DER name of the certification request
	CSR      []byte
	Chain    [][]byte // DER, leaf first
	CertHash []byte   // SHA-256 of the leaf; empty before the link
	Created  int64
}

// Activation states (design, section 4).
const (
	ActOpen     = "open"     // activation request issued; AUTHORIZED once a SAD verifies
	ActReserved = "reserved" // durable before the key is used
	ActConsumed = "consumed"
	ActReleased = "released" // the driver proved that the key use never began
	ActBurnt    = "burnt"    // outcome unknown, or the signature is withheld
	ActVoid     = "void"     // never redeemed: its key was destroyed before
	ActRefused  = "refused"  // an authentication that counts as failed; nothing was reserved
)

// Activation is a signature session. Until it is redeemed it holds hashes only.
type Activation struct {
	Stamp
	Session    []byte
	Signer     string // for the limit of open sessions; also under Binding
	NonceHash  []byte
	Binding    []byte // hash of every bound field
	Expires    int64
	State      string
	Redemption []byte // sap.RedemptionID; empty while open
	Digests    []byte // SHA-256 over the ordered digests that were reserved
	Answer     []byte // stored answer of a consumed session
	Updated    int64
}

// Once is a one-time key: asked, approved, certified, used. The key itself is
// never in a record.
type Once struct {
	Stamp
	Key           string
	Signer        string
	Caller        string // who asked, and may go on
	KeyType       string
	Policy        string
	CA            string
	Carrier       string
	State         string
	Binding       []byte // hash of the request that the signer was offered
	Approval      []byte // identity of the call that brought the assertion
	Authenticator []byte // which made it
	AuthHash      []byte
	Subject       []byte
	Public        []byte
	CSR           []byte
	Chain         [][]byte
	CertHash      []byte
	Session       []byte // the one activation session that may use it
	Created       int64
	Expires       int64 // of the request; from the approval on, of the key
}

// Tombstone says that a key was destroyed and must never come back (KPR-08).
type Tombstone struct {
	Stamp
	Key       string
	Destroyed int64
}

// Record is a sealed record of any kind.
type Record = record

// record is what sealer and freshness work on.
type record interface {
	kind() string
	object() string // name in the audit data that carries the record's history; "" when it has none
	columns(e *encoder)
	stamp() *Stamp
}

func (s *Stamp) stamp() *Stamp { return s }

// encoder writes columns one after the other, each with its length.
type encoder struct{ b []byte }

func (e *encoder) bytes(v []byte) {
	e.b = binary.BigEndian.AppendUint32(e.b, uint32(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) str(v string) {
	e.b = binary.BigEndian.AppendUint32(e.b, uint32(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) int(v int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }

func (e *encoder) bool(v bool) {
	if v {
		e.int(1)
	} else {
		e.int(0)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (*Meta) kind() string   { return "meta" }
func (*Meta) object() string { return "meta" }
func (r *Meta) columns(e *encoder) {
	e.str(r.Cluster)
	e.str(r.Instance)
	e.int(r.Epoch)
	e.bytes(r.StatementKey)
	later := r.SealEpoch > 1 || r.SealLow > 1 || r.SealEpoch != r.SealLow
	if r.Ceremony != "" || later { // rows of before keep their seal
		e.str(r.Ceremony)
	}
	if later {
		e.int(r.SealEpoch)
		e.int(r.SealLow)
	}
}

func (*Condition) kind() string   { return "condition" }
func (*Condition) object() string { return "condition" }
func (r *Condition) columns(e *encoder) {
	e.str(r.Closed)
	e.int(r.Since)
	e.int(r.VoidBefore)
	e.str(r.Config)
	if r.Restored != 0 || r.StrictBefore != 0 { // as in Authenticator
		e.int(r.Restored)
		e.int(r.StrictBefore)
	}
}

func (*Identity) kind() string     { return "identity" }
func (r *Identity) object() string { return identityObject(r.Name) }
func (r *Identity) columns(e *encoder) {
	e.str(r.Name)
	e.str(r.Person)
	e.str(string(r.Role))
	e.str(r.Key)
	e.str(r.State)
	e.int(r.Created)
}

func (*Proposal) kind() string     { return "proposal" }
func (r *Proposal) object() string { return "proposal:" + r.ID }
func (r *Proposal) columns(e *encoder) {
	e.str(r.ID)
	e.str(r.Kind)
	e.bytes(r.Args)
	e.str(r.State)
	e.str(r.By)
	e.str(r.ByPerson)
	e.str(r.Second)
	e.int(r.Created)
	e.int(r.Expires)
	e.int(r.Decided)
}

func (*Signer) kind() string     { return "signer" }
func (r *Signer) object() string { return "signer:" + r.ID }
func (r *Signer) columns(e *encoder) {
	e.str(r.ID)
	e.str(r.Name)
	e.str(r.Proof)
	e.str(r.State)
	e.int(r.Created)
}

func (*Authenticator) kind() string   { return "authenticator" }
func (*Authenticator) object() string { return "" }
func (r *Authenticator) columns(e *encoder) {
	e.bytes(r.Credential)
	e.str(r.Signer)
	e.bytes(r.Public)
	e.bytes(r.AAGUID)
	e.bool(r.BackupEligible)
	e.str(r.Attestation)
	e.str(r.Carrier)
	e.int(r.Created)
	// Columns that came later are part of the encoding once they say something:
	// seals and key bindings made before them hold. Nothing follows them, so no two
	// records share an encoding.
	if r.Tier != "" || r.Metadata != 0 || r.UsableFrom != 0 || r.Via != "" {
		e.str(string(r.Tier))
		e.int(r.Metadata)
		e.int(r.UsableFrom)
		e.str(r.Via)
	}
}

func (*Guard) kind() string     { return "guard" }
func (r *Guard) object() string { return guardObject(r.Credential) }
func (r *Guard) columns(e *encoder) {
	e.bytes(r.Credential)
	e.str(r.Signer)
	e.int(r.Failures)
	e.int(r.LockedUntil)
	e.int(r.SignCount)
	if r.Alarm != "" || r.CountSeq != 0 { // as in Authenticator
		e.str(r.Alarm)
		e.int(r.CountSeq)
	}
}

func (*Enrolment) kind() string     { return "enrolment" }
func (r *Enrolment) object() string { return "enrolment:" + r.ID }
func (r *Enrolment) columns(e *encoder) {
	e.str(r.ID)
	e.str(r.Signer)
	e.bytes(r.Code)
	e.str(r.State)
	e.int(r.Begun)
	e.int(r.Wrong)
	e.bytes(r.Statement)
	e.int(r.Created)
	e.int(r.Expires)
	if r.Kind != "" || len(r.Target) != 0 || r.First != "" || r.Second != "" || len(r.Halves) != 0 || r.Taken != 0 { // as in Authenticator
		e.str(r.Kind)
		e.bytes(r.Target)
		e.str(r.First)
		e.str(r.Second)
		e.bytes(r.Halves)
		e.int(r.Taken)
	}
}

func (*Notice) kind() string   { return "notice" }
func (*Notice) object() string { return "" }
func (r *Notice) columns(e *encoder) {
	e.str(r.Signer)
	e.str(r.Kind)
	e.bytes(r.Credential)
	e.int(r.Until)
	e.int(r.Created)
}

func (*Credential) kind() string     { return "credential" }
func (r *Credential) object() string { return "key:" + r.Key }
func (r *Credential) columns(e *encoder) {
	e.str(r.Key)
	e.str(r.Signer)
	e.str(r.KeyType)
	e.bytes(r.Public)
	e.bytes(r.Blob)
	e.str(r.KEK)
	e.str(r.Carrier)
	e.str(r.State)
	e.bool(r.Raw)
	e.bytes(r.AuthHash)
	e.bytes(r.Subject)
	e.bytes(r.CSR)
	e.int(int64(len(r.Chain)))
	for _, c := range r.Chain {
		e.bytes(c)
	}
	e.bytes(r.CertHash)
	e.int(r.Created)
}

func (*Activation) kind() string     { return "activation" }
func (r *Activation) object() string { return sessionObject(r.Session) }
func (r *Activation) columns(e *encoder) {
	e.bytes(r.Session)
	e.str(r.Signer)
	e.bytes(r.NonceHash)
	e.bytes(r.Binding)
	e.int(r.Expires)
	e.str(r.State)
	e.bytes(r.Redemption)
	e.bytes(r.Digests)
	e.bytes(r.Answer)
	e.int(r.Updated)
}

func (*Once) kind() string     { return "onetime" }
func (r *Once) object() string { return "once:" + r.Key }
func (r *Once) columns(e *encoder) {
	for _, v := range []string{r.Key, r.Signer, r.Caller, r.KeyType, r.Policy, r.CA, r.Carrier, r.State} {
		e.str(v)
	}
	for _, v := range [][]byte{r.Binding, r.Approval, r.Authenticator, r.AuthHash, r.Subject, r.Public, r.CSR, r.CertHash, r.Session} {
		e.bytes(v)
	}
	e.int(int64(len(r.Chain)))
	for _, c := range r.Chain {
		e.bytes(c)
	}
	e.int(r.Created)
	e.int(r.Expires)
}

func (*Tombstone) kind() string   { return "tombstone" }
func (*Tombstone) object() string { return "" }
func (r *Tombstone) columns(e *encoder) {
	e.str(r.Key)
	e.int(r.Destroyed)
}

func guardObject(credential []byte) string { return "guard:" + b64(credential) }
func sessionObject(sid []byte) string      { return "session:" + b64(sid) }
func identityObject(name string) string    { return "identity:" + name }
