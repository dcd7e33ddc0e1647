// One-time keys (sap/onetime.go, SAP.md 3.10): the SAM's offer to make a key for one
// signature, and the challenge of its approval. Nothing is signed with it; what the key
// signs is approved afterwards, over the certificate that exists then.

import type { View } from "./api";
import { decode, decodeLen, encode, equal, type Bytes } from "./b64";
import type { Config } from "./config";
import { digest, labelled } from "./crypto";
import { Stop, type Offer } from "./offer";
import { displayable, label, nonceLen, openStatement, validID, type Signed } from "./sap";
import { exact, type Of } from "./shape";
import { readName } from "./x509";

const requestShape = {
  typ: "string", aud: "string", kid: "string", nonce: "string", sub: "string", name: "string", proof: "string", keyType: "string",
  subject: "string", ca: "string", policy: "string", caller: "string", carrier: "string", creds: ["string"], origin: "string",
  rpId: "string", assurance: "string", life: "integer", iat: "integer", exp: "integer",
} as const;

/** OneTimeRequest is the SAM's offer: who gets a certificate, in which name, from which CA, for how long. */
export type OneTimeRequest = Of<typeof requestShape>;

/** OneTimeOffer is a checked offer. */
export interface OneTimeOffer {
  request: OneTimeRequest;
  statement: Bytes;
  subject: string; // the name in the certificate, readable
}

const maxLife = 1800; // seconds, as in sap.MaxOneTimeLife

/** openOneTimeRequest verifies and decodes an offer. */
export async function openOneTimeRequest(sam: CryptoKey, s: Signed): Promise<OneTimeRequest> {
  const r = exact(await openStatement(sam, label.oneTime, s), requestShape);
  if (r.typ !== "sap/one-time-request/1") throw new Error("message of another type");
  decodeLen(r.nonce, nonceLen);
  for (const id of r.creds) decode(id);
  for (const id of [r.aud, r.kid, r.sub, r.caller, r.policy, r.ca]) {
    if (!validID(id)) throw new Error("one-time request: bad identifier");
  }
  if (r.proof === "" || !displayable(r.proof) || r.name === "" || !displayable(r.name)) throw new Error("one-time request: text that cannot be shown");
  if (r.iat <= 0 || r.exp <= r.iat || r.life < 1 || r.life > maxLife) throw new Error("one-time request: bad times");
  return r;
}

/** oneTimeChallenge is the challenge of the approval; its label is not a SAD's. */
export async function oneTimeChallenge(nonce: string, statement: Bytes): Promise<Bytes> {
  return labelled(label.oneTimeChallenge, decodeLen(nonce, nonceLen), await digest("sha256", statement));
}

/** fileNames are what the signer is told of the files before there is a key; what is in them follows. */
export const fileNames = (v: View): string[] => v.items.flatMap((it) => [it.name, ...(it.more ?? [])]);

/** checkOneTime verifies the SAM's offer and that it is for this signer, here. */
export async function checkOneTime(cfg: Config, v: View, signed: Signed): Promise<OneTimeOffer> {
  const texts = [v.asker, ...fileNames(v)];
  if (!validID(v.id) || !validID(v.signer.id) || texts.some((s) => s === "" || !displayable(s)) || !displayable(v.purpose)) throw new Stop("view", "text or identifier");
  let request: OneTimeRequest;
  let subject: string;
  try {
    request = await cfg.sam.open(signed.key, (k) => openOneTimeRequest(k, signed), (v) => v.iat * 1000);
    subject = readName(decode(request.subject));
    if (subject === "" || !displayable(subject)) throw new Error("a name that cannot be shown");
  } catch (e) {
    throw new Stop("request", String(e));
  }
  const differs = Object.entries({
    aud: request.aud !== cfg.aud, origin: request.origin !== cfg.origin, rpId: request.rpId !== cfg.rpId, carrier: request.carrier !== "webauthn",
    sub: request.sub !== v.signer.id, creds: request.creds.length < 1 || request.creds.length > 20,
  }).filter(([, bad]) => bad);
  if (differs.length > 0) throw new Stop("binding", differs.map(([name]) => name).join(", "));
  return { request, statement: decode(signed.statement), subject };
}

/** isOneTime tells a one-time key by its id: the SAM begins those of no other keys so. */
export const isOneTime = (key: string): boolean => key.startsWith("o-");

/**
 * sameKey: what is offered for signature is of the key that was approved, asked for by the
 * same caller under the same policy, and its certificate is in the approved name. Without
 * an approval it is of no one-time key (KEY-10).
 */
export function sameKey(once: OneTimeOffer | undefined, offer: Offer): void {
  const b = offer.request.bind;
  if (!once) {
    if (isOneTime(b.kid)) throw new Stop("binding", "a one-time key that was not approved here");
    return;
  }
  const r = once.request;
  if (b.kid !== r.kid || b.policy !== r.policy || b.caller !== r.caller) throw new Stop("binding", "another key than the approved one");
  if (!equal(offer.certificate.name, decode(r.subject))) throw new Stop("certificate", `not in the approved name: ${encode(offer.certificate.name)}`);
}
