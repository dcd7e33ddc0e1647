// Loads the objects of a PDF by number, as its cross-reference lists them: one that all
// readers take in one way (pdfcensus.ts). Object streams are decoded, and decrypted.

import { ascii, find, readName, skip } from "./bytes";
import type { Listing } from "./pdfcensus";
import { opener } from "./pdfobjects";
import { behindValue, bodyOf, decodeBody, integerOf, maxUnpacked, nameOf as nameIn, readEntries, readIndex, UnreadError, type Entries } from "./pdfstream";

/** Value is a piece of a file, or of a decoded object stream. */
export interface Value {
  b: Uint8Array;
  from: number;
  to: number; // place behind it
}

/** Ref is the number and generation of an object. */
export interface Ref {
  num: number;
  gen: number;
}

interface Pack {
  text: Uint8Array;
  index: [number, number][]; // number and place of each object
}

const maxChain = 8; // references to references
const atOnce = 1 << 20; // octets between two breaks: the page has one thread
const maxKept = 64 << 20; // octets of object streams

/** refOf is the reference that a value is, or undefined. */
export function refOf({ b, from, to }: Value): Ref | undefined {
  const m = /^(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+R$/.exec(ascii(b, from, Math.min(to - from, 64)));
  return m ? { num: Number(m[1]), gen: Number(m[2]) } : undefined;
}

/** textOf is a value as it is written, without what is too long for a number or a keyword. */
export function textOf({ b, from, to }: Value): string {
  return to - from <= 64 ? ascii(b, from, to - from) : "";
}

/** valueOf is the value of a key of a dictionary. */
export function valueOf({ b }: Value, dict: Entries, key: string): Value | undefined {
  const at = dict.values.get(key);
  return at && { b, from: at[0], to: at[1] };
}

/** reference is what a value that is one refers to. */
export function reference(v: Value | undefined): Ref {
  const id = v && refOf(v);
  if (!id) throw new UnreadError("a value that is no reference");
  return id;
}

/** isArray and isDict tell what a value is. */
export function isArray(v: Value): boolean {
  return v.b[v.from] === 0x5b;
}

export function isDict(v: Value): boolean {
  return v.b[v.from] === 0x3c && v.b[v.from + 1] === 0x3c;
}

/** elements are those of an array. */
export function* elements(v: Value | undefined): Generator<Value> {
  if (!v || !isArray(v)) throw new UnreadError("a value that is no array");
  const { b } = v;
  for (let p = skip(b, v.from + 1); p < v.to - 1; ) {
    const to = behindValue(b, p, 0);
    yield { b, from: p, to };
    p = skip(b, to);
  }
}

/** nameOf is a value that is a name. */
export function nameOf(v: Value | undefined): string | undefined {
  return v && v.b[v.from] === 0x2f ? readName(v.b, v.from)[0] : undefined;
}

/** integer is a value that is one. */
export function integer(v: Value | undefined): number {
  const text = v ? textOf(v) : "";
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new UnreadError("a value that is no integer");
  return Number(text);
}

/** plainNumber tells a number of the form of ISO 32000-1, 7.3.3. */
export function plainNumber(text: string): boolean {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(text);
}

/**
 * wideNumber tells a number of more digits than all readers take: of an integer above 32 bits PDFium
 * takes 0, and pdf.js what it says, which is off the page; a fraction of some hundred digits is none
 * to pdf.js.
 */
export function wideNumber(text: string): boolean {
  return /^[+-]?\d{10}|\.\d{65}/.test(text);
}

/** Loader bounds the work over all that is loaded with it. */
export class Loader {
  private work: number; // octets that may still be read
  private readonly packs = new Map<number, Pack>();
  private readonly generations = new Map<number, number>();
  private kept = 0; // octets of these
  private unpacked = 0;
  private rest: number; // work that is left when the signer's next click is let through
  private open: ReturnType<typeof opener> | undefined;

  constructor(
    private readonly pdf: Uint8Array,
    private readonly listed: Listing,
  ) {
    this.work = 16 * pdf.length + 65536;
    this.rest = this.work - atOnce;
  }

  /** load returns an object; undefined where there is none. */
  async load({ num, gen }: Ref): Promise<Value | undefined> {
    if (this.work < this.rest) {
      this.rest = this.work - atOnce;
      await new Promise((done) => setTimeout(done, 0));
    }
    const place = this.listed.place(num);
    if (!place) return undefined;
    if ("container" in place) return gen === 0 ? this.unpack(num, place.container, place.index) : undefined;
    const body = find(this.pdf, "obj", place.at) + 3;
    if (this.generation(num) !== gen || ascii(this.pdf, skip(this.pdf, body), 6) === "endobj") return undefined; // an empty one is null
    return this.value(this.pdf, body);
  }

  /** generation is that of an object in use. */
  generation(num: number): number | undefined {
    const known = this.generations.get(num);
    if (known !== undefined) return known;
    const place = this.listed.place(num);
    if (!place || "container" in place) return place && 0;
    const head = /^\d+[\0\t\n\f\r ]+(\d+)/.exec(ascii(this.pdf, place.at, 48));
    this.generations.set(num, Number(head?.[1]));
    return Number(head?.[1]);
  }

  /** resolve follows a reference to its value; undefined for null and what is not there. */
  async resolve(v: Value | undefined): Promise<Value | undefined> {
    for (let i = 0; v && i < maxChain; i++) {
      const id = refOf(v);
      if (!id) return textOf(v) === "null" ? undefined : v;
      v = await this.load(id);
    }
    if (v) throw new UnreadError("a chain of references");
    return undefined;
  }

  /** entries reads a dictionary. */
  entries({ b, from, to }: Value): Entries {
    this.spend(to - from);
    return readEntries(b, from);
  }

  /** clear decrypts a string, which is in clear within an object stream. */
  async clear({ b }: Value, octets: Uint8Array): Promise<Uint8Array> {
    const open = b === this.pdf && octets.length > 0 ? await (this.open ??= opener(this.pdf)) : undefined;
    return open ? open(octets) : octets;
  }

  /** isStream tells whether data stands behind a dictionary. */
  isStream({ b, to }: Value): boolean {
    const at = skip(b, to);
    this.spend(at - to);
    return b === this.pdf && ascii(b, at, 6) === "stream";
  }

  spend(octets: number): void {
    if ((this.work -= octets + 32) < 0) throw new UnreadError("the document is too entangled to be checked");
  }

  private value(b: Uint8Array, at: number): Value {
    const from = skip(b, at);
    const to = behindValue(b, from, 0);
    this.spend(to - at);
    return { b, from, to };
  }

  private async unpack(num: number, container: number, index: number): Promise<Value> {
    const pack = this.packs.get(container) ?? (await this.pack(container));
    const [number, at] = pack.index[index] ?? [];
    if (number !== num || at === undefined) throw new UnreadError("an object is not in its object stream");
    return this.value(pack.text, at);
  }

  /** pack decodes an object stream. */
  private async pack(container: number): Promise<Pack> {
    const { pdf } = this;
    const place = this.listed.place(container);
    if (!place || "container" in place) throw new UnreadError("an object stream that is not there");
    const v = this.value(pdf, find(pdf, "obj", place.at) + 3);
    const stream = { dict: this.entries(v), keyword: skip(pdf, v.to) };
    if (!this.isStream(v) || nameIn(pdf, stream.dict, "Type") !== "ObjStm") throw new UnreadError("no object stream where one is said to be");
    const body = bodyOf(pdf, stream);
    const open = await (this.open ??= opener(pdf));
    const text = await decodeBody(pdf, stream.dict, open ? await open(body) : body);
    if ((this.unpacked += text.length) > maxUnpacked) throw new UnreadError("too many object streams");
    this.work += 16 * text.length;
    this.rest += 16 * text.length;
    if ((this.kept += text.length) > maxKept) {
      this.packs.clear();
      this.kept = text.length;
    }
    const pack = { text, index: readIndex(text, integerOf(pdf, stream.dict, "N"), integerOf(pdf, stream.dict, "First")) };
    this.packs.set(container, pack);
    return pack;
  }
}
