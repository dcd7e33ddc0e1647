// Enrolment messages (sap/enrol.go): the SAM's offer, the challenge, and the
// proof of the officer's one-time code. The code itself goes nowhere.

import { concat, decode, decodeLen, encode, utf8, type Bytes } from "./b64";
import { digest, hmac, labelled } from "./crypto";
import { canonicalBytes } from "./jcs";
import { label, nonceLen, openStatement, validID, type Signed } from "./sap";
import { exact, type Of } from "./shape";

const requestShape = {
  typ: "string", aud: "string", rid: "string", nonce: "string", sub: "string", name: "string",
  origin: "string", rpId: "string", iat: "integer", exp: "integer",
} as const;

/** RegistrationRequest is the SAM's offer to enrol an authenticator. */
export type RegistrationRequest = Of<typeof requestShape>;

/** openRegistrationRequest verifies and decodes the SAM's offer. */
export async function openRegistrationRequest(sam: CryptoKey, s: Signed): Promise<RegistrationRequest> {
  const r = exact(await openStatement(sam, label.registration, s), requestShape);
  if (r.typ !== "sap/registration-request/1") throw new Error("message of another type");
  decodeLen(r.rid, 16);
  decodeLen(r.nonce, nonceLen);
  if (!validID(r.aud) || !validID(r.sub) || r.exp <= r.iat) throw new Error("registration request: bad field");
  return r;
}

/** registrationChallenge is the WebAuthn challenge of an enrolment. */
export async function registrationChallenge(nonce: Bytes, statement: Bytes): Promise<Bytes> {
  return labelled(label.regChallenge, nonce, await digest("sha256", statement));
}

/** codeKey turns the one-time code into the key of its proof. */
export async function codeKey(code: string): Promise<Bytes> {
  const raw = decode(code);
  if (raw.length < 16 || raw.length > 64) throw new Error("the code has not the right length");
  return labelled(label.enrolCode, raw);
}

/** codeProof shows knowledge of the code for exactly this authenticator. */
export async function codeProof(key: Bytes, statement: Bytes, attestation: Bytes, clientData: Bytes): Promise<Bytes> {
  const sums = await Promise.all([statement, attestation, clientData].map((b) => digest("sha256", b)));
  return hmac(key, concat(utf8(label.enrolProof), new Uint8Array([0]), ...sums));
}

/** registration is the canonical answer of the device. */
export function registration(attestation: Bytes, clientData: Bytes, proof: Bytes): Bytes {
  return canonicalBytes({ attestationObject: encode(attestation), clientDataJSON: encode(clientData), codeProof: encode(proof) });
}
