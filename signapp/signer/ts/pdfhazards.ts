// Looks through the objects of a PDF for what its picture does not show: code, actions,
// attachments, layers, another document. It goes by names, wherever they stand in what
// could be an object, older revisions included: too much is found rather than too little,
// and what cannot be read is said. Names in streams that are drawn do nothing by themselves.

import { ascii, digit, find, readName, white } from "./bytes";
import { trimmed, unlock, type Lock } from "./pdfcrypt";
import { bodyOf, decodeBody, integerOf, isPacked, maxUnpacked, nameOf, readIndex, streamObjects, UnreadError, type StreamObject } from "./pdfstream";

/** What a name means to the signer; a key of the strings "review.warn.*". */
const meanings = new Map<string, string>(
  Object.entries({
    script: ["JS", "JavaScript"],
    launch: ["Launch", "GoToR", "ImportData", "SubmitForm", "Hide", "Thread"],
    attachments: ["EmbeddedFile", "EmbeddedFiles", "FileAttachment", "GoToE", "AF"],
    optional: ["OCG", "OCMD", "OCProperties", "Alternates"],
    xfa: ["XFA"],
    other: ["AdditionalStreams"], // of a trailer: LibreOffice opens what it leads to
    media: ["RichMedia", "Movie", "Sound", "Rendition", "Screen", "3D"],
    outside: ["FFilter", "OPI"],
  }).flatMap(([meaning, names]) => names.map((n): [string, string] => [n, meaning])),
);

const maxDict = 12 << 10; // a longer dictionary of an object stream is not looked at

/** hazards names what is found; "unread" when a part could not be looked through. */
export async function hazards(pdf: Uint8Array): Promise<Set<string>> {
  const found = new Set<string>();
  const objects = allStreams(pdf, found);
  const packed = objects.filter((o) => isPacked(pdf, o));
  const metadataAt = new Set(objects.filter(({ dict }) => !dict.twice && nameOf(pdf, dict, "Type") === "Metadata").map((o) => o.keyword));
  const encrypts: number[] = [];
  let at = 0;
  let packs = 0;
  let crypts = 0; // streams that are in clear, or encrypted, for themselves
  let metadata = 0; // of these, metadata
  for (const s of streams(pdf)) {
    if (s.data < at) continue; // within the stream before
    const before = scan(pdf, at, s.data, found);
    encrypts.push(...before.encrypts);
    crypts += before.crypts;
    packs += before.packs;
    if (before.crypts === 1 && metadataAt.has(s.keyword)) metadata++;
    at = s.end;
    // Another reader may end a stream elsewhere, and find objects behind that.
    if (holdsSyntax(pdf, s.data, s.end)) encrypts.push(...scan(pdf, s.data, s.end, found).encrypts);
  }
  const rest = scan(pdf, at, pdf.length, found);
  encrypts.push(...rest.encrypts);
  // The type is named where no object stream was recognised.
  if (packs + rest.packs > packed.length) found.add("unread");
  const lock = await lockOf(pdf, encrypts, found);
  // The file may declare that its metadata is in clear; whether only metadata is called that, the service looks.
  if (crypts + rest.crypts > (lock && !lock.metadata ? metadata : 0)) found.add("mixed");
  await unpack(pdf, packed, lock, found);
  return found;
}

/** allStreams finds streams, also within others. */
function allStreams(pdf: Uint8Array, found: Set<string>): StreamObject[] {
  try {
    return streamObjects(pdf);
  } catch (e) {
    if (!(e instanceof UnreadError)) throw e;
    found.add("unread");
    return [];
  }
}

interface Stream {
  keyword: number;
  data: number; // offset of the first byte
  end: number; // offset of the next "endstream", or the file's length
}

/** streams lists what looks like a stream: its data is not read as syntax. */
function* streams(pdf: Uint8Array): Generator<Stream> {
  for (let p = find(pdf, "stream", 0); p >= 0; p = find(pdf, "stream", p + 6)) {
    if (ascii(pdf, p - 3, 3) === "end" || (pdf[p + 6] !== 10 && pdf[p + 6] !== 13)) continue;
    let q = p - 1;
    while (q > 0 && white(pdf[q])) q--;
    if (ascii(pdf, q - 1, 2) !== ">>") continue;
    const data = p + 6 + (pdf[p + 6] === 13 && pdf[p + 7] === 10 ? 2 : 1);
    const end = find(pdf, "endstream", data);
    yield { keyword: p, data, end: end < 0 ? pdf.length : end };
  }
}

/** lockOf reads how the file is encrypted, if it is. */
async function lockOf(pdf: Uint8Array, encrypts: number[], found: Set<string>): Promise<Lock | undefined> {
  if (encrypts.length === 0) return undefined;
  try {
    const lock = await unlock(pdf, encrypts);
    if (!lock.whole) found.add("mixed");
    return lock;
  } catch {
    found.add("unread");
    return undefined;
  }
}

/** unpack looks through object streams. */
async function unpack(pdf: Uint8Array, packed: StreamObject[], lock: Lock | undefined, found: Set<string>): Promise<void> {
  let unpacked = 0;
  const look = async ({ dict }: StreamObject, body: Uint8Array, partly: boolean): Promise<void> => {
    if (unpacked > maxUnpacked) throw new UnreadError("too many object streams");
    const text = await decodeBody(pdf, dict, body, partly);
    unpacked += text.length;
    // Here it means nothing, unless somebody reads this file in another way than we do.
    if (scan(text, 0, text.length, found).encrypts.length > 0) found.add("unread");
    if (!partly) readIndex(text, integerOf(pdf, dict, "N"), integerOf(pdf, dict, "First"));
  };
  for (const s of packed) {
    try {
      if (s.dict.end - s.dict.begin > maxDict) throw new UnreadError("a long dictionary");
      const body = bodyOf(pdf, s);
      // A reader that takes it for clear must find nothing else, even if it forgives that this is not whole.
      if (lock?.streams) await look(s, body, true).catch(() => undefined);
      await look(s, lock?.streams ? await lock.open(trimmed(body)) : body, false);
    } catch {
      found.add("unread");
    }
  }
}

/** Seen is what a piece of syntax says about the stream behind it. */
interface Seen {
  packs: number; // how often the type of object streams is named
  encrypts: number[]; // where /Encrypt stands
  crypts: number; // how often a filter of encryption is named
}

/** scan notes the meanings of names. */
function scan(pdf: Uint8Array, from: number, to: number, found: Set<string>): Seen {
  const seen: Seen = { packs: 0, encrypts: [], crypts: 0 };
  for (let p = pdf.indexOf(0x2f, from); p >= 0 && p < to; p = pdf.indexOf(0x2f, p + 1)) {
    const [name] = readName(pdf, p);
    const meaning = meanings.get(name);
    if (meaning) found.add(meaning);
    if (name === "ObjStm") seen.packs++;
    if (name === "Crypt") seen.crypts++;
    if (name === "Encrypt") seen.encrypts.push(p);
  }
  return seen;
}

/** holdsSyntax tells whether a part of a file could be read as objects, or as a trailer: "obj" behind a digit, a comment or a line. */
function holdsSyntax(pdf: Uint8Array, from: number, to: number): boolean {
  for (let p = find(pdf, "obj", from); p >= 0 && p < to; p = find(pdf, "obj", p + 3)) {
    let q = p - 1;
    while (q > from && white(pdf[q])) q--;
    if (digit(pdf[q]) || /[\n\r]/.test(ascii(pdf, Math.max(q, p - 1024), Math.min(p - q, 1024)))) return true;
  }
  const trailer = find(pdf, "trailer", from);
  return trailer >= 0 && trailer < to;
}
