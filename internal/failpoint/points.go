package failpoint

// Workload says what the crash matrix does to reach a point.
type Workload string

// Workloads of the crash matrix (conformance/crash).
const (
	Activation Workload = "activation" // a signer approves, the module is asked to redeem
	Officer    Workload = "officer"    // an officer makes a key and links its certificate
	Start      Workload = "start"      // the first start on an empty folder
	Restore    Workload = "restore"    // a start that accepts a restored database
	Backup     Workload = "backup"     // two officers order a backup
	Rotation   Workload = "rotation"   // two officers order the next wrapping key, and the end of the old one
	Place      Workload = "place"      // samd restore writes a backup's database into an empty place
	Recovery   Workload = "recovery"   // the start after a kill between reservation and outcome
	Once       Workload = "once"       // a signer approves that a one-time key is made, then what it signs
	OnceStart  Workload = "once-start" // the start after a kill while one-time keys were alive
	Signing    Workload = "signing"    // ssad signs a document from upload to download
	Adoption   Workload = "adoption"   // ssad has a one-time key made, and prepares the documents around it
)

// Point is one named crash point. No is its number in the list of the fault
// plan (0: one of our own). A point that cannot exist now has no Name, and Why
// says so.
type Point struct {
	No       int
	Step     string // the words of the plan
	Name     string
	Workload Workload
	Why      string // why there is none, or what stands for it
}

// Points returns the table: every point of the plan, and those of our own.
func Points() []Point {
	return []Point{
		{1, "request parsed", "ssad/01-request-parsed", Signing, ""},
		{2, "token checked", "ssad/02-token-checked", Signing, ""},
		{3, "idempotency row inserted", "ssad/03-idempotency-row-inserted", Signing, ""},
		{4, "document saved", "ssad/04-document-saved", Signing, ""},
		{5, "DTBS/R computed", "ssad/05-dtbsr-computed", Signing, ""},
		{6, "challenge issued", "ssad/06-challenge-issued", Signing, ""},
		{7, "assertion received", "ssad/07-assertion-received", Signing, ""},
		{8, "SAD built", "ssad/08-approval-stored", Signing, "the device builds the SAD; the step of the SSA is that the approval becomes durable before the module hears of it"},
		{9, "SAM request sent", "ssad/09-sam-request-sent", Signing, "one place: the request is about to go out; before the reply is point 10"},
		{10, "SAM reply read", "ssad/10-sam-reply-read", Signing, ""},
		{11, "signature embedded", "ssad/11-signature-embedded", Signing, ""},
		{12, "post-verify done", "ssad/12-post-verify-done", Signing, "it comes before the embedding: a wrong value is never written"},
		{13, "TSA asked", "ssad/13-tsa-asked", Signing, "one place: the request is about to go out; before the answer is used is point 14"},
		{14, "TSA answered", "ssad/14-tsa-answered", Signing, ""},
		{15, "revocation data fetched", "", "", "workers/pades completes the file from its place on the disk, whatever a killed attempt wrote behind the signature; TestFPT05LongTermCutAnywhere cuts it everywhere instead; workers/xades makes all of it before its one write, and has a test of that name too"},
		{16, "LTA stamped", "", "", "as 15: the time-stamp is one of the writes behind the signature"},
		{17, "result row committed", "ssad/17-result-row-committed", Signing, ""},
		{18, "response header sent", "ssad/18-response-header-sent", Signing, ""},
		{19, "half the body sent", "ssad/19-half-the-body-sent", Signing, ""},
		{20, "webhook sent", "", "", "there are no webhooks yet"},
		{21, "request read", "samd/21-request-read", Activation, ""},
		{22, "SAD signature checked", "samd/22-sad-signature-checked", Activation, ""},
		{23, "policy checked", "samd/23-policy-checked", Activation, ""},
		{24, "lock on SAD taken", "samd/24-sad-lock-taken", Activation, ""},
		{25, "consume statement sent", "samd/25-consume-statement-sent", Activation, ""},
		{26, "consume committed", "samd/26-consume-committed", Activation, ""},
		{27, "intent audit written", "samd/27-intent-audit-written", Activation, ""},
		{28, "intent audit fsynced", "sqldb/28-committed", Activation, "consume and intent are one transaction; this point is the flush of any commit, so that the count of hits picks which"},
		{29, "checkpoint signed", "samd/29-receipts-signed", Activation, "the signature of the module over a commit group's receipts, made inside the outcome's transaction"},
		{30, "key blob read", "samd/30-key-blob-read", Activation, ""},
		{31, "C_UnwrapKey done", "token/31-key-unwrapped", Activation, ""},
		{32, "C_SignInit", "token/32-sign-init", Activation, "a software token has no such call; reached with a PKCS #11 token only"},
		{33, "C_Sign entered", "token/33-sign-entered", Activation, ""},
		{34, "C_Sign returned", "token/34-sign-returned", Activation, ""},
		{35, "signature verified", "samd/35-signature-verified", Activation, ""},
		{36, "outcome audit written", "samd/36-outcome-audit-written", Activation, ""},
		{37, "outcome fsynced", "samd/37-outcome-committed", Activation, ""},
		{38, "reply sent", "samd/38-reply-sent", Activation, ""},
		{39, "unwrapped key destroyed", "token/39-key-destroyed", Activation, ""},
		{40, "lock released", "samd/40-sad-lock-released", Activation, ""},
		{41, "approval 1 of 2 saved", "samd/41-proposal-saved", Officer, ""},
		{42, "approval 2 of 2 saved", "samd/42-approval-saved", Officer, "and the act itself, in the same transaction"},
		{43, "key created, not yet recorded", "samd/43-key-recorded", Officer, ""},
		{44, "certificate installed", "samd/44-key-changed", Officer, "any change of a key's record: link, permission, destruction"},
		{45, "epoch bumped", "samd/45-epoch-bumped", Restore, ""},
		{46, "migration step", "sqldb/46-migration-step", Start, ""},
		{47, "backup taken", "samd/47-backup-taken", Backup, ""},
		{48, "reconciliation half done", "samd/48-reconciled-one", Recovery, ""},
		{0, "wrapping key made", "samd/kek-made", Rotation, ""},
		{0, "keys wrapped anew", "samd/kek-rewrapped", Rotation, ""},
		{0, "wrapping key destroyed", "samd/kek-destroyed", Rotation, ""},
		{0, "statement key made", "samd/statement-made", Rotation, "two officers order the next statement key too, and the end of the old one"},
		{0, "statement key changed", "samd/statement-changed", Rotation, ""},
		{0, "statement key destroyed", "samd/statement-destroyed", Rotation, ""},
		{0, "sealing key made", "samd/seal-made", Rotation, "two officers order the next sealing key too, and the end of the old one when all is sealed anew"},
		{0, "sealing key changed", "samd/seal-changed", Rotation, ""},
		{0, "records sealed anew", "samd/records-resealed", Rotation, "a batch of them"},
		{0, "files sealed anew", "samd/files-resealed", Rotation, ""},
		{0, "old seals do not count any more", "samd/reseal-ended", Rotation, ""},
		{0, "old sealing key destroyed", "samd/seal-destroyed", Rotation, ""},
		{0, "wrapping key generated in the token", "hsm/kek-generated", Rotation, "this and the next three: PKCS #11 tokens"},
		{0, "wrapping key named in the token", "hsm/kek-named", Rotation, ""},
		{0, "key wrapped anew in the token", "hsm/key-rewrapped", Rotation, ""},
		{0, "wrapping key destroyed in the token", "hsm/kek-destroyed", Rotation, ""},
		{0, "restore placed", "samd/restore-placed", Place, ""},
		{0, "anchor replaced", "samd/anchor-replaced", Activation, ""},
		{0, "one-time key offered", "samd/once-requested", Once, ""},
		{0, "its approval stored", "samd/once-approved", Once, ""},
		{0, "one-time key made", "samd/once-key-made", Once, ""},
		{0, "its certification request signed", "samd/once-possession-proved", Once, ""},
		{0, "one-time key recorded", "samd/once-key-recorded", Once, ""},
		{0, "the CA answered", "samd/once-ca-answered", Once, ""},
		{0, "its certificate linked", "samd/once-linked", Once, ""},
		{0, "session bound to the one-time key", "samd/once-bound", Once, ""},
		{0, "one-time key marked as used", "samd/once-used", Once, "inside the transaction of the reservation; its commit is point 26"},
		{0, "one-time key taken out of memory", "samd/once-taken", Once, ""},
		{0, "one-time key forgotten", "samd/once-forgotten", Once, ""},
		{0, "its destruction recorded", "samd/once-destroyed", Once, ""},
		{0, "orphan of a crash destroyed", "samd/once-orphan-ended", OnceStart, ""},
		{0, "one-time key stored by the application", "ssad/once-adopted", Adoption, "the module has made and certified it; documents are prepared"},
	}
}
