// Changes of a signer's authenticators (sap/change.go, SAP.md 3.11): the SAM's
// signed list and offers, the two challenges, the answer.

import { decode, decodeLen, encode, type Bytes } from "./b64";
import { digest, labelled } from "./crypto";
import { canonicalBytes, decodeBytes } from "./jcs";
import { displayable, label, nonceLen, openStatement, validID, type Signed } from "./sap";
import { exact, type Of } from "./shape";

const requestShape = {
  typ: "string", aud: "string", rid: "string", nonce: "string", sub: "string", name: "string", act: "string", target: "string",
  creds: ["string"], have: ["string"], cooling: "integer", origin: "string", rpId: "string", iat: "integer", exp: "integer",
} as const;

/** ChangeRequest is the SAM's offer: what will happen when one of creds approves. */
export type ChangeRequest = Of<typeof requestShape>;

const listShape = {
  typ: "string", aud: "string", nonce: "string", sub: "string", name: "string",
  auths: [{ cred: "string", aaguid: "string", tier: "string", via: "string", created: "integer", usableFrom: "integer", usable: "boolean" }],
  after: "integer",
  notices: [{ seq: "integer", kind: "string", cred: "string", until: "integer", created: "integer" }],
  more: "boolean", iat: "integer",
} as const;

/** AuthenticatorList is what the SAM says of a signer's authenticators. */
export type AuthenticatorList = Of<typeof listShape>;

/** openChangeRequest verifies and decodes an offer. */
export async function openChangeRequest(sam: CryptoKey, s: Signed): Promise<ChangeRequest> {
  const r = exact(await openStatement(sam, label.change, s), requestShape);
  if (r.typ !== "sap/change-request/1") throw new Error("message of another type");
  decodeLen(r.rid, 16);
  decodeLen(r.nonce, nonceLen);
  for (const id of [r.target, ...r.creds, ...r.have]) decode(id);
  const known = (r.act === "add" && r.target === "") || (r.act === "remove" && r.target !== "");
  if (!known || !validID(r.aud) || !validID(r.sub) || !displayable(r.name) || r.exp <= r.iat) throw new Error("change request: bad field");
  return r;
}

/** openList verifies and decodes a list that was asked for with nonce: an older one shows. */
export async function openList(sam: CryptoKey, s: Signed, nonce: string, after: number): Promise<AuthenticatorList> {
  const l = exact(await openStatement(sam, label.authenticators, s), listShape);
  if (l.typ !== "sap/authenticator-list/1" || l.nonce !== nonce || l.after !== after) throw new Error("list of another type, or for another question");
  if (!validID(l.aud) || !validID(l.sub) || !displayable(l.name)) throw new Error("list: bad field");
  return l;
}

/** additionChallenge is the challenge of the new authenticator's registration. */
export async function additionChallenge(nonce: Bytes, statement: Bytes): Promise<Bytes> {
  return labelled(label.addChallenge, nonce, await digest("sha256", statement));
}

/** changeChallenge is what an old authenticator approves; the last two are empty for a removal. */
export async function changeChallenge(nonce: Bytes, statement: Bytes, attestation: Bytes, clientData: Bytes): Promise<Bytes> {
  const [a, b, c] = await Promise.all([statement, attestation, clientData].map((x) => digest("sha256", x)));
  return labelled(label.changeChallenge, nonce, a!, b!, c!);
}

/** change is the canonical answer; proof is that of approve. */
export function change(attestation: Bytes, clientData: Bytes, proof: Bytes): Bytes {
  return canonicalBytes({ attestationObject: encode(attestation), clientDataJSON: encode(clientData), proof: decodeBytes(proof) });
}
