// Hashes and signatures by WebCrypto. Nothing here is home-made but the
// conversion between the two spellings of an ECDSA signature.

import { concat, utf8, type Bytes } from "./b64";
import { derInteger, read, type Node } from "./der";

/** Hash names of the protocol and of WebCrypto. */
export const hashes = { sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" } as const;

/** HashName is a hash name as the protocol spells it. */
export type HashName = keyof typeof hashes;

/** sizes in octets. */
export const hashSize: Record<HashName, number> = { sha256: 32, sha384: 48, sha512: 64 };

/** isHash tells whether a name is in the closed set. */
export function isHash(name: string): name is HashName {
  return Object.hasOwn(hashes, name);
}

/** digest hashes b. */
export async function digest(h: HashName, b: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest(hashes[h], b));
}

/** labelled is SHA-256(label || 0x00 || parts...). */
export function labelled(label: string, ...parts: Uint8Array[]): Promise<Bytes> {
  return digest("sha256", message(label, ...parts));
}

/** message is label || 0x00 || parts..., what a SAM key signs. */
export function message(label: string, ...parts: Uint8Array[]): Bytes {
  return concat(utf8(label), new Uint8Array([0]), ...parts);
}

/** hmac is HMAC-SHA-256. */
export async function hmac(key: Bytes, b: Bytes): Promise<Bytes> {
  const k = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", k, b));
}

/** importP256 reads a SubjectPublicKeyInfo that must be a P-256 key. */
export function importP256(spki: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey("spki", spki, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
}

/** verifyES256 checks r || s (64 octets) over SHA-256(body). */
export async function verifyES256(key: CryptoKey, body: Bytes, sig: Bytes): Promise<boolean> {
  return sig.length === 64 && (await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, sig, body));
}

interface AlgorithmRow {
  hash: HashName;
  curve?: "P-256" | "P-384" | "P-521";
  pss?: boolean;
}

/** The closed set of signature algorithms (internal/algo). */
export const algorithms: Record<string, AlgorithmRow> = {
  ES256: { hash: "sha256", curve: "P-256" },
  ES384: { hash: "sha384", curve: "P-384" },
  ES512: { hash: "sha512", curve: "P-521" },
  RS256: { hash: "sha256" },
  RS384: { hash: "sha384" },
  RS512: { hash: "sha512" },
  PS256: { hash: "sha256", pss: true },
  PS384: { hash: "sha384", pss: true },
  PS512: { hash: "sha512", pss: true },
};

/**
 * verifySignature checks a document signature (ECDSA in ASN.1 DER, as CMS has
 * it) over body with the public key of a certificate.
 */
export async function verifySignature(alg: string, spki: Bytes, body: Bytes, sig: Bytes): Promise<boolean> {
  const row = Object.hasOwn(algorithms, alg) ? algorithms[alg] : undefined;
  if (!row) return false;
  const hash = hashes[row.hash];
  try {
    if (row.curve) {
      const key = await crypto.subtle.importKey("spki", spki, { name: "ECDSA", namedCurve: row.curve }, false, ["verify"]);
      return await crypto.subtle.verify({ name: "ECDSA", hash }, key, rawECDSA(sig, curveSize[row.curve]), body);
    }
    const name = row.pss ? "RSA-PSS" : "RSASSA-PKCS1-v1_5";
    const key = await crypto.subtle.importKey("spki", spki, { name, hash }, false, ["verify"]);
    return await crypto.subtle.verify({ name, saltLength: hashSize[row.hash] }, key, sig, body);
  } catch {
    return false;
  }
}

/** xmlValue is a signature's octets as XML Signature has them: of ECDSA r || s. */
export function xmlValue(alg: string, sig: Bytes): Bytes {
  const curve = Object.hasOwn(algorithms, alg) ? algorithms[alg]!.curve : undefined;
  return curve ? rawECDSA(sig, curveSize[curve]) : sig;
}

const curveSize = { "P-256": 32, "P-384": 48, "P-521": 66 } as const;

function rawECDSA(der: Bytes, size: number): Bytes {
  const seq: Node = read(der, 0x30);
  if (seq.children.length !== 2) throw new Error("not an ECDSA signature");
  return concat(...seq.children.map((n) => derInteger(n, size)));
}
