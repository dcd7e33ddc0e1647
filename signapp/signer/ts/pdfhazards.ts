// Looks through the objects of a PDF for what its picture does not show: code, actions,
// attachments, layers. It goes by names, wherever they stand in what could be an object,
// older revisions included: too much is found rather than too little, and what cannot
// be read is said. Names in streams that are drawn do nothing by themselves.

import { ascii, digit, find, readName, white } from "./bytes";
import { decodeStream, streams } from "./pdfreach";

/** What a name means to the signer; a key of the strings "review.warn.*". */
const meanings = new Map<string, string>(
  Object.entries({
    script: ["JS", "JavaScript"],
    launch: ["Launch", "GoToR", "ImportData", "SubmitForm", "Hide", "Thread"],
    attachments: ["EmbeddedFile", "EmbeddedFiles", "FileAttachment", "GoToE", "AF"],
    optional: ["OCG", "OCMD", "OCProperties", "Alternates"],
    xfa: ["XFA"],
    media: ["RichMedia", "Movie", "Sound", "Rendition", "Screen", "3D"],
    outside: ["FFilter", "OPI"],
    unread: ["Encrypt"],
  }).flatMap(([meaning, names]) => names.map((n): [string, string] => [n, meaning])),
);

const maxUnpacked = 256 << 20; // of all object streams together
const maxDict = 12 << 10; // what stands before a stream is looked at no further back

/** hazards names what is found; "unread" when a part could not be looked through. */
export async function hazards(pdf: Uint8Array): Promise<Set<string>> {
  const found = new Set<string>();
  let at = 0;
  let unpacked = 0;
  for (const s of streams(pdf)) {
    if (s.data < at) continue; // within the stream before
    const before = scan(pdf, at, s.data, found);
    at = s.end;
    // Forgiving readers ask an object stream for N and First only.
    if (before.packs === 0 && !(before.n && before.first)) {
      // Another reader may end a stream elsewhere, and find objects behind that.
      if (holdsObject(pdf, s.data, s.end)) scan(pdf, s.data, s.end, found);
      continue;
    }
    try {
      if (before.packs > 1 || unpacked > maxUnpacked || s.dict.length > maxDict) throw new Error("not read");
      const text = await decodeStream(pdf.subarray(s.data, s.end), s.dict);
      unpacked += text.length;
      scan(text, 0, text.length, found);
    } catch {
      found.add("unread");
    }
  }
  if (scan(pdf, at, pdf.length, found).packs > 0) found.add("unread");
  return found;
}

/** Seen is what a piece of syntax says about the stream behind it. */
interface Seen {
  packs: number; // how often the type of object streams is named
  n: boolean;
  first: boolean;
}

/** scan notes the meanings of names. */
function scan(pdf: Uint8Array, from: number, to: number, found: Set<string>): Seen {
  const seen = { packs: 0, n: false, first: false };
  for (let p = pdf.indexOf(0x2f, from); p >= 0 && p < to; p = pdf.indexOf(0x2f, p + 1)) {
    const [name] = readName(pdf, p);
    const meaning = meanings.get(name);
    if (meaning) found.add(meaning);
    if (name === "ObjStm") seen.packs++;
    seen.n ||= name === "N";
    seen.first ||= name === "First";
  }
  return seen;
}

/** holdsObject tells whether "N G obj" stands in a part of a file. */
function holdsObject(pdf: Uint8Array, from: number, to: number): boolean {
  for (let p = find(pdf, "obj", from); p >= 0 && p < to; p = find(pdf, "obj", p + 3)) {
    let q = p - 1;
    while (q > from && white(pdf[q])) q--;
    if (digit(pdf[q]) && /\d[\0\t\n\f\r ]+\d+[\0\t\n\f\r ]*$/.test(ascii(pdf, Math.max(from, p - 64), p - Math.max(from, p - 64)))) return true;
  }
  return false;
}
