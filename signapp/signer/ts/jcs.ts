// The subset of RFC 8785 that is signed: objects, arrays, strings, booleans and
// integers of at most 53 bits (internal/jcs). One byte string per value.

import { utf8, type Bytes } from "./b64";

/** A value that has a canonical form. */
export type Value = string | number | boolean | Value[] | { [name: string]: Value };

/** maxSize bounds a text, in octets. */
export const maxSize = 1 << 20;
const maxDepth = 16;

/** canonical returns the one text of v; fractions, null and undefined have none. */
export function canonical(v: unknown): string {
  return write(v, 0);
}

/** canonicalBytes is canonical in UTF-8. */
export function canonicalBytes(v: unknown): Bytes {
  return utf8(canonical(v));
}

/**
 * decode reads text that is in canonical form already. Duplicate names, white
 * space, unsorted names and needless escapes all show as a difference from the
 * canonical form of what was read.
 */
export function decode(text: string, max = maxSize): Value {
  if (text.length > max) throw new Error("text is too large");
  const v: unknown = JSON.parse(text);
  if (canonical(v) !== text) throw new Error("text is not in canonical form");
  return v as Value;
}

/** decodeBytes is decode for bytes, which must be UTF-8 without a mark. */
export function decodeBytes(b: Uint8Array, max = maxSize): Value {
  if (b.length > max) throw new Error("text is too large");
  return decode(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(b), max);
}

function write(v: unknown, depth: number): string {
  if (depth > maxDepth) throw new Error("value is too deep");
  switch (typeof v) {
    case "string":
      return writeString(v);
    case "boolean":
      return v ? "true" : "false";
    case "number":
      if (!Number.isSafeInteger(v) || Object.is(v, -0)) throw new Error("number has no canonical form");
      return String(v);
    case "object":
      if (v === null) break;
      return Array.isArray(v)
        ? "[" + v.map((e) => write(e, depth + 1)).join(",") + "]"
        : writeObject(v as Record<string, unknown>, depth);
  }
  throw new Error("value has no canonical form");
}

function writeObject(o: Record<string, unknown>, depth: number): string {
  // Strings compare by UTF-16 code units here, as RFC 8785 section 3.2.3 asks.
  const names = Object.keys(o).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return "{" + names.map((n) => writeString(n) + ":" + write(o[n], depth + 1)).join(",") + "}";
}

const short: Record<string, string> = { '"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r" };

function writeString(s: string): string {
  let out = '"';
  // Iterating by code point; a lone surrogate becomes U+FFFD as in every UTF-8
  // encoder, and the text check then refuses it.
  for (const c of s) {
    const code = c.codePointAt(0)!;
    if (short[c] !== undefined) out += short[c];
    else if (code < 0x20) out += "\\u" + code.toString(16).padStart(4, "0");
    else if (code >= 0xd800 && code <= 0xdfff) out += "\ufffd";
    else out += c;
  }
  return out + '"';
}
