// Annotations that readers draw in different ways: without a look, some draw their own; and form
// fields say what they hold (/V) beside what they look like (/AP). pdf.js, Poppler, PDFium and
// Acrobat draw the value anew where /NeedAppearances asks for it or where there is no look, each in
// other cases, and pages in which fields can be filled in show the value at any time; MuPDF,
// Ghostscript and this app show the look. So the two have to say the same, and what is to be drawn
// anew has to be empty. internal/pdf has the same rules (fieldfaces.go).

import type { Contents } from "./pdfcontents";
import { seenText } from "./pdffieldtext";
import { resolved } from "./pdffonts";
import { elements, integer, isArray, isDict, nameOf, textOf, valueOf, type Loader, type Value } from "./pdfload";
import { UnreadError, type Entries } from "./pdfstream";
import { isString, squeezed, textString } from "./pdftext";

/** Annotations that Poppler, MuPDF or Ghostscript draw out of their own heads where they have no look, and others do not. */
const drawnAnyway = ["FreeText", "Line", "Square", "Circle", "Polygon", "PolyLine", "Highlight", "Underline", "Squiggly", "StrikeOut", "Stamp", "Caret", "Ink"];

const maxInherited = 32; // levels of a field
const push = 1 << 16; // flags of fields (ISO 32000-2, tables 229 and 233)
const combo = 1 << 17;

/** Look is what an annotation looks like: a stream, or a dictionary of them by states. */
interface Look {
  stream?: { v: Value; dict: Entries };
  states?: { v: Value; dict: Entries };
}

/** Field is what a widget has, or its field. */
interface Field {
  widget: Value;
  dict: Entries;
  look: Look;
  kind: string | undefined;
  held: Value | undefined;
  rich: Value | undefined; // the value with a format
  flags: number;
  options: { value: string; shown: string }[];
}

const characterOf: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

const unseen = "a field with a value and without a look";
const other = "a field whose value is another than what it looks like";
// What a look shows cannot be told from its text: it may be white, covered, outside of the look or in a
// font that lies, and strokes beside it may show another value.
const anew = "a field whose value is to be drawn anew";

export class Marks {
  private needed: boolean | undefined;

  constructor(
    private readonly loader: Loader,
    private readonly looks: Contents,
    private readonly root: Value | undefined,
  ) {}

  /** check throws an UnreadError if a dictionary is an annotation that readers draw in different ways. */
  async check(v: Value, dict: Entries): Promise<void> {
    const kind = nameOf(valueOf(v, dict, "Subtype"));
    if (kind === undefined || !(dict.values.has("AP") || kind === "Widget" || drawnAnyway.includes(kind))) return;
    const look = await this.look(v, dict);
    if (dict.values.has("Rect") && drawnAnyway.includes(kind) && !look.stream && !look.states) throw new UnreadError("an annotation without a look");
    if (kind !== "Widget") {
      const state = await this.loader.resolve(valueOf(v, dict, "AS"));
      const at = look.states && state && nameOf(state) !== undefined ? look.states.dict.values.has(nameOf(state)!) : false;
      if (look.states && !at) throw new UnreadError("looks of which none is chosen");
      return;
    }
    const field = await this.field(v, dict, look);
    if (field.kind === "Tx" || field.kind === "Ch") await this.text(field);
    if (field.kind === "Btn") await this.button(field);
  }

  private async look(v: Value, dict: Entries): Promise<Look> {
    const { loader, looks } = this;
    const ap = await loader.resolve(valueOf(v, dict, "AP"));
    const normal = ap && isDict(ap) ? valueOf(ap, loader.entries(ap), "N") : undefined;
    const { v: n, num } = normal ? await resolved(loader, normal) : { v: undefined, num: undefined };
    if (!n || !isDict(n)) return {};
    const found = { v: n, dict: loader.entries(n) };
    if (num !== undefined && loader.isStream(n)) {
      await looks.look(num, n, found.dict);
      return { stream: found };
    }
    for (const [from, to] of found.dict.values.values()) {
      const one = await resolved(loader, { b: n.b, from, to });
      if (one.num !== undefined && one.v && isDict(one.v) && loader.isStream(one.v)) await looks.look(one.num, one.v, loader.entries(one.v));
    }
    return { states: found };
  }

  /** field reads what a widget has, or its field. */
  private async field(widget: Value, dict: Entries, look: Look): Promise<Field> {
    const { loader } = this;
    const found = new Map<string, Value>();
    let at: Value | undefined = widget;
    for (let i = 0; at && isDict(at) && i < maxInherited; i++) {
      const entries: Entries = loader.entries(at);
      for (const key of ["FT", "V", "Ff", "Opt", "RV"]) {
        const v = found.has(key) ? undefined : await loader.resolve(valueOf(at, entries, key));
        if (v) found.set(key, v);
      }
      at = await loader.resolve(valueOf(at, entries, "Parent"));
    }
    if (at && isDict(at)) throw new UnreadError("a field below too many others");
    const flags = found.get("Ff");
    const kind = found.get("FT") && nameOf(found.get("FT"));
    const options = kind === "Ch" ? await this.options(found.get("Opt")) : [];
    return { widget, dict, look, kind, held: found.get("V"), rich: found.get("RV"), flags: flags && /^[+-]?\d{1,15}$/.test(textOf(flags)) ? integer(flags) : 0, options };
  }

  private async options(list: Value | undefined): Promise<Field["options"]> {
    const { loader } = this;
    if (!list || !isArray(list)) return [];
    loader.spend(list.to - list.from);
    const out: Field["options"] = [];
    for (const e of elements(list)) {
      const one = await loader.resolve(e);
      const pair = one && isArray(one) ? [...elements(one)] : [one, one];
      if (pair.length !== 2) return [];
      const [value, shown] = [await textString(loader, await loader.resolve(pair[0])), await textString(loader, await loader.resolve(pair[1]))];
      out.push({ value, shown: squeezed(shown) });
    }
    return out;
  }

  /** held are the values of a field as they would be shown, without spaces. */
  private async held({ kind, held, options }: Field): Promise<string[]> {
    if (!held) return [];
    if (!isString(held) && !(kind === "Ch" && isArray(held))) throw new UnreadError("a field whose value is no text");
    const out: string[] = [];
    for (const e of isArray(held) ? elements(held) : [held]) {
      const text = await textString(this.loader, await this.loader.resolve(e));
      out.push(squeezed(options.find((o) => o.value === text)?.shown ?? text));
    }
    return out;
  }

  /** text judges a field of text or of choices. */
  private async text(field: Field): Promise<void> {
    const held = await this.held(field);
    const { stream, states } = field.look;
    if (!stream) {
      if (states || held.join("") !== "" || (await this.painted(field))) throw new UnreadError(unseen);
      return;
    }
    if (!(await this.sameRich(field, held.join("")))) throw new UnreadError("a field whose value is another than its value with a format");
    if (held.join("") !== "" && (await this.need())) throw new UnreadError(anew);
    const seen = await seenText(this.loader, this.looks, stream.v, stream.dict);
    if (seen === held.join("")) return;
    const all = field.options.map((o) => o.shown).join("");
    const list = field.kind === "Ch" && (field.flags & combo) === 0; // which shows what was not chosen, too
    if (seen === undefined || !list || !all.includes(seen) || !held.every((text) => seen.includes(text))) throw new UnreadError(other);
  }

  /** sameRich tells whether a value with a format, by which some programs draw a field anew, has the same text. */
  private async sameRich({ rich }: Field, held: string): Promise<boolean> {
    if (!rich) return true;
    const text = (await textString(this.loader, rich)).replace(/<[^>]*>/g, "").replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => characterOf[name]!);
    return isString(rich) && squeezed(text) === held;
  }

  /** painted tells whether those who draw a field without a look paint over what is behind it. */
  private async painted(field: Field): Promise<boolean> {
    const style = await this.style(field);
    const ground = style && (await this.loader.resolve(valueOf(style.v, style.dict, "BG")));
    return !!ground && isArray(ground) && !elements(ground).next().done;
  }

  private async style({ widget, dict }: Field): Promise<{ v: Value; dict: Entries } | undefined> {
    const v = await this.loader.resolve(valueOf(widget, dict, "MK"));
    return v && isDict(v) ? { v, dict: this.loader.entries(v) } : undefined;
  }

  /** button judges a push button by its caption, and another one by its state. */
  private async button(field: Field): Promise<void> {
    if ((field.flags & push) !== 0) return this.caption(field);
    const { states } = field.look;
    const state = await this.loader.resolve(valueOf(field.widget, field.dict, "AS"));
    const on = (state && nameOf(state)) ?? "";
    const held = (field.held && (nameOf(field.held) ?? (await textString(this.loader, field.held)))) || "Off";
    if (!states) {
      if ((on !== "" && on !== "Off") || held !== "Off" || (await this.painted(field))) throw new UnreadError(unseen);
      return;
    }
    const at = states.dict.values.get(held);
    const there = at && textOf({ b: states.v.b, from: at[0], to: at[1] }) !== "null";
    if (on !== (there ? held : "Off")) throw new UnreadError("a field whose state is another than its value");
    if (there && held !== "Off" && (await this.need())) throw new UnreadError(anew);
  }

  /** caption judges a push button: those who draw it anew write its caption. */
  private async caption(field: Field): Promise<void> {
    const { stream } = field.look;
    if (stream && !(await this.need())) return;
    const style = await this.style(field);
    const text = style ? squeezed(await textString(this.loader, await this.loader.resolve(valueOf(style.v, style.dict, "CA")))) : "";
    if (!stream && (text !== "" || (await this.painted(field)))) throw new UnreadError(unseen);
    if (stream && text !== "") throw new UnreadError(anew);
  }

  /** need tells whether the form asks readers to draw its fields anew. */
  private async need(): Promise<boolean> {
    if (this.needed !== undefined) return this.needed;
    const form = await this.form();
    const need = form && (await this.loader.resolve(valueOf(form, this.loader.entries(form), "NeedAppearances")));
    return (this.needed = !!need && textOf(need) === "true");
  }

  private async form(): Promise<Value | undefined> {
    const { loader } = this;
    const catalog = await loader.resolve(this.root);
    const form = catalog && isDict(catalog) ? await loader.resolve(valueOf(catalog, loader.entries(catalog), "AcroForm")) : undefined;
    return form && isDict(form) ? form : undefined;
  }
}
