// Reads the strings of a PDF (ISO 32000-2, 7.3.4 and 7.9.2.2).

import { digit, white } from "./bytes";
import { isArray, isDict, type Loader, type Value } from "./pdfload";

const escapes: Record<string, number> = { n: 10, r: 13, t: 9, b: 8, f: 12 };

/** octetsOf is the string that stands between two places. */
export function octetsOf(b: Uint8Array, from: number, to: number): Uint8Array {
  return b[from] === 0x3c ? hexadecimal(b, from + 1, to - 1) : literal(b, from + 1, to - 1);
}

function hexadecimal(b: Uint8Array, from: number, to: number): Uint8Array {
  let digits = "";
  for (let i = from; i < to; i++) if (!white(b[i])) digits += String.fromCharCode(b[i]!);
  if (digits.length % 2 === 1) digits += "0";
  const out = new Uint8Array(digits.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return out;
}

function literal(b: Uint8Array, from: number, to: number): Uint8Array {
  const out = new Uint8Array(Math.max(0, to - from));
  let n = 0;
  for (let i = from; i < to; i++) {
    const c = b[i]!;
    if (c === 13) {
      if (b[i + 1] === 10) i++; // an end of line is one, however it is written
      out[n++] = 10;
    } else if (c !== 0x5c) {
      out[n++] = c;
    } else if (++i < to) {
      const escape = escapes[String.fromCharCode(b[i]!)];
      if (escape !== undefined) out[n++] = escape;
      else if (octal(b[i])) {
        let code = 0;
        const begin = i;
        for (; i < to && i < begin + 3 && octal(b[i]); i++) code = code * 8 + b[i]! - 0x30;
        i--;
        out[n++] = code;
      } else if (b[i] === 13 && b[i + 1] === 10) i++;
      else if (b[i] !== 13 && b[i] !== 10) out[n++] = b[i]!;
    }
  }
  return out.subarray(0, n);
}

function octal(c: number | undefined): boolean {
  return digit(c) && c! < 0x38;
}

/** PDFDocEncoding from 0x80 (annex D.2). */
const high = "•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž\ufffd€";

/** characters are those of a text string. */
export function characters(b: Uint8Array): string {
  if (b[0] === 0xfe && b[1] === 0xff) return utf16(b.subarray(2));
  if (b[0] === 0xef && b[1] === 0xbb && b[2] === 0xbf) return new TextDecoder().decode(b);
  let out = "";
  for (const c of b) out += c >= 0x80 && c < 0x80 + high.length ? high[c - 0x80]! : String.fromCharCode(c);
  return out;
}

/** utf16 is big-endian, and whole. */
export function utf16(b: Uint8Array): string {
  let out = "";
  for (let i = 0; i + 1 < b.length; i += 2) out += String.fromCharCode((b[i]! << 8) | b[i + 1]!);
  return out;
}

/** isString tells what a value is. */
export function isString(v: Value): boolean {
  return v.b[v.from] === 0x28 || (v.b[v.from] === 0x3c && !isDict(v));
}

/** textString is the text that a value is, "" if it is none. */
export async function textString(loader: Loader, v: Value | undefined): Promise<string> {
  if (!v || isArray(v) || !isString(v)) return "";
  loader.spend(v.to - v.from);
  return characters(await loader.clear(v, octetsOf(v.b, v.from, v.to)));
}

/** squeezed is a text without what lines are broken at. */
export function squeezed(text: string): string {
  return text.replace(/[\s\p{Cc}\u00ad\u0085]/gu, "").replace(/\ufeff/g, "");
}
