// Tells whether readers take the pages of a PDF for different ones: they inherit along /Kids or
// along /Parent, count pages or walk over them, go by /Type or by /Kids, take the first or the
// last of two values of a key, and give up at a content that others draw. internal/pdf has the
// same rules (pageform.go).

import { readName, skip } from "./bytes";
import type { Listing } from "./pdfcensus";
import { Loader, refOf, textOf, type Ref, type Value } from "./pdfload";
import { behindValue, UnreadError, type Entries } from "./pdfstream";

const maxDepth = 200; // of the page tree

/** Filters that readers know (ISO 32000-1, table 6); DCT and the like are for pictures. */
const drawable = ["FlateDecode", "LZWDecode", "ASCIIHexDecode", "ASCII85Decode", "RunLengthDecode", "Crypt", "Fl", "LZW", "AHx", "A85", "RL"];

/** twofaced tells whether readers differ about the pages of a file or what they are drawn from, or whether that cannot be told. */
export async function twofaced(pdf: Uint8Array, listed: Listing): Promise<boolean> {
  try {
    await new Pages(new Loader(pdf, listed)).scan(listed.root && { b: pdf, from: listed.root[0], to: listed.root[1] });
    return false;
  } catch (e) {
    if (e instanceof UnreadError) return true;
    throw e;
  }
}

class Pages {
  private readonly seen = new Set<number>(); // nodes of the page tree
  private readonly drawn = new Set<string>(); // contents, and arrays of them, that were looked at

  constructor(private readonly loader: Loader) {}

  async scan(root: Value | undefined): Promise<void> {
    const catalog = await this.loader.load(reference(root));
    const pages = catalog && value(catalog, this.once(catalog), "Pages");
    await this.node(reference(pages), undefined, 0);
  }

  /** node returns how many pages are at or below a node of the page tree; above is the node that lists it. */
  private async node(id: Ref, above: Ref | undefined, depth: number): Promise<number> {
    if (this.seen.has(id.num) || depth > maxDepth) throw new UnreadError("a page that stands there twice, or too deep");
    this.seen.add(id.num);
    const v = await this.loader.load(id);
    if (!v) throw new UnreadError("a page that is missing");
    const dict = this.once(v);
    const inner = dict.values.has("Kids");
    if (nameOf(await this.key(v, dict, "Type")) !== (inner ? "Pages" : "Page")) throw new UnreadError("a page of another type");
    if (above && named(reference(value(v, dict, "Parent"))) !== named(above)) throw new UnreadError("another parent");
    if (!inner) {
      await this.contents(value(v, dict, "Contents"));
      return 1;
    }
    let pages = 0;
    for (const kid of elements(await this.key(v, dict, "Kids"))) pages += await this.node(reference(kid), id, depth + 1);
    if (integer(await this.key(v, dict, "Count")) !== pages) throw new UnreadError("another count of pages");
    return pages;
  }

  /** contents looks at the streams that a page is drawn from. */
  private async contents(v: Value | undefined): Promise<void> {
    const id = v && refOf(v);
    if (!v || textOf(v) === "null" || (id && this.drawn.has(named(id)))) return;
    const found = id ? await this.loader.resolve(v) : v;
    if (!found || !isArray(found)) return this.content(v);
    this.loader.spend(found.to - found.from);
    for (const e of elements(found)) await this.content(e);
    if (id) this.drawn.add(named(id));
  }

  private async content(e: Value): Promise<void> {
    const id = reference(e);
    if (this.drawn.has(named(id))) return;
    const v = await this.loader.load(id);
    if (!v || !this.loader.isStream(v)) throw new UnreadError("a content that is no stream");
    const dict = this.once(v);
    if (integer(await this.key(v, dict, "Length")) < 0) throw new UnreadError("a negative length");
    const filter = await this.key(v, dict, "Filter");
    for (const f of filter && isArray(filter) ? elements(filter) : filter ? [filter] : []) {
      if (!drawable.includes(nameOf(await this.loader.resolve(f)) ?? "")) throw new UnreadError("a content of another filter");
    }
    this.drawn.add(named(id));
  }

  /** key is the value of a key, not a reference to it. */
  private key(v: Value, dict: Entries, name: string): Promise<Value | undefined> {
    return this.loader.resolve(value(v, dict, name));
  }

  /** once reads a dictionary in which, and in what stands within it, each key stands once. */
  private once(v: Value): Entries {
    const dict = this.loader.entries(v);
    if (dict.twice) throw new UnreadError("a key that stands there twice");
    for (const [from, to] of dict.values.values()) this.within({ b: v.b, from, to });
    return dict;
  }

  private within(v: Value): void {
    if (v.b[v.from] === 0x3c && v.b[v.from + 1] === 0x3c) this.once(v);
    if (!isArray(v)) return;
    this.loader.spend(v.to - v.from);
    for (const e of elements(v)) this.within(e);
  }
}

function value({ b }: Value, dict: Entries, key: string): Value | undefined {
  const at = dict.values.get(key);
  return at && { b, from: at[0], to: at[1] };
}

function reference(v: Value | undefined): Ref {
  const id = v && refOf(v);
  if (!id) throw new UnreadError("a value that is no reference");
  return id;
}

function named({ num, gen }: Ref): string {
  return `${num} ${gen}`;
}

function isArray(v: Value): boolean {
  return v.b[v.from] === 0x5b;
}

/** elements are those of an array. */
function* elements(v: Value | undefined): Generator<Value> {
  if (!v || !isArray(v)) throw new UnreadError("a value that is no array");
  const { b } = v;
  for (let p = skip(b, v.from + 1); p < v.to - 1; ) {
    const to = behindValue(b, p, 0);
    yield { b, from: p, to };
    p = skip(b, to);
  }
}

function nameOf(v: Value | undefined): string | undefined {
  return v && v.b[v.from] === 0x2f ? readName(v.b, v.from)[0] : undefined;
}

function integer(v: Value | undefined): number {
  const text = v ? textOf(v) : "";
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new UnreadError("a value that is no integer");
  return Number(text);
}
