// The glue to navigator.credentials. Creation and use both demand user
// verification; no extension is asked for.

import { decode, encode, type Bytes } from "./b64";
import { digest } from "./crypto";
import type { RegistrationRequest } from "./enrolment";
import { canonicalBytes } from "./jcs";
import { utf8 } from "./b64";

/** PasskeyError sorts what a ceremony can end in. */
export class PasskeyError extends Error {
  constructor(readonly kind: "cancelled" | "unsupported" | "exists" | "other", detail: string) {
    super(detail);
  }
}

/**
 * approve has a passkey sign a challenge and returns the canonical proof. For a
 * signature exactly one credential is allowed: its id is part of what is approved.
 * A change of passkeys may be approved by any of several.
 */
export async function approve(rpId: string, allowed: string | readonly string[], challenge: Bytes, timeout: number): Promise<Bytes> {
  const creds = typeof allowed === "string" ? [allowed] : allowed;
  const got = await ceremony(() =>
    navigator.credentials.get({
      publicKey: {
        rpId,
        challenge,
        timeout,
        userVerification: "required",
        allowCredentials: creds.map((c) => ({ type: "public-key", id: decode(c) })),
      },
    }),
  );
  const r = got.response;
  if (!(r instanceof AuthenticatorAssertionResponse)) throw new PasskeyError("other", "no assertion");
  const cred = encode(new Uint8Array(got.rawId));
  if (!creds.includes(cred)) throw new PasskeyError("other", "another passkey answered");
  return canonicalBytes({
    carrier: "webauthn",
    credential: cred,
    authenticatorData: encode(new Uint8Array(r.authenticatorData)),
    clientDataJSON: encode(new Uint8Array(r.clientDataJSON)),
    signature: encode(new Uint8Array(r.signature)),
  });
}

/** create makes a signing passkey, on a device that has none of those that are there already. */
export async function create(
  r: Pick<RegistrationRequest, "aud" | "sub" | "name" | "rpId">,
  challenge: Bytes,
  attestation: "none" | "direct",
  have: readonly string[] = [],
): Promise<{ attestationObject: Bytes; clientDataJSON: Bytes }> {
  // The user handle differs from that of a login passkey for the same rpId, else
  // an authenticator would put one in the place of the other.
  const handle = await digest("sha256", utf8(`assent/signing-passkey/v1\0${r.aud}\0${r.sub}`));
  const got = await ceremony(() =>
    navigator.credentials.create({
      publicKey: {
        rp: { id: r.rpId, name: "Assent signing" },
        user: { id: handle, name: `${r.name} (signing)`, displayName: `${r.name} (signing)` },
        challenge,
        pubKeyCredParams: [
          { type: "public-key", alg: -7 },
          { type: "public-key", alg: -35 },
        ],
        attestation,
        excludeCredentials: have.map((c) => ({ type: "public-key", id: decode(c) })),
        authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
        timeout: 300_000,
      },
    }),
  );
  const res = got.response;
  if (!(res instanceof AuthenticatorAttestationResponse)) throw new PasskeyError("other", "no attestation");
  return { attestationObject: new Uint8Array(res.attestationObject), clientDataJSON: new Uint8Array(res.clientDataJSON) };
}

async function ceremony(run: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  if (typeof PublicKeyCredential === "undefined") throw new PasskeyError("unsupported", "no WebAuthn");
  try {
    const c = await run();
    if (c instanceof PublicKeyCredential) return c;
  } catch (e) {
    const name = e instanceof DOMException ? e.name : "";
    if (name === "NotAllowedError" || name === "AbortError" || name === "TimeoutError") throw new PasskeyError("cancelled", name);
    if (name === "InvalidStateError") throw new PasskeyError("exists", name);
    if (name === "NotSupportedError" || name === "SecurityError") throw new PasskeyError("unsupported", name);
    throw new PasskeyError("other", name || String(e));
  }
  throw new PasskeyError("other", "nothing came back");
}
