// Follows a content stream as far as it says which resources it uses, and what may stand where
// (ISO 32000-2, figure 9 and 9.4.1). internal/pdf has the same rules (contentuses.go).

import { readName } from "./bytes";
import { latin, type Token } from "./pdflex";
import { octetsOf } from "./pdftext";
import { UnreadError } from "./pdfstream";

const mostNames = 10_000; // of resources that one content may use
const mostSaved = 1000; // q without Q: at some depth pdf.js does not come to an end
const mostTexts = 1 << 16; // in front of one operator
const longest = 199; // octets of a name: readName reads no further

/** Uses is what a content makes use of. */
export class Uses {
  /** names are those of each part of the resources (ISO 32000-2, table 34). */
  readonly names = new Map<string, Set<string>>();
  /** codes are the octets of the texts that are shown in a font. */
  readonly codes = new Map<string, Set<number>>();
  count = 0;
  other = false; // something is drawn beside texts that are seen

  name(part: string, name: string): void {
    const names = this.names.get(part) ?? new Set();
    this.names.set(part, names);
    if (names.has(name)) return;
    names.add(name);
    if (++this.count > mostNames) throw new UnreadError("too many names of resources");
  }

  show(font: string, text: Uint8Array): void {
    this.name("Font", font);
    const codes = this.codes.get(font) ?? new Set();
    this.codes.set(font, codes);
    for (const c of text) codes.add(c);
  }
}

/** Shown is called for each text that is shown. */
export type Shown = (font: string, text: Uint8Array) => void;

const parts = new Map([["Do", "XObject"], ["gs", "ExtGState"], ["sh", "Shading"], ["CS", "ColorSpace"], ["cs", "ColorSpace"]]);
const device = ["DeviceGray", "DeviceRGB", "DeviceCMYK", "Pattern"]; // need no resources
const paths = new Set("m l c v y h re S s f F f* B B* b b* n W W*".split(" "));
const another = Symbol("a font of a state"); // what may have been chosen by gs: that of the state is judged with it

export class DrawnState {
  readonly uses = new Uses();
  private inText = false;
  private font: string | typeof another | undefined;
  private readonly saved: (string | typeof another | undefined)[] = []; // the fonts of q without Q
  private nameAt: Token | undefined; // the last ones in front of the present token
  private numberAt: Token | undefined;
  private texts: Token[] = []; // all in front of it

  constructor(
    private readonly b: Uint8Array,
    private readonly shown: Shown | undefined,
  ) {}

  /** operand notes one; those in arrays count as far as they are texts. */
  operand(t: Token, alone: boolean): void {
    if (t.kind === "string" || t.kind === "hex") {
      if (this.texts.push(t) > mostTexts) throw new UnreadError("too many texts at once");
    } else if (alone && t.kind === "name") this.nameAt = t;
    else if (alone && t.kind === "number") this.numberAt = t;
  }

  forget(): void {
    this.nameAt = this.numberAt = undefined;
    if (this.texts.length > 0) this.texts = [];
  }

  /** operator judges one that has its operands. */
  operator(op: string, args: string): void {
    const part = parts.get(op);
    if (part) {
      const name = this.lastName();
      if (part !== "ColorSpace" || !device.includes(name)) this.uses.name(part, name);
    }
    switch (op) {
      case "SCN":
      case "scn":
        if (args.endsWith("N")) this.uses.name("Pattern", this.lastName());
        break;
      case "gs":
        this.font = another;
        break;
      case "Tf":
        this.font = this.lastName();
        break;
      case "Tj":
      case "TJ":
      case "'":
      case '"':
        this.show();
        break;
      case "Tr": {
        // Of another mode, 3.0 among them, some draw the text and others do not.
        const mode = this.numberAt ? latin(this.b, this.numberAt.from, this.numberAt.to) : "";
        if (!/^[0-7]$/.test(mode)) throw new UnreadError("a text that is to be drawn in a way that does not exist");
        if (mode > "2") this.uses.other = true;
      }
    }
    this.nest(op);
  }

  end(): void {
    if (this.inText) throw new UnreadError("a text object that does not end");
  }

  private lastName(): string {
    const t = this.nameAt;
    if (!t || t.to - t.from > longest) throw new UnreadError("a long name");
    return readName(this.b.subarray(0, t.to), t.from)[0];
  }

  private show(): void {
    if (this.font === undefined) throw new UnreadError("a text without a font");
    for (const t of this.texts) {
      const octets = octetsOf(this.b, t.from, t.to);
      if (this.font === another) this.uses.other = true;
      else {
        this.uses.show(this.font, octets);
        this.shown?.(this.font, octets);
      }
    }
    if (this.font !== another) this.uses.name("Font", this.font);
  }

  /** nest refuses what stands where it may not: readers do not draw a text object at one place then. */
  private nest(op: string): void {
    if (op === "BT" || op === "ET") {
      if (this.inText === (op === "BT")) throw new UnreadError("text objects that are not one behind another");
      this.inText = op === "BT";
      return;
    }
    if (this.inText && (op === "q" || op === "Q" || paths.has(op))) throw new UnreadError("a state or a path within a text object");
    if (op === "q" && this.saved.push(this.font) > mostSaved) throw new UnreadError("states that are saved too deep");
    if (op === "Q") {
      if (this.saved.length === 0) throw new UnreadError("a state that was not saved");
      this.font = this.saved.pop();
    }
  }
}
