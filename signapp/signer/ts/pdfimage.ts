// Finds the end of an inline image of a content stream. Some readers reckon it from its size or its
// filter, others look for "EI": where that is not one place, what is in the picture to some is
// drawn as operators by others. internal/pdf has the same rules (contentimage.go).

import { find, readName, white } from "./bytes";
import { searched } from "./pdfend";
import { inflate, lzw, runLengthEnd, zlibHead } from "./pdffilters";
import { latin, Lexer, type Token } from "./pdflex";
import { UnreadError } from "./pdfstream";

/** Short names of the entries, and of filters (ISO 32000-2, tables 91 and 92). */
const keys: Record<string, string> = { BPC: "BitsPerComponent", CS: "ColorSpace", D: "Decode", DP: "DecodeParms", F: "Filter", H: "Height", IM: "ImageMask", I: "Interpolate", L: "Length", W: "Width" };
const filters: Record<string, string> = { AHx: "ASCIIHexDecode", A85: "ASCII85Decode", LZW: "LZWDecode", Fl: "FlateDecode", RL: "RunLengthDecode", CCF: "CCITTFaxDecode", DCT: "DCTDecode" };
/** components is how many numbers each colour has; what begins with a bracket is an array. */
const components = new Map(
  Object.entries({ 1: "DeviceGray G [DeviceGray [G [CalGray [I [Indexed", 3: "DeviceRGB RGB [DeviceRGB [RGB [CalRGB", 4: "DeviceCMYK CMYK [DeviceCMYK [CMYK" }).flatMap(([n, names]) =>
    names.split(" ").map((name): [string, number] => [name, Number(n)]),
  ),
);

const maxImage = 16 << 20; // octets that an image is decoded to
const reckoned = ["DCTDecode", "ASCII85Decode", "ASCIIHexDecode"]; // by pdf.js, too

/** Head is what stands between BI and ID, as far as it says where the data ends. */
interface Head {
  width: number;
  height: number;
  bits: number;
  mask: boolean;
  space: string;
  filter: string; // the first
  early: boolean; // of LZWDecode
  parms: string; // of the filters, as they are written
}

/** behindImage is the place behind the EI of an image, and its colours, if they are a name of the resources; from is behind BI. */
export function behindImage(b: Uint8Array, from: number, operators: Map<string, number>): { end: number; space: string } {
  const lexer = new Lexer(b, from);
  const head = readHead(lexer);
  const at = lexer.pos;
  if (!white(b[at])) throw new UnreadError("no blank behind ID");
  const space = head.space === "" || head.space.startsWith("[") || components.has(head.space) ? "" : head.space;
  const starts = b[at] === 13 && b[at + 1] === 10 ? [at + 1, at + 2] : [at + 1]; // some readers count both
  for (const start of starts) {
    for (const end of ends(head, b.subarray(start), operators)) {
      let p = start + end;
      while (white(b[p])) p++;
      if (b[p] !== 0x45 || b[p + 1] !== 0x49 || (p + 2 < b.length && !white(b[p + 2]))) continue;
      if (reckoned.includes(head.filter) || searched(b, at + 1, operators) === p) return { end: p + 2, space };
    }
  }
  throw new UnreadError("an inline image that ends in two places");
}

function readHead(lexer: Lexer): Head {
  const head: Head = { width: -1, height: -1, bits: 1, mask: false, space: "", filter: "", early: true, parms: "" };
  const seen = new Set<string>();
  for (;;) {
    const t = lexer.next();
    if (t.kind === "word" && latin(lexer.b, t.from, t.to) === "ID") break;
    if (t.kind !== "name") throw new UnreadError("an inline image of an unusual form");
    const name = decoded(lexer.b, t);
    const key = Object.hasOwn(keys, name) ? keys[name]! : name;
    const v = lexer.value();
    const usual = v.kind !== "word" || ["true", "false", "null"].includes(latin(lexer.b, v.from, v.to));
    if (seen.has(key) || !usual || !enter(head, key, lexer.b, v)) throw new UnreadError("an inline image of an unusual form");
    seen.add(key);
  }
  const sizes = [head.width, head.height];
  if (sizes.some((n) => n < 0 || n > 1 << 20)) throw new UnreadError("an inline image without a size");
  return head;
}

/** decoded is a name without its escapes, "" for one that is too long to be of use here. */
function decoded(b: Uint8Array, { from, to }: Token): string {
  return to - from < 150 ? readName(b.subarray(0, to), from)[0] : "";
}

/** enter notes an entry, and tells whether it is of a usual form. */
function enter(head: Head, key: string, b: Uint8Array, v: Token): boolean {
  const text = v.to - v.from <= 64 ? latin(b, v.from, v.to) : "";
  const number = /^\+?\d{1,9}$/.test(text) ? Number(text) : -1;
  switch (key) {
    case "Width":
      head.width = number;
      return number >= 0;
    case "Height":
      head.height = number;
      return number >= 0;
    case "BitsPerComponent":
      head.bits = number;
      return number >= 0 && number <= 16;
    case "ImageMask":
      head.mask = text === "true";
      return head.mask || text === "false";
    case "ColorSpace":
    case "Filter": {
      const first = firstName(b, v);
      if (first === undefined) return false;
      if (key === "ColorSpace") head.space = v.kind === "[" ? `[${first}` : first;
      else head.filter = Object.hasOwn(filters, first) ? filters[first]! : first;
      return true;
    }
    case "DecodeParms":
      head.parms = latin(b, v.from, v.to);
      head.early = !head.parms.includes("/EarlyChange 0");
  }
  return true;
}

/** firstName is a name, or the first of an array, "" for none. */
function firstName(b: Uint8Array, v: Token): string | undefined {
  if (v.kind === "name") return decoded(b, v) || undefined;
  if (v.kind !== "[") return undefined;
  const t = new Lexer(b, v.from + 1).next();
  return t.kind === "]" ? "" : t.kind === "name" ? decoded(b, t) || undefined : undefined;
}

/** ends are the places where the data may end. */
function ends(head: Head, data: Uint8Array, operators: Map<string, number>): number[] {
  switch (head.filter) {
    case "":
      return plainEnds(head, data.length);
    case "FlateDecode": {
      if (!zlibHead(data)) return [];
      const { end, how } = inflate(data, 2, maxImage);
      return how === "whole" ? [4, 0, 3, 2, 1].map((n) => Math.min(end + n, data.length)) : []; // its checksum may be cut off
    }
    case "LZWDecode": {
      if (!plainParms(head.parms)) return [];
      const { end, how } = lzw(data, head.early, maxImage);
      return how === "whole" ? [end] : [];
    }
    case "RunLengthDecode":
      return runLengthEnd(data);
    case "ASCII85Decode":
      return within(data, find(data, "~>", 0), 2, (c) => (c >= 0x21 && c <= 0x75) || c === 0x7a || white(c));
    case "ASCIIHexDecode":
      return within(data, data.indexOf(0x3e), 1, (c) => white(c) || /[0-9A-Fa-f]/.test(String.fromCharCode(c)));
    case "DCTDecode":
      return jpegEnd(data);
    case "CCITTFaxDecode":
      return [searched(data, 0, operators)].filter((at) => at >= 0); // readers do not find its end in one way
  }
  return [];
}

function within(data: Uint8Array, end: number, mark: number, good: (c: number) => boolean): number[] {
  return end >= 0 && data.subarray(0, end).every(good) ? [end + mark] : [];
}

/**
 * plainEnds reckons. Without a colour space PDFium takes one bit, of a mask that has one it takes its
 * colours, and of one of the resources it is not known here what those are.
 */
function plainEnds({ mask, space, bits, width, height }: Head, room: number): number[] {
  const known = components.get(space) ?? 0;
  const usual = !mask || (bits === 1 && (known === 1 || space === ""));
  const n = !usual ? 0 : mask ? 1 : known;
  const size = height * Math.floor((width * bits * n + 7) / 8);
  return n > 0 && size <= room ? [size] : [];
}

/** plainParms tells whether the parameters of LZWDecode say in one way how its codes grow. */
function plainParms(parms: string): boolean {
  if (/[#[%(]/.test(parms)) return false;
  const n = parms.split("EarlyChange").length - 1;
  return n === 0 || (n === 1 && /^<<[^#<]*\/EarlyChange [01][\t\n\f\r />]/.test(parms));
}

/** jpegEnd is the place behind the marker that ends a JPEG. */
function jpegEnd(b: Uint8Array): number[] {
  for (let i = 0; i + 1 < b.length; i++) {
    if (b[i] !== 0xff) continue;
    const m = b[i + 1]!;
    if (m === 0xd9) return [i + 2];
    if (m === 0xff) continue;
    if ((m >= 0xc0 && m <= 0xcf && m !== 0xc8) || (m >= 0xda && m <= 0xef) || m === 0xfe) {
      if (i + 3 >= b.length) return [];
      const n = b[i + 2]! * 256 + b[i + 3]!;
      i += n > 2 ? 1 + n : 1;
    } else i++;
  }
  return [];
}
