// Holds the type that a signature says its data is of against what the signer sees. Whoever gets
// the file opens it by that type: what is drawn here as the pages of a PDF may be a page of HTML to
// him, and text in another character set says something else.

import type { Bytes } from "./b64";
import { ascii, white } from "./bytes";
import { isPDF, type Look } from "./textview";

/** What is wrong with the type of data: it is of another kind, or the file is more than one kind of file. */
export type Misfit = "type" | "both";

/** The types of what is shown as text; workers/xades has the same lists. Besides: all that end in +xml or +json, but what browsers draw. */
const textTypes = ["text/plain", "text/csv", "text/xml", "application/xml", "application/json"];
const drawn = ["application/xhtml+xml", "image/svg+xml"];

/** misfit tells what other readers may take the data for; "" for nothing. Bytes shown by their numbers are no kind of file. */
export function misfit(look: Look, mime: string, bytes: Bytes): Misfit | "" {
  if (look === "octets") return "";
  if (!(look === "pdf" ? mime.toLowerCase() === "application/pdf" : isText(mime))) return "type";
  return (look === "pdf" ? onlyPDF(bytes) : onlyText(bytes)) ? "" : "both";
}

/** isText: a type of text without a parameter, or with the character set in which it is shown. */
function isText(mime: string): boolean {
  const m = /^([a-z0-9.-]+\/[a-z0-9.+-]+)(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$/.exec(mime.toLowerCase());
  return m !== null && !drawn.includes(m[1]!) && (textTypes.includes(m[1]!) || /\/[a-z0-9.-]+\+(?:xml|json)$/.test(m[1]!));
}

const zipEnd = 22 + 65535; // a directory of ZIP ends the file, with a comment of at most 65,535 bytes

/**
 * onlyPDF: the file begins with the header, and nothing but white space follows the last end mark. Readers
 * of PDF pass over bytes around these; to readers of other formats they are the file. ZIP is read from its end,
 * wherever that stands in a PDF.
 */
function onlyPDF(b: Bytes): boolean {
  const end = lastOf(b, "%%EOF", b.length);
  if (ascii(b, 0, 5) !== "%PDF-" || end < 0) return false;
  for (let p = end + 5; p < b.length; p++) if (!white(b[p])) return false;
  return lastOf(b, "PK\x05\x06", zipEnd) < 0;
}

/** lastOf returns where a word stands last in the last n bytes, or -1. */
function lastOf(b: Bytes, word: string, n: number): number {
  const from = Math.max(0, b.length - n);
  for (let p = b.lastIndexOf(word.charCodeAt(0)); p >= from; p = p === 0 ? -1 : b.lastIndexOf(word.charCodeAt(0), p - 1)) {
    if (ascii(b, p, word.length) === word) return p;
  }
  return -1;
}

/** onlyText: readers of PDF do not open it, and if it is XML it declares no other character set than it is shown in. */
function onlyText(b: Bytes): boolean {
  if (isPDF(b)) return false;
  const head = ascii(b, 0, 1024).replace(/^\xef\xbb\xbf/, "");
  if (!/^<\?xml[ \t\r\n]/.test(head)) return true;
  const end = head.indexOf("?>");
  const declared = head.slice(0, end).split("encoding").slice(1);
  return end >= 0 && declared.every((d) => /^[ \t\r\n]*=[ \t\r\n]*["']utf-8["']/i.test(d));
}
