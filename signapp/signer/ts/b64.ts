// The one binary-to-text form of the protocol: base64url without padding, and
// no other spelling of the same octets (sap/label.go, B64 and UnB64).

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Bytes over a plain ArrayBuffer, which is what WebCrypto takes. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** encode returns base64url without padding. */
export function encode(b: Uint8Array): string {
  let out = "";
  for (let i = 0; i < b.length; i += 3) {
    const n = (b[i]! << 16) | ((b[i + 1] ?? 0) << 8) | (b[i + 2] ?? 0);
    const have = Math.min(3, b.length - i);
    for (let k = 0; k <= have; k++) out += alphabet[(n >> (18 - 6 * k)) & 63];
  }
  return out;
}

/**
 * decode is the inverse of encode. Padding, line ends, the other alphabet and
 * non-zero trailing bits are errors: two spellings of one value would let two
 * readers disagree.
 */
export function decode(s: string): Bytes {
  const out = new Uint8Array(Math.floor((s.length * 3) / 4));
  let bits = 0;
  let n = 0;
  let at = 0;
  for (const c of s) {
    const v = alphabet.indexOf(c);
    if (v < 0) throw new Error("not base64url");
    n = ((n << 6) | v) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = (n >> bits) & 255;
    }
  }
  if (encode(out) !== s) throw new Error("not base64url in its one form");
  return out;
}

/** decodeLen decodes and insists on the number of octets. */
export function decodeLen(s: string, octets: number): Bytes {
  const b = decode(s);
  if (b.length !== octets) throw new Error(`${b.length} octets where ${octets} belong`);
  return b;
}

/** equal compares two byte strings. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((v, i) => v === b[i]);
}

/** find returns where part stands in b first, or -1. */
export function find(b: Uint8Array, part: Uint8Array): number {
  for (let i = b.indexOf(part[0]!); i >= 0; i = b.indexOf(part[0]!, i + 1)) {
    let k = 1;
    while (k < part.length && b[i + k] === part[k]) k++;
    if (k === part.length) return i;
  }
  return -1;
}

/** concat joins byte strings. */
export function concat(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** utf8 encodes text. */
export function utf8(s: string): Bytes {
  return concat(new TextEncoder().encode(s));
}

/** hex is for fingerprints that people compare. */
export function hex(b: Uint8Array): string {
  return Array.from(b, (v) => v.toString(16).padStart(2, "0")).join("");
}

/** hexBytes decodes hexadecimal digits; empty if anything else is among them. */
export function hexBytes(hex: Uint8Array): Bytes {
  const out = new Uint8Array(hex.length >> 1);
  for (let i = 0; i < out.length; i++) {
    const pair = String.fromCharCode(hex[2 * i]!, hex[2 * i + 1]!);
    if (!/^[0-9a-fA-F]{2}$/.test(pair)) return new Uint8Array(0);
    out[i] = parseInt(pair, 16);
  }
  return out;
}
