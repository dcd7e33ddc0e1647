// Tells whether readers take an object of a PDF for different ones, wherever it stands: pages are
// drawn from what they refer to. internal/pdf has the same rules (drawform.go).

import { ascii, find, white } from "./bytes";
import type { Listing } from "./pdfcensus";
import type { Contents } from "./pdfcontents";
import type { Marks } from "./pdffields";
import { elements, integer, isArray, isDict, nameOf, plainNumber, refOf, textOf, valueOf, wideNumber, type Loader, type Value } from "./pdfload";
import { UnreadError, type Entries } from "./pdfstream";
import { checkTokens } from "./pdftokens";

const maxNumbers = 1000; // octets of a box or a matrix: many streams can name one array

/** Filters that all readers know under these names (ISO 32000-1, table 6): of what is drawn as it is, and of pictures. */
const drawable = ["FlateDecode", "LZWDecode", "ASCIIHexDecode", "ASCII85Decode", "RunLengthDecode"];
export const pictured = ["DCTDecode", "CCITTFaxDecode", "JBIG2Decode", "JPXDecode"];

const otherNames = ["F", "DP", "FFilter", "FDecodeParms"]; // under which some readers look for filters, or for the data in another file

const groupSpaces = ["DeviceGray", "DeviceRGB", "DeviceCMYK"];

const parameters: [string, (n: number) => boolean][] = [
  ["Predictor", (n) => n === 1 || n === 2 || (n >= 10 && n <= 15)],
  ["Colors", (n) => n >= 1 && n <= 32],
  ["BitsPerComponent", (n) => [1, 2, 4, 8, 16].includes(n)],
  ["Columns", (n) => n >= 1 && n <= 1 << 24],
  ["EarlyChange", (n) => n === 0 || n === 1],
];

/** Drawn looks at all objects of a file. */
export class Drawn {
  constructor(
    private readonly pdf: Uint8Array,
    private readonly listed: Listing,
    private readonly loader: Loader,
    private readonly looks: Contents,
    private readonly marks: Marks,
  ) {}

  /** scan throws an UnreadError for the first object that readers take for different ones. */
  async scan(): Promise<void> {
    for (const num of this.listed.objects()) {
      const gen = this.loader.generation(num);
      const v = gen === undefined ? undefined : await this.loader.load({ num, gen });
      if (!v) continue;
      if (refOf(v)) throw new UnreadError("a reference to a reference"); // Poppler and pypdf do not follow it
      this.loader.spend(v.to - v.from);
      checkTokens(v, (num) => this.loader.generation(num));
      if (!isDict(v)) continue;
      const dict = this.loader.entries(v);
      if (this.loader.isStream(v)) await this.stream(num, v, dict);
      else {
        await this.marks.check(v, dict);
        await this.looks.glyphs(v, dict);
      }
    }
  }

  private async stream(num: number, v: Value, dict: Entries): Promise<void> {
    const { pdf, loader } = this;
    let p = v.to;
    while (white(pdf[p])) p++;
    const head = /^stream(?:\r\n|\n|\r)/.exec(ascii(pdf, p, 8)); // no comment in front
    const length = integer(await loader.resolve(valueOf(v, dict, "Length")));
    if (!head || length < 0) throw new UnreadError("a stream that begins in an unusual way");
    const end = p + head[0].length + length;
    const close = find(pdf, "endstream", p + head[0].length);
    loader.spend(length);
    // Behind a wrong length readers look for different words.
    if (close < end || close - end > 7 || !/^[\0\t\n\f\r ]*$/.test(ascii(pdf, end, close - end))) throw new UnreadError("a stream of another length");
    const kind = nameOf(valueOf(v, dict, "Subtype"));
    if (kind !== "Image") await this.form(v, dict, kind === "Form");
    await this.filters(v, dict, kind === "Form");
    const bounds = kind === "Image" ? undefined : valueOf(v, dict, "BBox");
    if (bounds && textOf(bounds) !== "null") await this.looks.stream(num, v, dict); // a form, a pattern, or what an annotation looks like
  }

  /**
   * form makes sure that all readers draw it: Ghostscript draws an /XObject of no kind, Poppler no form
   * without a box, pdf.js alone one whose box or matrix is not of numbers, and MuPDF takes one with a
   * second kind for PostScript.
   */
  private async form(v: Value, dict: Entries, form: boolean): Promise<void> {
    const second = valueOf(v, dict, "Subtype2");
    const some = form ? second && textOf(second) !== "null" : nameOf(valueOf(v, dict, "Type")) === "XObject";
    const box = await this.numbers(valueOf(v, dict, "BBox"), 4);
    if (some || (form && !box)) throw new UnreadError("something that is drawn to some only");
    await this.numbers(valueOf(v, dict, "Matrix"), 6);
    await this.group(valueOf(v, dict, "Group"));
  }

  /** group refuses one of an unusual form: Ghostscript leaves out one whose colours or flags it does not take, and pdf.js one that is no dictionary. */
  private async group(value: Value | undefined): Promise<void> {
    const { loader } = this;
    const v = await loader.resolve(value);
    if (!v) return;
    if (!isDict(v)) throw new UnreadError("a group that is none");
    const dict = loader.entries(v);
    for (const flag of ["I", "K"]) {
      const on = await loader.resolve(valueOf(v, dict, flag));
      if (on && !["true", "false"].includes(textOf(on))) throw new UnreadError("a group of an unusual form");
    }
    const space = await loader.resolve(valueOf(v, dict, "CS"));
    if (space && !(await this.groupSpace(space))) throw new UnreadError("a group of an unusual form");
  }

  private async groupSpace(v: Value): Promise<boolean> {
    if (!isArray(v)) return groupSpaces.includes(nameOf(v) ?? "");
    const [first, second] = await this.all(v);
    const name = nameOf(first) ?? "";
    if (!second) return groupSpaces.includes(name);
    return isDict(second) && (name === "CalGray" || name === "CalRGB" || (name === "ICCBased" && this.loader.entries(second).values.has("N")));
  }

  /** numbers tells whether there is a value, which has to be an array of so many numbers then. */
  private async numbers(value: Value | undefined, n: number): Promise<boolean> {
    const v = await this.loader.resolve(value);
    if (!v || textOf(v) === "null") return false;
    if (!isArray(v) || v.to - v.from > maxNumbers) throw new UnreadError("numbers that are none");
    const list = (await this.all(v)).map((e) => (e ? textOf(e) : ""));
    if (list.length !== n || list.some((e) => !plainNumber(e) || wideNumber(e))) throw new UnreadError("numbers that are none");
    return true;
  }

  private async filters(v: Value, dict: Entries, form: boolean): Promise<void> {
    if (otherNames.some((k) => dict.values.has(k))) throw new UnreadError("a filter under another name");
    const filter = await this.loader.resolve(valueOf(v, dict, "Filter"));
    const parms = await this.loader.resolve(valueOf(v, dict, "DecodeParms"));
    if (parms && (isArray(parms) !== !!(filter && isArray(filter)) || !(isArray(parms) || isDict(parms)))) throw new UnreadError("parameters beside their filter");
    const names = await this.all(filter);
    const params = await this.all(parms);
    if (parms && isArray(parms) && params.length !== names.length) throw new UnreadError("parameters of no filter");
    for (const [i, f] of names.entries()) {
      const name = nameOf(f) ?? "";
      const known = drawable.includes(name) || (name === "Crypt" && this.listed.encrypted) || (!form && pictured.includes(name));
      if (!known) throw new UnreadError("an unknown filter");
      const p = params[i];
      if (p) await this.parameters(name, p);
    }
  }

  private async parameters(filter: string, p: Value): Promise<void> {
    if (!isDict(p)) throw new UnreadError("parameters that are none");
    if (filter !== "FlateDecode" && filter !== "LZWDecode") return;
    const dict = this.loader.entries(p);
    for (const [key, ok] of parameters) {
      const n = await this.loader.resolve(valueOf(p, dict, key));
      if (n && !ok(integer(n))) throw new UnreadError("an unusual parameter");
    }
  }

  /** all are the elements of an array, resolved, or the one value that is none. */
  private async all(v: Value | undefined): Promise<(Value | undefined)[]> {
    if (!v || !isArray(v)) return v ? [v] : [];
    const out: (Value | undefined)[] = [];
    this.loader.spend(v.to - v.from);
    for (const e of elements(v)) out.push(await this.loader.resolve(e));
    return out;
  }
}
