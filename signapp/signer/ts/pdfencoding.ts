// What the octets of simple fonts mean (ISO 32000-2, 9.6.5 and annex D.2), as far as all readers
// know it. internal/pdf has the same rules (fontencoding.go).

import { elements, isArray, isDict, nameOf, textOf, valueOf, type Loader, type Value } from "./pdfload";

/** The standard Latin set by the names of its glyphs, besides the letters that are their own names. */
const latinNames =
  "space exclam quotedbl numbersign dollar percent ampersand quotesingle parenleft parenright asterisk plus comma hyphen period slash zero one two three four five six seven eight nine colon semicolon less equal greater question at bracketleft backslash bracketright asciicircum underscore grave braceleft bar braceright asciitilde exclamdown cent sterling currency yen brokenbar section dieresis copyright ordfeminine guillemotleft logicalnot registered macron degree plusminus twosuperior threesuperior acute mu paragraph periodcentered cedilla onesuperior ordmasculine guillemotright onequarter onehalf threequarters questiondown Agrave Aacute Acircumflex Atilde Adieresis Aring AE Ccedilla Egrave Eacute Ecircumflex Edieresis Igrave Iacute Icircumflex Idieresis Eth Ntilde Ograve Oacute Ocircumflex Otilde Odieresis multiply Oslash Ugrave Uacute Ucircumflex Udieresis Yacute Thorn germandbls agrave aacute acircumflex atilde adieresis aring ae ccedilla egrave eacute ecircumflex edieresis igrave iacute icircumflex idieresis eth ntilde ograve oacute ocircumflex otilde odieresis divide oslash ugrave uacute ucircumflex udieresis yacute thorn ydieresis dotlessi Lslash lslash OE oe Scaron scaron Ydieresis Zcaron zcaron florin circumflex caron breve dotaccent ring ogonek tilde hungarumlaut endash emdash quoteleft quoteright quotesinglbase quotedblleft quotedblright quotedblbase dagger daggerdbl bullet ellipsis perthousand guilsinglleft guilsinglright fraction Euro trademark minus fi fl".split(" ");
const latinCharacters = " !\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_\`{|}~¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿıŁłŒœŠšŸŽžƒˆˇ˘˙˚˛˜˝–—‘’‚“”„†‡•…‰‹›⁄€™−ﬁﬂ";

const latin = new Map<string, string>([...latinCharacters].map((c, i): [string, string] => [latinNames[i]!, c]).concat([..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"].map((c) => [c, c])));

/** Octets from 0x80; "\0" for what has no meaning. What has none in WinAnsiEncoding is drawn as a bullet by all readers. */
const tables: Record<string, string> = {
  WinAnsiEncoding: "€•‚ƒ„…†‡ˆ‰Š‹Œ•Ž••‘’“”•–—˜™š›œ•žŸ" + String.fromCharCode(...Array.from({ length: 96 }, (_, i) => 0xa0 + i)),
  MacRomanEncoding:
    "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨\0ÆØ\0±\0\0¥µ\0\0\0\0\0ªº\0æø¿¡¬\0ƒ\0\0«»… ÀÃÕŒœ–—“”‘’÷\0ÿŸ⁄¤‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\0ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ",
};

/** Encoding is that of a simple font. */
export class Encoding {
  base: string | undefined; // octets from 0x80; undefined for another, of which all agree in ASCII
  expert = false; // not even that
  readonly differ = new Map<number, string>();

  /** of reads /Encoding. */
  static async of(loader: Loader, v: Value | undefined): Promise<Encoding> {
    const e = new Encoding();
    if (!v || !isDict(v)) {
      e.named(v && nameOf(v));
      return e;
    }
    const dict = loader.entries(v);
    const base = await loader.resolve(valueOf(v, dict, "BaseEncoding"));
    e.named(base && nameOf(base));
    const list = await loader.resolve(valueOf(v, dict, "Differences"));
    if (!list || !isArray(list)) return e;
    loader.spend(list.to - list.from);
    let code = 0;
    for (const x of elements(list)) {
      const found = await loader.resolve(x);
      const text = found ? textOf(found) : "";
      if (/^[+-]?\d+$/.test(text)) code = Number(text);
      else e.differ.set(code++, (found && nameOf(found)) ?? "");
    }
    return e;
  }

  private named(name: string | undefined): void {
    if (name !== undefined && Object.hasOwn(tables, name)) this.base = tables[name];
    this.expert = name === "MacExpertEncoding";
  }

  /** character is what an octet means, undefined if that is not known; what is below a space is drawn by nobody. */
  character(code: number): string | undefined {
    const name = this.differ.get(code);
    if (name !== undefined) return latin.get(name);
    if (this.expert) return undefined;
    if (code < 0x20) return " ";
    if (code < 0x7f) return String.fromCharCode(code);
    if (code === 0x7f) return this.base === tables["WinAnsiEncoding"] ? "•" : undefined;
    const c = this.base?.[code - 0x80];
    return c === "\0" ? undefined : c;
  }
}
