// Shows the canonical octets of an XML document, or a file, as text; and what is no text by its
// bytes. Nothing of it becomes an
// element of the page: it is set as text, and characters that leave nothing on the
// screen, or turn its direction, are written out by their number. Large texts are
// shown in parts, and the page says which part is on the screen.

import type { Bytes } from "./b64";
import { button, el, fill } from "./dom";
import { t } from "./strings";

/** partSize is how many characters are put on the screen at once. */
export const partSize = 1 << 16;

const hidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]/u;

/** decodeText reads octets that must be UTF-8, every one of them. */
export function decodeText(b: Bytes): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(b);
}

/** visible cuts text into what can stand as it is and what is written out. */
export function visible(text: string): { text: string; mark: boolean }[] {
  const out: { text: string; mark: boolean }[] = [];
  let plain = "";
  for (const c of text) {
    if (c === "\n" || c === "\t" || !hidden.test(c)) {
      plain += c;
      continue;
    }
    if (plain !== "") out.push({ text: plain, mark: false });
    plain = "";
    out.push({ text: `[U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`, mark: true });
  }
  if (plain !== "") out.push({ text: plain, mark: false });
  return out;
}

/** parts cuts text between characters, so that no surrogate pair is torn. */
export function parts(text: string, size = partSize): string[] {
  const out: string[] = [];
  for (let at = 0; at < text.length; ) {
    let end = Math.min(text.length, at + size);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end--;
    out.push(text.slice(at, end));
    at = end;
  }
  return out.length > 0 ? out : [""];
}

/** What a file is shown as: drawn pages, its text, or its bytes by their numbers. */
export type Look = "pdf" | "text" | "octets";

/**
 * lookOf decides by the bytes alone, never by a name or a claimed type: a PDF is what readers of
 * PDF open as one (the header may stand in the first 1024 bytes, ISO 32000-1 annex H.3), text is
 * UTF-8 without control characters but those of lines.
 */
export function lookOf(b: Bytes): Look {
  if (isPDF(b)) return "pdf";
  for (const v of b) if ((v < 0x20 && v !== 9 && v !== 10 && v !== 13) || v === 0x7f) return "octets";
  try {
    decodeText(b);
    return "text";
  } catch {
    return "octets";
  }
}

/** isPDF tells whether readers of PDF open it as one. */
export function isPDF(b: Bytes): boolean {
  return new TextDecoder("latin1").decode(b.subarray(0, 1100)).includes("%PDF-");
}

/** openText shows octets inside host; what is no text throws. */
export function openText(host: Element, title: string, bytes: Bytes): { parts: number } {
  const all = parts(decodeText(bytes));
  return openParts(host, title, all.length, (n) => all[n]!, "text");
}

const rowSize = 16; // bytes on a line
const rowsShown = 1024; // lines on the screen at once

/** rows writes bytes by their numbers, with the letters of ASCII among them. */
export function rows(bytes: Bytes, from: number, to: number): string {
  let out = "";
  for (let at = from; at < to; at += rowSize) {
    const row = [...bytes.subarray(at, Math.min(to, at + rowSize))];
    const hex = row.map((v) => v.toString(16).padStart(2, "0")).join(" ");
    out += `${at.toString(16).padStart(8, "0")}  ${hex.padEnd(3 * rowSize)} ${row.map((v) => (v > 0x20 && v < 0x7f ? String.fromCharCode(v) : ".")).join("")}\n`;
  }
  return out;
}

/** openOctets shows the bytes of a file that is neither text nor a PDF inside host. */
export function openOctets(host: Element, title: string, bytes: Bytes): { parts: number } {
  const size = rowSize * rowsShown;
  return openParts(host, title, Math.max(1, Math.ceil(bytes.length / size)), (n) => rows(bytes, n * size, Math.min(bytes.length, (n + 1) * size)), "octets");
}

function openParts(host: Element, title: string, count: number, part: (n: number) => string, kind: "text" | "octets"): { parts: number } {
  const box = el("pre", { class: "octets", tabindex: "0", "aria-label": title, dir: "ltr" });
  const where = el("p", { class: "hint", role: "status", id: "part" });
  let n = 0;
  const draw = () => {
    fill(box, ...visible(part(n)).map((v) => (v.mark ? el("mark", {}, v.text) : v.text)));
    box.scrollTop = 0;
    where.textContent = count > 1 ? t(`${kind}.part`, { n: n + 1, of: count }) : t(`${kind}.whole`);
    back.setAttribute("aria-disabled", String(n === 0));
    next.setAttribute("aria-disabled", String(n === count - 1));
  };
  const go = (by: number) => {
    n = Math.min(count - 1, Math.max(0, n + by));
    draw();
  };
  const back = button(t("text.back"), () => go(-1), { class: "quiet" });
  const next = button(t("text.next"), () => go(1), { class: "quiet", id: "next-part" });
  draw();
  host.replaceChildren(el("div", { class: "text" }, where, count > 1 && el("p", {}, back, " ", next), box));
  return { parts: count };
}
