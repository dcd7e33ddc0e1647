// Looks through the objects of a PDF for what its picture does not show: code, actions,
// attachments, layers. It goes by names, wherever they stand in what could be an object,
// older revisions included: too much is found rather than too little, and what cannot
// be read is said. Names in streams that are drawn do nothing by themselves.

import { ascii, digit, find, readName, white } from "./bytes";
import { unlock, type Lock } from "./pdfcrypt";
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
  }).flatMap(([meaning, names]) => names.map((n): [string, string] => [n, meaning])),
);

const maxUnpacked = 256 << 20; // of all object streams together
const maxDict = 12 << 10; // what stands before a stream is looked at no further back

/** Packed is an object stream: its data up to the keyword, and the text before. */
interface Packed {
  data: Uint8Array;
  dict: string;
}

/** hazards names what is found; "unread" when a part could not be looked through. */
export async function hazards(pdf: Uint8Array): Promise<Set<string>> {
  const found = new Set<string>();
  const packed: Packed[] = [];
  const encrypts: number[] = [];
  let at = 0;
  let crypts = 0; // streams that are in clear, or encrypted, for themselves
  let metadata = 0; // of these, metadata
  for (const s of streams(pdf)) {
    if (s.data < at) continue; // within the stream before
    const before = scan(pdf, at, s.data, found);
    encrypts.push(...before.encrypts);
    crypts += before.crypts;
    if (before.crypts === 1 && isMetadata(s.dict)) metadata++;
    at = s.end;
    // Forgiving readers ask an object stream for N and First only.
    if (before.packs === 0 && !(before.n && before.first)) {
      // Another reader may end a stream elsewhere, and find objects behind that.
      if (holdsObject(pdf, s.data, s.end)) encrypts.push(...scan(pdf, s.data, s.end, found).encrypts);
    } else if (before.packs > 1 || s.dict.length > maxDict) {
      found.add("unread");
    } else {
      packed.push({ data: pdf.subarray(s.data, s.end), dict: s.dict });
    }
  }
  const rest = scan(pdf, at, pdf.length, found);
  encrypts.push(...rest.encrypts);
  if (rest.packs > 0) found.add("unread");
  const lock = await lockOf(pdf, encrypts, found);
  // The file may declare that its metadata is in clear; whether only metadata is called that, the service looks.
  if (crypts + rest.crypts > (lock && !lock.metadata ? metadata : 0)) found.add("mixed");
  await unpack(packed, lock, found);
  return found;
}

function isMetadata(dict: string): boolean {
  return /\/Type[\0\t\n\f\r ]*\/Metadata(?![A-Za-z])/.test(dict);
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
async function unpack(packed: Packed[], lock: Lock | undefined, found: Set<string>): Promise<void> {
  let unpacked = 0;
  const look = async (data: Uint8Array, dict: string): Promise<void> => {
    if (unpacked > maxUnpacked) throw new Error("not read");
    const text = await decodeStream(data, dict);
    unpacked += text.length;
    // Here it means nothing, unless somebody reads this file in another way than we do.
    if (scan(text, 0, text.length, found).encrypts.length > 0) found.add("unread");
  };
  for (const { data, dict } of packed) {
    try {
      if (lock?.streams) {
        // A reader that takes it for clear must find nothing else.
        await look(data, dict).catch(() => undefined);
        await look(await lock.open(trimmed(data)), dict);
      } else await look(data, dict);
    } catch {
      found.add("unread");
    }
  }
}

/** trimmed takes off the line end between the data of an encrypted stream and the keyword. */
function trimmed(data: Uint8Array): Uint8Array {
  const over = data.length % 16;
  if (over > 2 || data.subarray(data.length - over).some((c) => c !== 10 && c !== 13)) throw new Error("not encrypted");
  return data.subarray(0, data.length - over);
}

/** Seen is what a piece of syntax says about the stream behind it. */
interface Seen {
  packs: number; // how often the type of object streams is named
  n: boolean;
  first: boolean;
  encrypts: number[]; // where /Encrypt stands
  crypts: number; // how often a filter of encryption is named
}

/** scan notes the meanings of names. */
function scan(pdf: Uint8Array, from: number, to: number, found: Set<string>): Seen {
  const seen: Seen = { packs: 0, n: false, first: false, encrypts: [], crypts: 0 };
  for (let p = pdf.indexOf(0x2f, from); p >= 0 && p < to; p = pdf.indexOf(0x2f, p + 1)) {
    const [name] = readName(pdf, p);
    const meaning = meanings.get(name);
    if (meaning) found.add(meaning);
    if (name === "ObjStm") seen.packs++;
    if (name === "Crypt") seen.crypts++;
    if (name === "Encrypt") seen.encrypts.push(p);
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
