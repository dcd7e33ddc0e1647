// Tells whether readers take the pages of a PDF for different ones: they inherit along /Kids or
// along /Parent, count pages or walk over them, go by /Type or by /Kids, take the first or the
// last of two values of a key, and give up at a content that others draw. internal/pdf has the
// same rules (pageform.go).

import { checkBoxes, checkSeen, type Boxes } from "./pdfboxes";
import type { Listing } from "./pdfcensus";
import { Contents } from "./pdfcontents";
import { Drawn, pictured } from "./pdfdrawn";
import { Marks } from "./pdffields";
import { linearized } from "./pdfform";
import { elements, integer, isArray, isDict, Loader, nameOf, refOf, reference, textOf, valueOf, type Ref, type Value } from "./pdfload";
import { UnreadError, type Entries } from "./pdfstream";

const maxDepth = 200; // of the page tree

/** twofaced tells whether readers differ about the pages of a file or what they are drawn from, or whether that cannot be told. */
export async function twofaced(pdf: Uint8Array, listed: Listing): Promise<boolean> {
  try {
    const loader = new Loader(pdf, listed);
    const drawn = new Contents(pdf, loader);
    const root = listed.root && { b: pdf, from: listed.root[0], to: listed.root[1] };
    const marks = new Marks(loader, drawn, root);
    await new Pages(pdf, loader, drawn, marks).scan(root);
    await new Drawn(pdf, listed, loader, drawn, marks).scan();
    return false;
  } catch (e) {
    if (e instanceof UnreadError) return true;
    throw e;
  }
}

class Pages {
  private readonly seen = new Set<number>(); // nodes of the page tree
  private readonly drawn = new Set<string>(); // contents that were looked at
  private readonly checked = new Map<string, { resources: Value | undefined }>(); // arrays of contents, with what they were held against
  private readonly pages: Ref[] = [];

  constructor(
    private readonly pdf: Uint8Array,
    private readonly loader: Loader,
    private readonly looks: Contents,
    private readonly marks: Marks,
  ) {}

  async scan(root: Value | undefined): Promise<void> {
    const catalog = await this.loader.load(reference(root));
    const dict = catalog && this.once(catalog);
    if (!catalog || !dict) throw new UnreadError("no catalog");
    const type = await this.key(catalog, dict, "Type");
    if (type && nameOf(type) !== "Catalog") throw new UnreadError("another catalog"); // Ghostscript shows no page of it
    await this.node(reference(valueOf(catalog, dict, "Pages")), undefined, {}, 0);
    for (const first of linearized(this.pdf)) await this.begins(first);
  }

  /** begins makes sure that the first object of a linearized file names the page that the tree has there, and so many: pdf.js shows that page. */
  private async begins(first: Entries): Promise<void> {
    const v = { b: this.pdf, from: first.begin, to: first.end };
    const at = first.values.has("P") ? integer(await this.key(v, first, "P")) : 0;
    if (integer(await this.key(v, first, "N")) !== this.pages.length || integer(await this.key(v, first, "O")) !== this.pages[at]?.num) {
      throw new UnreadError("a linearized file that begins with another page");
    }
  }

  /** node returns how many pages are at or below a node of the page tree; above is the node that lists it. */
  private async node(id: Ref, above: Ref | undefined, inherited: Boxes, depth: number): Promise<number> {
    if (this.seen.has(id.num) || depth > maxDepth) throw new UnreadError("a page that stands there twice, or too deep");
    this.seen.add(id.num);
    const v = await this.loader.load(id);
    if (!v) throw new UnreadError("a page that is missing");
    const dict = this.once(v);
    const inner = dict.values.has("Kids");
    if (nameOf(await this.key(v, dict, "Type")) !== (inner ? "Pages" : "Page")) throw new UnreadError("a page of another type");
    this.parent(valueOf(v, dict, "Parent"), above);
    const boxes = await checkBoxes(this.loader, v, dict, inherited);
    if (!inner) {
      checkSeen(boxes);
      this.pages.push(id);
      await this.contents(valueOf(v, dict, "Contents"), boxes.Resources);
      await this.annotations(await this.key(v, dict, "Annots"));
      return 1;
    }
    let pages = 0;
    for (const kid of elements(await this.key(v, dict, "Kids"))) pages += await this.node(reference(kid), id, boxes, depth + 1);
    if (integer(await this.key(v, dict, "Count")) !== pages) throw new UnreadError("another count of pages");
    return pages;
  }

  private parent(up: Value | undefined, above: Ref | undefined): void {
    // pdf.js, MuPDF and PDFium inherit from what stands above the root, too.
    const same = above ? named(reference(up)) === named(above) : !up || textOf(up) === "null";
    if (!same) throw new UnreadError("another parent");
  }

  /** contents looks at the streams that a page is drawn from. */
  private async contents(v: Value | undefined, resources: Value | undefined): Promise<void> {
    const id = v && refOf(v);
    const checked = id && this.checked.get(named(id));
    if (!v || textOf(v) === "null" || (checked && checked.resources === resources)) return;
    if (id && this.drawn.has(named(id))) return this.looks.page([id], resources);
    const found = id ? await this.loader.resolve(v) : v;
    if (!found || !isArray(found)) {
      await this.content(v);
      return this.looks.page([reference(v)], resources);
    }
    this.loader.spend(found.to - found.from);
    const all: Ref[] = [];
    for (const e of elements(found)) {
      await this.content(e);
      all.push(reference(e));
    }
    await this.looks.page(all, resources);
    if (id) this.checked.set(named(id), { resources });
  }

  /** annotations looks at those that are no objects by themselves, which are not come upon otherwise. */
  private async annotations(list: Value | undefined): Promise<void> {
    if (!list || !isArray(list)) return;
    this.loader.spend(list.to - list.from);
    for (const e of elements(list)) if (isDict(e)) await this.marks.check(e, this.loader.entries(e));
  }

  /** content makes sure that a content is a stream that is drawn as it is; its form is judged with that of all objects. */
  private async content(e: Value): Promise<void> {
    const id = reference(e);
    if (this.drawn.has(named(id))) return;
    const v = await this.loader.load(id);
    if (!v || !this.loader.isStream(v)) throw new UnreadError("a content that is no stream");
    const filter = await this.key(v, this.once(v), "Filter");
    for (const f of filter && isArray(filter) ? elements(filter) : filter ? [filter] : []) {
      if (pictured.includes(nameOf(await this.loader.resolve(f)) ?? "")) throw new UnreadError("a content of another filter");
    }
    this.drawn.add(named(id));
  }

  /** key is the value of a key, not a reference to it. */
  private key(v: Value, dict: Entries, name: string): Promise<Value | undefined> {
    return this.loader.resolve(valueOf(v, dict, name));
  }

  /** once reads a dictionary in which each key stands once. */
  private once(v: Value): Entries {
    const dict = this.loader.entries(v);
    if (dict.twice) throw new UnreadError("a key that stands there twice");
    return dict;
  }
}

function named({ num, gen }: Ref): string {
  return `${num} ${gen}`;
}
