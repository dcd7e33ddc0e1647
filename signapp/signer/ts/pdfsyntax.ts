// Reads one PDF value from bytes: what an encryption dictionary is made of. Everything
// that it may not be made of is refused.

import type { Bytes } from "./b64";
import { ascii, readName, skip, white } from "./bytes";

/** Value of PDF: a name with its slash, another word, the octets of a string, or a dictionary. */
export type Value = string | Bytes | Dict;

/** Dict has each key once. */
export type Dict = Map<string, Value>;

const maxDepth = 4;
const maxEntries = 64;
const maxString = 256;

/** readDict reads a dictionary at p. */
export function readDict(pdf: Uint8Array, p: number): Dict {
  const [v] = readValue(pdf, skip(pdf, p), 0);
  if (!(v instanceof Map)) throw new Error("no dictionary");
  return v;
}

function readValue(pdf: Uint8Array, p: number, depth: number): [Value, number] {
  switch (ascii(pdf, p, 1)) {
    case "/": {
      const [name, after] = readName(pdf, p);
      return [`/${name}`, after];
    }
    case "(":
      return readLiteral(pdf, p + 1);
    case "<":
      return pdf[p + 1] === 0x3c ? readEntries(pdf, p + 2, depth) : readHex(pdf, p + 1);
  }
  const word = /^[A-Za-z0-9+.-]+/.exec(ascii(pdf, p, 32))?.[0];
  if (!word || word.length > 20) throw new Error("an unusual value");
  return [word, p + word.length];
}

function readEntries(pdf: Uint8Array, from: number, depth: number): [Dict, number] {
  const out: Dict = new Map();
  let p = skip(pdf, from);
  while (ascii(pdf, p, 2) !== ">>") {
    if (pdf[p] !== 0x2f || out.size >= maxEntries || depth >= maxDepth) throw new Error("an unusual dictionary");
    const [name, after] = readName(pdf, p);
    const [value, end] = readValue(pdf, skip(pdf, after), depth + 1);
    if (out.has(name)) throw new Error(`two /${name}`);
    out.set(name, value);
    p = skip(pdf, end);
  }
  return [out, p + 2];
}

function readHex(pdf: Uint8Array, from: number): [Bytes, number] {
  const end = pdf.indexOf(0x3e, from);
  const digits = end < 0 || end - from > 4 * maxString ? "?" : [...ascii(pdf, from, end - from)].filter((c) => !white(c.charCodeAt(0))).join("");
  if (/[^0-9A-Fa-f]/.test(digits)) throw new Error("an unusual string");
  return [Uint8Array.from(digits.match(/..?/g) ?? [], (d) => parseInt(d.padEnd(2, "0"), 16)), end + 1];
}

const escapes: Record<string, number> = { n: 10, r: 13, t: 9, b: 8, f: 12, "(": 40, ")": 41, "\\": 92 };

/** readLiteral reads a string in parentheses (ISO 32000-2, 7.3.4.2). */
function readLiteral(pdf: Uint8Array, from: number): [Bytes, number] {
  const out: number[] = [];
  let open = 1;
  for (let p = from; p < pdf.length && out.length <= maxString; p++) {
    const c = pdf[p]!;
    if (c === 0x5c) {
      const octal = /^[0-7]{1,3}/.exec(ascii(pdf, p + 1, 3))?.[0];
      const code = octal ? parseInt(octal, 8) & 255 : escapes[ascii(pdf, p + 1, 1)];
      if (code === undefined) throw new Error("an unusual escape");
      out.push(code);
      p += octal?.length ?? 1;
      continue;
    }
    if (c === 0x28) open++;
    if (c === 0x29 && --open === 0) return [Uint8Array.from(out), p + 1];
    if (c === 13) {
      out.push(10); // an end of line is one, however it is written
      if (pdf[p + 1] === 10) p++;
    } else out.push(c);
  }
  throw new Error("an unusual string");
}
