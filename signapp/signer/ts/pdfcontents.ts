// Decodes what is drawn and has it looked through: contents of pages, forms (which what an
// annotation looks like is, too), patterns and glyphs. internal/pdf has the same rules
// (contentreach.go, contentdecode.go).

import { concat } from "./b64";
import { find, white } from "./bytes";
import { checkContent } from "./pdfcontent";
import { base85, hexadecimal, inflate, lzw, runLength, zlibHead } from "./pdffilters";
import { elements, integer, isArray, isDict, nameOf, valueOf, textOf, type Loader, type Ref, type Value } from "./pdfload";
import { Names } from "./pdfnames";
import { opener } from "./pdfobjects";
import { UnreadError, unpredict, type Entries } from "./pdfstream";
import type { Uses } from "./pdfuses";

const maxDrawn = 32 << 20; // octets of all contents
const maxWork = 512 << 20; // octets that filters make, as in internal/pdf
const mostNames = 1 << 18; // of resources, in all contents
const atOnce = 1 << 20; // octets between two breaks: the page has one thread

/** Contents looks through each content of a file once. */
export class Contents {
  private drawn = 0; // octets that were decoded
  private named = 0; // names of resources, of all contents
  private work = maxWork; // octets that filters may still make
  private rest = atOnce; // octets until the signer's next click is let through
  private readonly looked = new Map<string, Uses>();
  private readonly names: Names;
  private open: ReturnType<typeof opener> | undefined;

  constructor(
    private readonly pdf: Uint8Array,
    private readonly loader: Loader,
  ) {
    this.names = new Names(loader, this);
  }

  /** page looks through the contents of a page, which are one, and holds them against its resources. */
  async page(ids: Ref[], resources: Value | undefined): Promise<void> {
    await this.names.check(await this.joined(ids), resources);
  }

  private async joined(ids: Ref[]): Promise<Uses> {
    const key = ids.map((id) => `${id.num} `).join("");
    const known = this.looked.get(key);
    return known ?? this.keep(key, await this.join(ids));
  }

  private keep(key: string, uses: Uses): Uses {
    this.looked.set(key, uses);
    if ((this.named += uses.count) > mostNames) throw new UnreadError("too many names of resources");
    return uses;
  }

  private async join(ids: Ref[]): Promise<Uses> {
    const parts: Uint8Array[] = [];
    const joints: number[] = [];
    const known = new Map<number, Uint8Array>(); // a page can name one as often as it has room for
    let at = 0;
    for (const id of ids) {
      if (parts.length > 0) {
        joints.push(at);
        parts.push(Uint8Array.of(10));
        at++;
      }
      const data = known.get(id.num) ?? (await this.load(id));
      known.set(id.num, data);
      this.spend(data.length);
      parts.push(data);
      at += data.length;
    }
    return checkContent(parts.length === 1 ? parts[0]! : concat(...parts), joints);
  }

  /** stream looks through what is drawn by itself, and holds it against its resources. */
  async stream(num: number, v: Value, dict: Entries): Promise<void> {
    const uses = await this.uses(num, v, dict);
    const pattern = valueOf(v, dict, "PatternType");
    await this.names.own(v, dict, uses, pattern !== undefined && textOf(pattern) !== "null");
  }

  /** look refuses what an annotation looks like if it uses resources and has none: some readers take the form's or the page's. */
  async look(num: number, v: Value, dict: Entries): Promise<void> {
    await this.names.own(v, dict, await this.uses(num, v, dict), true);
  }

  /** uses is what a stream that is drawn by itself uses. */
  async uses(num: number, v: Value, dict: Entries): Promise<Uses> {
    const known = this.looked.get(`${num} `);
    if (known) return known;
    const data = await this.data(v, dict);
    this.spend(data.length);
    return this.keep(`${num} `, checkContent(data));
  }

  /** decoded is the data of a stream. */
  async decoded(v: Value, dict: Entries): Promise<Uint8Array> {
    const data = await this.data(v, dict);
    this.spend(data.length);
    return data;
  }

  private async load(id: Ref): Promise<Uint8Array> {
    const v = await this.loader.load(id);
    if (!v) throw new UnreadError("a content that is missing");
    return this.data(v, this.loader.entries(v));
  }

  private spend(octets: number): void {
    if ((this.drawn += octets) >= maxDrawn) throw new UnreadError("contents that are too large");
  }

  /** glyphs looks through those of a Type 3 font. */
  async glyphs(v: Value, dict: Entries): Promise<void> {
    const procs = await this.loader.resolve(valueOf(v, dict, "CharProcs"));
    if (!procs || !isDict(procs)) return;
    for (const [from, to] of this.loader.entries(procs).values.values()) {
      const id = /^(\d{1,10})[\0\t\n\f\r ]/.exec(String.fromCharCode(...procs.b.subarray(from, Math.min(to, from + 12))));
      const glyph = id ? await this.loader.resolve({ b: procs.b, from, to }) : undefined;
      if (glyph && isDict(glyph) && this.loader.isStream(glyph)) await this.glyph(v, dict, Number(id![1]), glyph);
    }
  }

  /** glyph is drawn with the resources of its font. */
  private async glyph(font: Value, dict: Entries, num: number, v: Value): Promise<void> {
    const uses = await this.uses(num, v, this.loader.entries(v));
    if (uses.count > 0) await this.names.own(font, dict, uses, true);
  }

  private async data(v: Value, dict: Entries): Promise<Uint8Array> {
    const { pdf, loader } = this;
    const keyword = find(pdf, "stream", v.to);
    const from = keyword + 6 + (pdf[keyword + 6] === 13 && pdf[keyword + 7] === 10 ? 2 : 1);
    const length = integer(await loader.resolve(valueOf(v, dict, "Length")));
    if (length < 0 || from + length > pdf.length) throw new UnreadError("a stream of another length");
    if (length >= maxDrawn) throw new UnreadError("a content that is too large");
    let data = pdf.subarray(from, from + length);
    const open = await (this.open ??= opener(pdf));
    if (open) data = await open(data);
    const names = await this.all(valueOf(v, dict, "Filter"));
    const parms = await this.all(valueOf(v, dict, "DecodeParms"));
    for (const [i, f] of names.entries()) {
      const before = data.length;
      data = await this.undo((f && nameOf(f)) ?? "", parms[i], data);
      this.made(before + data.length); // what the next filter throws away, too
    }
    if (this.rest < 0) {
      this.rest = atOnce;
      await new Promise((done) => setTimeout(done, 0));
    }
    return data;
  }

  private made(octets: number): void {
    this.rest -= octets;
    if ((this.work -= octets) < 0) throw new UnreadError("contents that come to too much");
  }

  /** all are the elements of an array, resolved, or the one value that is none. */
  private async all(value: Value | undefined): Promise<(Value | undefined)[]> {
    const v = await this.loader.resolve(value);
    if (!v || !isArray(v)) return [v].filter((e) => e);
    const out: (Value | undefined)[] = [];
    this.loader.spend(v.to - v.from);
    for (const e of elements(v)) out.push(await this.loader.resolve(e));
    return out;
  }

  /** undo decodes one filter. */
  private async undo(filter: string, parms: Value | undefined, data: Uint8Array): Promise<Uint8Array> {
    const most = maxDrawn - this.drawn;
    const number = await this.numbers(parms);
    let out: Uint8Array;
    switch (filter) {
      case "FlateDecode":
        out = inflated(data, most);
        break;
      case "LZWDecode": {
        const undone = lzw(data, number("EarlyChange", 1) === 1, most);
        if (undone.how === "bad") throw new UnreadError("a content that is damaged");
        out = undone.out;
        break;
      }
      case "RunLengthDecode":
        return this.bounded(runLength(data, most));
      case "ASCIIHexDecode":
        return this.bounded(hexadecimal(data));
      case "ASCII85Decode":
        return this.bounded(base85(data));
      default:
        throw new UnreadError("a content of another filter");
    }
    this.bounded(out);
    const predictor = number("Predictor", 1);
    if (predictor === 1) return out;
    const columns = number("Columns", 1);
    if (predictor < 10 || number("Colors", 1) !== 1 || number("BitsPerComponent", 8) !== 8 || columns < 1 || columns > 4096) throw new UnreadError("a content of an unusual form");
    return unpredict(out, columns, false);
  }

  private bounded(data: Uint8Array): Uint8Array {
    if (data.length >= maxDrawn - this.drawn) throw new UnreadError("contents that are too large");
    return data;
  }

  private async numbers(parms: Value | undefined): Promise<(key: string, otherwise: number) => number> {
    const found = new Map<string, number>();
    if (parms && isDict(parms)) {
      const dict = this.loader.entries(parms);
      for (const key of ["Predictor", "Columns", "Colors", "BitsPerComponent", "EarlyChange"]) {
        const v = await this.loader.resolve(valueOf(parms, dict, key));
        if (v) found.set(key, integer(v));
      }
    }
    return (key, otherwise) => found.get(key) ?? otherwise;
  }
}

/** inflated is zlib data. The checksum and what stands behind count to no reader; about data that is cut off they differ in the last octets. */
function inflated(data: Uint8Array, most: number): Uint8Array {
  if (data.every((c) => white(c))) return data.subarray(0, 0);
  if (!zlibHead(data)) throw new UnreadError("a content that is damaged");
  const { out, how } = inflate(data, 2, most);
  if (how !== "whole") throw new UnreadError("a content that is damaged, cut off or too large");
  return out;
}
