// Reads the text that the look of a form field shows. internal/pdf has the same rules (fieldtext.go).

import { checkContent } from "./pdfcontent";
import type { Contents } from "./pdfcontents";
import { Encoding } from "./pdfencoding";
import { latin, LexError, Lexer } from "./pdflex";
import { isDict, nameOf, valueOf, type Loader, type Value } from "./pdfload";
import type { Entries } from "./pdfstream";
import { octetsOf, squeezed, utf16 } from "./pdftext";

const maxLook = 1 << 20; // octets of a look whose text is read
const mostMapped = 1 << 16; // entries of a /ToUnicode CMap

/** Reader gives what the octets of a font mean, undefined if that is not known. */
type Reader = (text: Uint8Array) => string | undefined;

/**
 * seenText is the text that a look shows, without spaces; undefined if that cannot be told: it is
 * drawn with more than letters, is not seen, or is in codes whose meaning the file does not say.
 */
export async function seenText(loader: Loader, looks: Contents, v: Value, dict: Entries): Promise<string | undefined> {
  const resources = await loader.resolve(valueOf(v, dict, "Resources"));
  const fonts = resources && isDict(resources) ? await loader.resolve(valueOf(resources, loader.entries(resources), "Font")) : undefined;
  const data = await looks.decoded(v, dict);
  if (data.length > maxLook) return undefined;
  const texts: [string, Uint8Array][] = [];
  const uses = checkContent(data, [], (font, text) => texts.push([font, text]));
  if (uses.other || ["XObject", "Shading", "Pattern"].some((part) => uses.names.has(part))) return undefined;
  const readers = new Map<string, Reader>();
  let out = "";
  for (const [font, text] of texts) {
    const read = readers.get(font) ?? (await readerOf(loader, looks, fonts, font));
    readers.set(font, read);
    const part = read(text);
    if (part === undefined) return undefined;
    out += part;
  }
  return squeezed(out);
}

const unknown: Reader = () => undefined;

async function readerOf(loader: Loader, looks: Contents, fonts: Value | undefined, name: string): Promise<Reader> {
  const font = fonts && isDict(fonts) ? await loader.resolve(valueOf(fonts, loader.entries(fonts), name)) : undefined;
  if (!font || !isDict(font)) return unknown;
  const dict = loader.entries(font);
  const kind = nameOf(valueOf(font, dict, "Subtype"));
  const encoding = await loader.resolve(valueOf(font, dict, "Encoding"));
  const map = valueOf(font, dict, "ToUnicode");
  if (kind === "Type3") return unknown;
  if (kind === "Type0" || (!encoding && map)) {
    const v = await loader.resolve(map);
    if (!v || !isDict(v) || !loader.isStream(v)) return unknown;
    const mapped = readMap(await looks.decoded(v, loader.entries(v)));
    return mapped ? (text) => translated(mapped, text, kind === "Type0" ? 2 : 1) : unknown;
  }
  const e = await Encoding.of(loader, encoding);
  return (text) => {
    let out = "";
    for (const c of text) {
      const character = e.character(c);
      if (character === undefined) return undefined;
      out += character;
    }
    return out;
  };
}

function translated(map: Map<number, string>, text: Uint8Array, width: number): string | undefined {
  let out = "";
  for (let i = 0; i < text.length; i += width) {
    const part = i + width <= text.length ? map.get(code(text.subarray(i, i + width))) : undefined;
    if (part === undefined) return undefined;
    out += part;
  }
  return out;
}

function code(b: Uint8Array): number {
  return b.subarray(0, 4).reduce((n, c) => n * 256 + c, 0);
}

/** Item is a code or a text of a CMap, or an array of texts. */
type Item = Uint8Array | Uint8Array[];

/** readMap reads a /ToUnicode CMap (ISO 32000-2, 9.10.3), undefined if that cannot be done, or it is too large. */
function readMap(b: Uint8Array): Map<number, string> | undefined {
  const map = new Map<number, string>();
  const lexer = new Lexer(b);
  let items: Item[] = [];
  let list: Uint8Array[] | undefined;
  try {
    for (lexer.skip(); lexer.pos < b.length; lexer.skip()) {
      const t = lexer.next();
      if (t.kind === "hex") (list ?? items).push(octetsOf(b, t.from, t.to));
      else if (t.kind === "[") items.push((list = []));
      else if (t.kind === "]") list = undefined;
      else if (t.kind === "word") {
        if (!take(map, latin(b, t.from, t.to), items)) return undefined;
        items = [];
        list = undefined;
      }
      if (items.length > mostMapped) return undefined;
    }
  } catch (e) {
    if (e instanceof LexError) return undefined;
    throw e;
  }
  return map;
}

/** take enters what stands in front of an operator, and tells whether there was room for it. */
function take(map: Map<number, string>, op: string, items: Item[]): boolean {
  const octets = (i: Item) => (Array.isArray(i) ? new Uint8Array() : i);
  if (op === "endbfchar") for (let i = 0; i + 1 < items.length; i += 2) map.set(code(octets(items[i]!)), utf16(octets(items[i + 1]!)));
  if (op === "endbfrange") {
    for (let i = 0; i + 2 < items.length; i += 3) {
      const [from, to, text] = [code(octets(items[i]!)), code(octets(items[i + 1]!)), items[i + 2]!];
      for (let k = 0; from + k <= to; k++) {
        if (k > mostMapped || map.size > mostMapped) return false;
        if (Array.isArray(text)) {
          const one = text[k];
          if (one) map.set(from + k, utf16(one));
        } else if (text.length >= 2) {
          const whole = utf16(text);
          map.set(from + k, whole.slice(0, -1) + String.fromCharCode((whole.charCodeAt(whole.length - 1) + k) & 0xffff));
        }
      }
    }
  }
  return map.size <= mostMapped;
}
