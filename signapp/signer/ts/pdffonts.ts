// Fonts that are not embedded. Each reader takes another instead, and that is a matter of looks as
// long as all know which characters are meant. Where they are known by numbers of glyphs in a font
// that is not there, by names that not all know, or by codes to which no encoding gives a meaning,
// each shows another text. internal/pdf has the same rules (fontfaces.go).

import { Encoding } from "./pdfencoding";
import { elements, integer, isArray, isDict, nameOf, refOf, textOf, valueOf, type Loader, type Value } from "./pdfload";
import { UnreadError, type Entries } from "./pdfstream";
import { textString } from "./pdftext";

const maxChain = 8; // references to references

/** Face is what was found about a font: for which octets all readers know what is meant. */
type Face = (code: number) => boolean;

const any: Face = () => true;
const simple = ["Type1", "MMType1", "TrueType"];

/** CMaps that every reader has (ISO 32000-2, table 116). */
const cmaps =
  /^(?:Identity|GB-EUC|GBpc-EUC|GBK-EUC|GBKp-EUC|GBK2K|UniGB-UCS2|UniGB-UTF16|B5pc|HKscs-B5|ETen-B5|ETenms-B5|CNS-EUC|UniCNS-UCS2|UniCNS-UTF16|83pv-RKSJ|90ms-RKSJ|90msp-RKSJ|90pv-RKSJ|Add-RKSJ|EUC|Ext-RKSJ|UniJIS-UCS2|UniJIS-UCS2-HW|UniJIS-UTF16|KSC-EUC|KSCms-UHC|KSCms-UHC-HW|KSCpc-EUC|UniKS-UCS2|UniKS-UTF16)-[HV]$|^[HV]$/;
const collections = ["GB1", "CNS1", "Japan1", "Korea1", "KR"]; // whose numbers all readers know as characters
const pictures = /symbol|dingbat|wingding|webding|marlett/i; // in names of fonts that have no letters
const symbolic = 1 << 2; // a flag

/** Fonts looks at each font once. */
export class Fonts {
  private readonly faces = new Map<number, Face>();

  constructor(private readonly loader: Loader) {}

  /** check refuses a font in which readers show another text, of the codes that are shown. */
  async check(named: Value, codes: Iterable<number>, glyphs: (v: Value, dict: Entries) => Promise<void>): Promise<void> {
    const { loader } = this;
    const num = refOf(named)?.num;
    let face = num === undefined ? undefined : this.faces.get(num);
    if (!face) {
      const v = await loader.resolve(named);
      if (!v || !isDict(v)) throw new UnreadError("a font that is none");
      face = await this.face(v, loader.entries(v), glyphs);
      if (num !== undefined) this.faces.set(num, face);
    }
    if (face === any) return;
    for (const c of codes) if (!face(c)) throw new UnreadError("a font that is not in the file, with characters that not all readers know");
  }

  private async face(v: Value, dict: Entries, glyphs: (v: Value, dict: Entries) => Promise<void>): Promise<Face> {
    const key = (name: string) => this.loader.resolve(valueOf(v, dict, name));
    const kind = await this.name(await key("Subtype"));
    if (kind === "Type3") {
      await glyphs(v, dict);
      return any;
    }
    const name = await this.name(await key("BaseFont"));
    if (name === "") throw new UnreadError("a font without a name");
    if (kind === "Type0") return this.composite(await key("Encoding"), await key("DescendantFonts"));
    if (!simple.includes(kind)) throw new UnreadError("a font of no kind");
    const flags = await this.described(await key("FontDescriptor"));
    return flags === "embedded" ? any : this.simple(name.replace(/^[A-Z]{6}\+/, ""), flags, await key("Encoding"));
  }

  private async name(v: Value | undefined): Promise<string> {
    return (v && nameOf(v)) ?? "";
  }

  /** described reads the flags of a descriptor that does not bring the font. */
  private async described(v: Value | undefined): Promise<number | "embedded"> {
    if (!v || !isDict(v)) return 0;
    const dict = this.loader.entries(v);
    for (const key of ["FontFile", "FontFile2", "FontFile3"]) {
      const file = await this.loader.resolve(valueOf(v, dict, key));
      if (file && isDict(file) && this.loader.isStream(file)) return "embedded";
    }
    const flags = await this.loader.resolve(valueOf(v, dict, "Flags"));
    return flags && /^[+-]?\d{1,15}$/.test(textOf(flags)) ? integer(flags) : 0;
  }

  private async composite(encoding: Value | undefined, below: Value | undefined): Promise<Face> {
    const { loader } = this;
    const list = below && isArray(below) ? [...elements(below)] : [];
    const font = list.length === 1 ? await loader.resolve(list[0]) : undefined;
    if (!font || !isDict(font)) throw new UnreadError("a font without the one that it is made of");
    if (!encoding || !(isDict(encoding) || cmaps.test(nameOf(encoding) ?? ""))) throw new UnreadError("a font with an unknown encoding");
    const dict = loader.entries(font);
    if ((await this.described(await loader.resolve(valueOf(font, dict, "FontDescriptor")))) === "embedded") return any;
    const info = await loader.resolve(valueOf(font, dict, "CIDSystemInfo"));
    const order = info && isDict(info) ? await loader.resolve(valueOf(info, loader.entries(info), "Ordering")) : undefined;
    if (!collections.includes(await textString(loader, order))) throw new UnreadError("a font that is not in the file, with texts in numbers of its glyphs");
    return any;
  }

  private async simple(name: string, flags: number, encoding: Value | undefined): Promise<Face> {
    if (name === "Symbol" || name === "ZapfDingbats") {
      if (encoding && !(isDict(encoding) && !(await this.differs(encoding)))) throw new UnreadError("an encoding of a font that has its own");
      return (c) => c < 0x7f || (c >= 0xa1 && c <= 0xfe && c !== 0xf0) || (name === "ZapfDingbats" && c >= 0x80 && c <= 0x8d);
    }
    if (pictures.test(name)) throw new UnreadError("a font of pictures that is not in the file");
    const e = await Encoding.of(this.loader, encoding);
    if ((flags & symbolic) !== 0) e.base = undefined; // Ghostscript does not take it
    return (c) => e.character(c) !== undefined;
  }

  private async differs(encoding: Value): Promise<boolean> {
    const { values } = this.loader.entries(encoding);
    const there = ([from, to]: [number, number]) => textOf({ b: encoding.b, from, to }) !== "null";
    return ["Differences", "BaseEncoding"].some((key) => values.has(key) && there(values.get(key)!));
  }
}

/** resolved follows references to a value and tells the number of the last one. */
export async function resolved(loader: Loader, v: Value): Promise<{ v: Value | undefined; num: number | undefined }> {
  let at: Value | undefined = v;
  let num: number | undefined;
  for (let i = 0; at && i < maxChain; i++) {
    const id = refOf(at);
    if (!id) return { v: textOf(at) === "null" ? undefined : at, num };
    num = id.num;
    at = await loader.load(id);
  }
  if (at) throw new UnreadError("a chain of references");
  return { v: undefined, num };
}
