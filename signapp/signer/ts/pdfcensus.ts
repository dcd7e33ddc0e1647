// Tells whether other readers may see other objects in a PDF than the one that draws it here.
// A reader that finds fault with the cross-reference leaves it aside, searches all bytes for
// objects and takes the last of each number. Where there is nothing to find fault with, and the
// search would find what the cross-reference lists, all see the same. internal/pdf has the same
// rules (census.go).

import { ascii, digit, find, skip, white } from "./bytes";
import { nameable, plainStream, sameBeginning } from "./pdfform";
import { opener } from "./pdfobjects";
import { bodyOf, decodeBody, integerOf, integersOf, isPacked, maxUnpacked, readEntries, readIndex, UnreadError, type Entries } from "./pdfstream";

const maxSections = 2048;
const maxObjects = 1 << 20;
const lastWords = 1000; // some readers look for startxref in the last 1,024 bytes only

const maxNumber = 2 ** 21; // from some number between three and four million on Ghostscript has no object

// Places of what has none of its own in the file.
const free = -1;
const inStream = -2; // and below: less what heldBy says

const maxComments = 8; // between the numbers of an object and its keyword

/** heldBy is one number for an object and the object stream that holds it. */
const heldBy = (container: number, n: number): number => container * 2 ** 24 + n;

class Odd extends Error {}

/** Place is where an object stands: in the file, or in an object stream. */
export type Place = { at: number } | { container: number; index: number };

/** Listing is what the cross-reference lists. */
export interface Listing {
  root: [number, number] | undefined; // where the reference to the catalog begins and ends
  encrypted: boolean;
  place(object: number): Place | undefined;
  objects(): Iterable<number>; // of objects that were listed, some of which may be free
}

/** listing reads the cross-reference; undefined if a search of the file could find other objects than it lists. */
export async function listing(pdf: Uint8Array): Promise<Listing | undefined> {
  try {
    const c = new Census(pdf);
    await c.sections();
    c.words();
    await c.packed();
    return c;
  } catch (e) {
    if (e instanceof Odd || e instanceof UnreadError) return undefined;
    throw e;
  }
}

class Census implements Listing {
  root: [number, number] | undefined;
  private readonly places = new Map<number, number>(); // object: where it is
  private readonly keywords = new Set<number>(); // where "obj" stands of what is listed, and "trailer" of sections
  private readonly hidden = new Map<number, number>(); // the same of what a section lists as free, and for newer readers as in use
  private freed = new Set<number>(); // what the section is the first to list as free
  private packs: number[] = []; // object streams that are named
  private readonly standing = new Map<number, number>(); // where it is: object
  private readonly held = new Set<number>(); // what object streams are said to hold, see heldBy
  encrypted = false;
  private unpacked = 0; // octets
  private size = 0; // no object has a number as high

  constructor(private readonly pdf: Uint8Array) {}

  async sections(): Promise<void> {
    const { pdf } = this;
    const tail = ascii(pdf, Math.max(0, pdf.length - lastWords), lastWords);
    const last = /startxref[\0\t\n\f\r ]+(\d{1,15})[\0\t\n\f\r ]+%%EOF[\0\t\n\f\r ]*$/.exec(tail);
    if (!last || tail.lastIndexOf("startxref") !== last.index) throw new Odd("no end");
    const seen = new Set<number>();
    let at = Number(last[1]);
    if (!sameBeginning(pdf, at)) throw new Odd("a linearized file of two beginnings");
    const table = ascii(pdf, at, 4) === "xref";
    for (;;) {
      // Some readers go on in the kind of cross-reference that they began with.
      if (table !== (ascii(pdf, at, 4) === "xref")) throw new Odd("sections of two kinds");
      if (seen.has(at) || seen.size >= maxSections) throw new Odd("sections");
      seen.add(at);
      this.freed.clear();
      const trailer = await this.section(at);
      if (seen.size === 1) this.root = trailer.values.get("Root");
      this.encrypted ||= trailer.values.has("Encrypt");
      if (trailer.values.has("XRefStm")) await this.stream(integerOf(pdf, trailer, "XRefStm"));
      const prev = trailer.values.has("Prev") ? integerOf(pdf, trailer, "Prev") : 0;
      if (prev === 0) break;
      at = prev;
    }
    for (const [n, at] of this.places) if (at !== free && n >= this.size) throw new Odd("a size that is too small");
    if (this.packs.some((n) => (this.places.get(n) ?? free) <= 0)) throw new Odd("an object stream that is not there");
  }

  place(object: number): Place | undefined {
    const at = this.hidden.get(object) ?? this.places.get(object) ?? free;
    if (at === free) return undefined;
    const held = inStream - at;
    return at > free ? { at } : { container: Math.floor(held / 2 ** 24), index: held % 2 ** 24 };
  }

  objects(): Iterable<number> {
    return this.places.keys();
  }

  /** section reads one and returns its trailer. */
  private async section(at: number): Promise<Entries> {
    if (ascii(this.pdf, at, 4) !== "xref") return this.stream(at);
    const listed = new Set<number>();
    const [p, highest] = this.table(at, listed);
    this.keywords.add(p);
    const trailer = readEntries(this.pdf, skip(this.pdf, p + 7));
    // Readers take a trailer with other words behind it for a stream, or for broken. Comments they skip; iText writes its name there.
    if (!/^(?:[\0\t\n\f\r ]|%[^\r\n]*[\r\n])*startxref/.test(ascii(this.pdf, trailer.end, 256))) throw new Odd("an unusual trailer");
    this.close(trailer, highest);
    return trailer;
  }

  private close(trailer: Entries, highest: number): void {
    // Some writers count too few (pdfunite); of the first section readers go by its entries.
    const size = Math.max(integerOf(this.pdf, trailer, "Size"), trailer.values.has("Prev") ? 0 : highest + 1);
    const text = ascii(this.pdf, trailer.begin, trailer.end - trailer.begin).replace(/\([^()\\]*\)|<[0-9A-Fa-f\s]*>/g, "");
    // Numbers that are too large have some readers fail, and search the file.
    if (trailer.twice || size <= highest || size > maxNumber || /\d{11}/.test(text) || !nameable(text)) throw new Odd("an unusual trailer");
    if (this.size === 0) this.size = size; // that of the newest section is that of the file
  }

  /** table reads lines in their one form; it returns where the trailer begins, and the highest number. */
  private table(at: number, listed: Set<number>): [number, number] {
    const { pdf } = this;
    let highest = 0;
    let line = /^xref *(?:\r\n|\r|\n)/.exec(ascii(pdf, at, 64));
    if (!line) throw new Odd("a table");
    let p = at + line[0].length;
    for (;;) {
      let q = p;
      while (white(pdf[q])) q++;
      if (ascii(pdf, q, 7) === "trailer") return [q, highest]; // some writers leave a line free in front of it
      line = /^(\d{1,8}) (\d{1,8}) *(?:\r\n|\r|\n)/.exec(ascii(pdf, p, 64));
      if (!line) throw new Odd("a table");
      p += line[0].length;
      const [first, count] = [Number(line[1]), Number(line[2])];
      for (let n = first; n < first + count; n++, p += 20) {
        const m = /^(\d{10}) (\d{5}) ([nf])(?: \n| \r|\r\n)$/.exec(ascii(pdf, p, 20));
        // Some readers take a free object 1 at the beginning for object 0, and count on from there.
        if (!m || (m[3] === "f" && n === 1 && n === first && m[2] === "65535")) throw new Odd("a table");
        this.entry(n, m[3] === "n" ? Number(m[1]) : free, Number(m[2]), listed);
        highest = Math.max(highest, n);
      }
    }
  }

  /** stream reads a cross-reference stream. */
  private async stream(at: number): Promise<Entries> {
    const { pdf } = this;
    if (!this.header(at)) throw new Odd("no cross-reference where one is said to be");
    const dict = readEntries(pdf, skip(pdf, find(pdf, "obj", at) + 3));
    const keyword = skip(pdf, dict.end);
    if (ascii(pdf, keyword, 6) !== "stream") throw new Odd("no cross-reference");
    if (!plainStream(pdf, at, dict)) throw new Odd("a cross-reference stream of an unusual form");
    const w = integersOf(pdf, dict, "W");
    const [type, place, rest] = w as [number, number, number];
    if (w.length !== 3 || type > 4 || place < 1 || place > 8 || rest > 8) throw new Odd("unusual widths");
    const rows = await decodeBody(pdf, dict, bodyOf(pdf, { dict, keyword }));
    if ((this.unpacked += rows.length) > maxUnpacked) throw new Odd("too many cross-reference streams");
    const index = dict.values.has("Index") ? integersOf(pdf, dict, "Index") : [0, integerOf(pdf, dict, "Size")];
    const listed = new Set<number>();
    let highest = 0;
    let p = 0;
    const field = (width: number): number => {
      let n = 0;
      for (let i = 0; i < width; i++) n = n * 256 + rows[p++]!;
      return n;
    };
    for (let i = 0; i < index.length; i += 2) {
      for (let n = index[i]!; n < index[i]! + (index[i + 1] ?? NaN); n++) {
        if (p + type + place + rest > rows.length) throw new Odd("it ends early");
        const kind = type === 0 ? 1 : field(type);
        const [a, b] = [field(place), field(rest)];
        if (kind > 2 || (n === 0 && kind !== 0)) throw new Odd("an unusual entry");
        if (kind === 2) {
          this.packs.push(a);
          this.held.add(heldBy(a, n));
        }
        if (this.packs.length > maxObjects) throw new Odd("too many objects");
        this.entry(n, kind === 1 ? a : kind === 2 ? inStream - heldBy(a, Math.min(b, 2 ** 24 - 1)) : free, b, listed);
        highest = Math.max(highest, n);
      }
    }
    this.close(dict, highest);
    return dict;
  }

  /** entry: an object in use stands where it says, and an older one of the number not behind it. */
  private entry(n: number, at: number, generation: number, listed: Set<number>): void {
    if (listed.has(n)) throw new Odd("listed twice");
    listed.add(n);
    const newer = this.places.get(n);
    if (newer === undefined) {
      this.places.set(n, at);
      if (at === free) this.freed.add(n);
    } else if (this.freed.has(n) && at !== free && !this.hidden.has(n)) this.hidden.set(n, at);
    if (this.places.size > maxObjects || this.keywords.size > maxObjects) throw new Odd("too many objects");
    if (at === free || at <= inStream) return;
    const h = at > 0 && at < this.pdf.length ? this.header(at) : undefined;
    this.standing.set(at, n);
    if (!h || n === 0 || h[0] !== n || h[1] !== generation || (newer !== undefined && newer > 0 && newer < at)) throw new Odd("an object is not in its place");
  }

  /** header reads "N G obj" and takes down where the keyword stands. */
  private header(at: number): [number, number] | undefined {
    const m = /^(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj(?=[\0\t\n\f\r ()<>[\]{}/%]|$)/.exec(ascii(this.pdf, at, 48));
    if (!m || /[^\0\t\n\f\r ()<>[\]{}/%]/.test(ascii(this.pdf, at - 1, 1))) return undefined;
    this.keywords.add(at + m[0].length - 3);
    return [Number(m[1]), Number(m[2])];
  }

  /** packed makes sure that object streams hold nothing that is not listed there: a search of the file finds it. */
  async packed(): Promise<void> {
    const { pdf } = this;
    const unlock = await this.unlocked();
    if (!unlock) return;
    for (const [at, container] of this.standing) {
      const p = skip(pdf, find(pdf, "obj", at) + 3);
      if (ascii(pdf, p, 2) !== "<<") continue;
      const numbers = await this.numbers(p, unlock);
      if (numbers.some((n) => !this.held.has(heldBy(container, n)))) throw new Odd("an object stream holds what is not listed");
    }
  }

  /** unlocked undoes the encryption of object streams; undefined for one that is not known, of which the signer is told that the file was not looked through. */
  private async unlocked(): Promise<((body: Uint8Array) => Promise<Uint8Array>) | undefined> {
    const clear = (body: Uint8Array) => Promise.resolve(body);
    if (!this.encrypted) return clear;
    try {
      return (await opener(this.pdf)) ?? clear;
    } catch (e) {
      if (e instanceof UnreadError) return undefined;
      throw e;
    }
  }

  /** numbers are those of the objects in an object stream whose dictionary is at p. */
  private async numbers(p: number, unlock: (body: Uint8Array) => Promise<Uint8Array>): Promise<number[]> {
    const { pdf } = this;
    let dict: Entries;
    try {
      dict = readEntries(pdf, p);
    } catch (e) {
      if (e instanceof UnreadError) return []; // what others read there is told apart from this
      throw e;
    }
    const s = { dict, keyword: skip(pdf, dict.end) };
    if (ascii(pdf, s.keyword, 6) !== "stream" || !isPacked(pdf, s)) return [];
    const text = await decodeBody(pdf, dict, await unlock(bodyOf(pdf, s)));
    if ((this.unpacked += text.length) > maxUnpacked) throw new Odd("too many object streams");
    return readIndex(text, integerOf(pdf, dict, "N"), integerOf(pdf, dict, "First")).map(([n]) => n);
  }

  /** words makes sure that every object and trailer that a search would find is one of those listed. */
  words(): void {
    const { pdf } = this;
    const ends = /^(?:[\0\t\n\f\r ()<>[\]{}/%]|$)/;
    for (let p = find(pdf, "obj", 0); p >= 0; p = find(pdf, "obj", p + 3)) {
      if (!this.keywords.has(p) && ascii(pdf, p - 3, 3) !== "end" && ends.test(ascii(pdf, p + 3, 1)) && this.mayBegin(p)) throw new Odd("an object that is not listed");
    }
    for (let p = find(pdf, "trailer", 0); p >= 0; p = find(pdf, "trailer", p + 7)) {
      if (!this.keywords.has(p) && ends.test(ascii(pdf, p + 7, 1))) throw new Odd("a trailer that is not listed");
    }
  }

  /** mayBegin tells whether readers can find two numbers in front of a keyword, over comments if need be. */
  private mayBegin(keyword: number): boolean {
    const { pdf } = this;
    const from = Math.max(0, keyword - 256);
    const before = ascii(pdf, from, keyword - from);
    let p = before.length - 1;
    for (let comments = 0; comments < maxComments; comments++) {
      while (p >= 0 && white(before.charCodeAt(p))) p--;
      if (p < 0) return false;
      if (digit(before.charCodeAt(p))) return true;
      if (comments === 0 && !/[\r\n]/.test(before.slice(p + 1))) return false;
      const comment = before.indexOf("%", Math.max(before.lastIndexOf("\n", p), before.lastIndexOf("\r", p)) + 1);
      if (comment < 0 || comment > p) return false;
      p = comment - 1;
    }
    return true;
  }
}
