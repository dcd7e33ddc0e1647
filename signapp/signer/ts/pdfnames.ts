// Names that the resources do not have (ISO 32000-2, 7.8.3): of a font Poppler draws nothing then,
// others draw one of their own; pdf.js and Poppler go on to the resources of what is around, and
// others do not. internal/pdf has the same rules (contentnames.go).

import type { Contents } from "./pdfcontents";
import { Fonts, resolved } from "./pdffonts";
import { elements, isArray, isDict, nameOf, valueOf, type Loader, type Value } from "./pdfload";
import { UnreadError, type Entries } from "./pdfstream";
import type { Uses } from "./pdfuses";

const deepest = 8; // forms without resources, one within another
const nameCost = 64; // octets that looking for a name is charged
const every = Array.from({ length: 256 }, (_, c) => c);

/** Names holds contents against their resources. */
export class Names {
  private readonly fonts: Fonts;

  constructor(
    private readonly loader: Loader,
    private readonly looks: Contents,
  ) {
    this.fonts = new Fonts(loader);
  }

  /** check throws an UnreadError for what a content uses and the resources do not have, or readers draw in different ways. */
  async check(uses: Uses, resources: Value | undefined): Promise<void> {
    await new Check(this.loader, this.looks, this.fonts, resources).uses(uses, 0);
  }

  /**
   * own is check for what is drawn by itself. Without resources, what it uses is judged where a form is
   * drawn; a pattern, a glyph and a look have nothing to take it from.
   */
  async own(v: Value, dict: Entries, uses: Uses, needed: boolean): Promise<void> {
    const found = await this.loader.resolve(valueOf(v, dict, "Resources"));
    if (found && isDict(found)) return this.check(uses, found);
    if (found || (needed && uses.count > 0)) throw new UnreadError("something drawn without resources");
  }
}

class Check {
  private readonly parts = new Map<string, { v: Value; dict: Entries } | undefined>();
  private readonly forms = new Set<number>(); // without resources of their own, that were looked at

  constructor(
    private readonly loader: Loader,
    private readonly looks: Contents,
    private readonly fonts: Fonts,
    private readonly resources: Value | undefined,
  ) {}

  async uses(uses: Uses, depth: number): Promise<void> {
    this.loader.spend(nameCost * uses.count);
    for (const [part, names] of uses.names) {
      const found = await this.part(part);
      for (const name of names) {
        const at = found?.dict.values.get(name);
        if (!found || !at) throw new UnreadError(`a name that the resources do not have: ${part} /${name}`);
        await this.one(part, { b: found.v.b, from: at[0], to: at[1] }, uses.codes.get(name) ?? [], depth);
      }
    }
  }

  private async part(name: string): Promise<{ v: Value; dict: Entries } | undefined> {
    if (this.parts.has(name)) return this.parts.get(name);
    const { loader, resources } = this;
    const v = resources && (await loader.resolve(valueOf(resources, loader.entries(resources), name)));
    const part = v && isDict(v) ? { v, dict: loader.entries(v) } : undefined;
    this.parts.set(name, part);
    return part;
  }

  private async one(part: string, named: Value, codes: Iterable<number>, depth: number): Promise<void> {
    if (part === "Font") return this.fonts.check(named, codes, (v, dict) => this.looks.glyphs(v, dict));
    const { v, num } = await resolved(this.loader, named);
    const sound = v && (part === "ColorSpace" ? nameOf(v) !== undefined || isArray(v) : isDict(v));
    if (!sound) throw new UnreadError(`a name of a resource that is none: ${part}`);
    if (part === "XObject") await this.drawn(v, num, depth);
    if (part === "ExtGState") await this.state(v, depth);
  }

  /** drawn judges what Do draws. A form without resources takes those of what draws it. */
  private async drawn(v: Value, num: number | undefined, depth: number): Promise<void> {
    const { loader } = this;
    if (num === undefined || !loader.isStream(v)) throw new UnreadError("something to draw that is no stream");
    const dict = loader.entries(v);
    const kind = nameOf(valueOf(v, dict, "Subtype"));
    if (kind === "Image") return;
    if (kind !== "Form") throw new UnreadError("something to draw of no kind");
    const own = await loader.resolve(valueOf(v, dict, "Resources"));
    if ((own && isDict(own)) || this.forms.has(num)) return;
    this.forms.add(num);
    if (depth > deepest) throw new UnreadError("forms that are too deep");
    await this.uses(await this.looks.uses(num, v, dict), depth + 1);
  }

  /** state judges what a state brings: a mask that is drawn as a form, and a font, which any text may be in. */
  private async state(v: Value, depth: number): Promise<void> {
    const pair = await this.loader.resolve(valueOf(v, this.loader.entries(v), "Font"));
    const mask = await this.loader.resolve(valueOf(v, this.loader.entries(v), "SMask"));
    const group = mask && isDict(mask) ? valueOf(mask, this.loader.entries(mask), "G") : undefined;
    if (mask && isDict(mask)) {
      const { v: form, num } = group ? await resolved(this.loader, group) : { v: undefined, num: undefined };
      if (!form || !isDict(form)) throw new UnreadError("a mask that is none");
      await this.drawn(form, num, depth);
    }
    if (!pair) return;
    const [font] = isArray(pair) ? [...elements(pair)] : [];
    if (!font) throw new UnreadError("a font of a state that is none");
    await this.fonts.check(font, every, (f, dict) => this.looks.glyphs(f, dict));
  }
}
