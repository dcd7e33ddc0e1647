// Makes sure that no object that begins before the signature's reads across it.
// The hole will hold hexadecimal digits that the signature does not protect; in a
// string or in a stream of another object they would be content.
//
// Readers differ in where they begin and in how much they forgive, so nothing is
// taken from a cross-reference: every "obj" in the file is read as an object,
// token by token, with comments, nesting and every spelling of /Length. What
// cannot be followed is refused.

import { ascii, digit, find, readName, regular, skip, white } from "./bytes";
import { lockOf, trimmed } from "./pdfcrypt";
import { HoleError } from "./pdfhole";
import { bodyOf, decodeBody, integerOf, isPacked, maxUnpacked, readIndex, streamObjects, UnreadError } from "./pdfstream";

const over = "a part of the document runs over the place of the signature";
const unclear = "a length in the document cannot be told";

/** Numbers are the objects that are one integer: a stream's length may be one. */
export interface Numbers {
  named: Map<number, number>; // the largest of each number
  unnamed: number; // the largest whose object number cannot be told
}

/** Body is what one object says about its extent. */
interface Body {
  end: number; // place behind the value
  lengths: { value: number; ref: boolean; own: boolean }[]; // own: of the outermost dictionary
  stream: number; // place of the keyword, or -1
}

/** checkObjects refuses a file in which an object before from reaches beyond it; packed are integers in object streams, if these could be read. */
export function checkObjects(pdf: Uint8Array, from: number, holeEnd: number, packed: Numbers | undefined): void {
  const walk = new Walk(pdf, from);
  const closes = find(pdf, "endstream", holeEnd) >= 0;
  let numbers: Numbers | undefined;
  for (let p = find(pdf, "obj", 0); p >= 0 && p < from; p = find(pdf, "obj", p + 3)) {
    if (ascii(pdf, p - 3, 3) === "end") continue;
    const body = walk.object(p + 3);
    if (body.end > from) throw new HoleError(over);
    if (body.stream < 0) continue;
    const data = behindLine(pdf, body.stream + 6);
    const next = find(pdf, "endstream", data);
    if (next < 0 || next > from) throw new HoleError(over);
    for (const { value, ref, own } of body.lengths) {
      let n: number | undefined = value;
      if (ref) {
        numbers ??= numberObjects(pdf);
        n = numbers.named.get(value);
        // A length that is nowhere in the open: only an "endstream" behind the
        // hole would let a reader believe one that reaches there.
        if (closes && (n === undefined || !packed)) throw new HoleError(unclear);
        const hidden = packed?.named.get(value); // a reader may prefer it to the one in the open
        if (n === undefined && numbers.unnamed === 0 && hidden === undefined) continue;
        n = Math.max(n ?? 0, numbers.unnamed, hidden ?? 0);
      }
      if (data + n > from) throw new HoleError(over);
      // Behind a wrong length some readers look for the keyword token by token,
      // and a string passes over the next one.
      if (own && !ends(pdf, data + n)) walk.keyword(data + n);
    }
    if (body.lengths.length === 0) walk.keyword(data);
  }
}

/** ends tells whether "endstream" stands here, behind white space. */
function ends(pdf: Uint8Array, p: number): boolean {
  while (white(pdf[p])) p++;
  return ascii(pdf, p, 9) === "endstream";
}

/** behindLine is where a stream's data begins at the latest: behind the keyword's line. */
function behindLine(pdf: Uint8Array, p: number): number {
  while (p < pdf.length && pdf[p] !== 10 && pdf[p] !== 13) p++;
  return p + (pdf[p] === 13 && pdf[p + 1] === 10 ? 2 : 1);
}

function numberObjects(pdf: Uint8Array): Numbers {
  const out: Numbers = { named: new Map(), unnamed: 0 };
  for (let p = find(pdf, "obj", 0); p >= 0; p = find(pdf, "obj", p + 3)) {
    if (ascii(pdf, p - 3, 3) === "end") continue;
    const at = skip(pdf, p + 3);
    if (!digit(pdf[at]) && pdf[at] !== 0x2b && pdf[at] !== 0x2d) continue;
    const value = integer(ascii(pdf, at, 24));
    if (value === undefined) continue; // no length that a reader takes
    const head = /(?:^|[\0\t\n\f\r ])(\d{1,10})[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]*$/.exec(ascii(pdf, p - 32, 32));
    if (!head) out.unnamed = Math.max(out.unnamed, value);
    else out.named.set(Number(head[1]), Math.max(out.named.get(Number(head[1])) ?? 0, value));
  }
  return out;
}

/** packedNumbers reads the integers in object streams; it throws an UnreadError when one cannot be read. */
export async function packedNumbers(pdf: Uint8Array): Promise<Numbers> {
  const out: Numbers = { named: new Map(), unnamed: 0 };
  const packed = streamObjects(pdf).filter((o) => isPacked(pdf, o));
  let unpacked = 0;
  const open = packed.length > 0 ? await opener(pdf) : undefined;
  for (const s of packed) {
    if (unpacked > maxUnpacked) throw new UnreadError("too many object streams");
    const body = bodyOf(pdf, s);
    const text = await decodeBody(pdf, s.dict, open ? await open(body) : body);
    unpacked += text.length;
    for (const [number, at] of readIndex(text, integerOf(pdf, s.dict, "N"), integerOf(pdf, s.dict, "First"))) {
      const value = integer(ascii(text, skip(text, at), 24));
      if (value !== undefined) out.named.set(number, Math.max(out.named.get(number) ?? 0, value));
    }
  }
  return out;
}

/** opener undoes the encryption of streams, undefined where there is none; a reader that takes them for clear finds no numbers in them. */
export async function opener(pdf: Uint8Array): Promise<((body: Uint8Array) => Promise<Uint8Array>) | undefined> {
  try {
    const lock = await lockOf(pdf);
    if (!lock?.streams) return undefined;
    return async (body) => {
      try {
        return await lock.open(trimmed(body));
      } catch {
        throw new UnreadError("an object stream is not encrypted as the file demands");
      }
    };
  } catch {
    throw new UnreadError("an encryption that is not known");
  }
}

/** integer reads a number as the most forgiving reader would, from above. */
function integer(s: string): number | undefined {
  const m = /^[+-]*0*(\d{0,15})(?![\d.eE])/.exec(s);
  return m && /\d/.test(m[0]) ? Number(m[1]) : undefined;
}

/** Walk reads objects; it bounds the work over all of them. */
class Walk {
  private work: number;

  constructor(
    private readonly pdf: Uint8Array,
    private readonly from: number,
  ) {
    this.work = 8 * pdf.length + 65536;
  }

  /** object reads one value and what follows a dictionary. */
  object(at: number): Body {
    const { pdf } = this;
    const body: Body = { end: at, lengths: [], stream: -1 };
    let depth = 0;
    for (let p = skip(pdf, at); p < this.from; p = skip(pdf, p)) {
      const before = p;
      const c = pdf[p]!;
      const double = pdf[p + 1] === c;
      if (c === 0x28) p = this.literal(p);
      else if (c === 0x3c && !double) p = this.behind(0x3e, p);
      else if (c === 0x3c || c === 0x5b) {
        depth++;
        p += c === 0x3c ? 2 : 1;
      } else if ((c === 0x3e && double) || c === 0x5d) {
        depth--;
        p += c === 0x3e ? 2 : 1;
        const q = skip(pdf, p);
        if (c === 0x3e && ascii(pdf, q, 6) === "stream") {
          if (depth > 0) throw new HoleError(over); // a stream within a value: readers disagree
          body.stream = q;
        }
      } else if (c === 0x2f) p = this.name(p, body, depth);
      else if (!regular(c)) p++;
      else {
        while (p < pdf.length && !white(pdf[p]) && regular(pdf[p]!)) p++;
        const word = ascii(pdf, before, Math.min(p - before, 8));
        // What is left open here is read on by forgiving readers, in step with
        // the objects that follow, which are looked at by themselves.
        if (word === "endobj" || word === "obj") depth = 0;
      }
      body.end = p;
      if ((this.work -= p - before) < 0) throw new HoleError("the document is nested too deeply to be checked");
      if (depth <= 0) return body;
    }
    // Stopped before from, or a comment leads over it.
    body.end = skip(pdf, body.end) > this.from ? pdf.length : body.end;
    return body;
  }

  /** keyword reads tokens up to "endstream", which must come before the signature. */
  keyword(at: number): void {
    const { pdf } = this;
    for (let p = skip(pdf, at); p < this.from; p = skip(pdf, p)) {
      const before = p;
      const c = pdf[p]!;
      if (c === 0x28) p = this.literal(p);
      else if (c === 0x3c && pdf[p + 1] !== 0x3c) p = this.behind(0x3e, p);
      else if (!regular(c)) p += c === 0x3c ? 2 : 1;
      else {
        while (p < pdf.length && !white(pdf[p]) && regular(pdf[p]!)) p++;
        if (ascii(pdf, before, 9) === "endstream" && p - before === 9) return;
      }
      if ((this.work -= p - before) < 0) throw new HoleError("the document is nested too deeply to be checked");
    }
    throw new HoleError(over);
  }

  /** name passes a name; behind /Length it takes down what is said. */
  private name(p: number, body: Body, depth: number): number {
    const [name, after] = readName(this.pdf, p);
    if (name !== "Length") return after;
    const at = skip(this.pdf, after);
    const c = this.pdf[at];
    if (!digit(c) && c !== 0x2b && c !== 0x2d && c !== 0x2e) return after;
    const value = integer(ascii(this.pdf, at, 40));
    if (value === undefined) throw new HoleError(unclear);
    body.lengths.push({ value, ref: this.isReference(at), own: depth === 1 });
    return after;
  }

  /** isReference: "N G R", with comments allowed between. */
  private isReference(at: number): boolean {
    const word = (p: number): number => {
      while (p < this.pdf.length && regular(this.pdf[p]!)) p++;
      return skip(this.pdf, p);
    };
    const gen = word(at);
    const r = word(gen);
    return digit(this.pdf[gen]) && this.pdf[r] === 0x52 && !(r + 1 < this.pdf.length && regular(this.pdf[r + 1]!));
  }

  private behind(close: number, p: number): number {
    const end = this.pdf.indexOf(close, p);
    return end < 0 ? this.pdf.length : end + 1;
  }

  private literal(p: number): number {
    let open = 0;
    for (let i = p; i < this.pdf.length; i++) {
      const c = this.pdf[i];
      if (c === 0x5c) i++;
      else if (c === 0x28) open++;
      else if (c === 0x29 && --open === 0) return i + 1;
    }
    return this.pdf.length;
  }
}
