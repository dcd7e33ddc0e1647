// Shows the canonical octets of an XML document as text. Nothing of it becomes an
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

/** openText shows octets inside host; what is no text throws. */
export function openText(host: Element, title: string, bytes: Bytes): { parts: number } {
  const all = parts(decodeText(bytes));
  const box = el("pre", { class: "octets", tabindex: "0", "aria-label": title, dir: "ltr" });
  const where = el("p", { class: "hint", role: "status", id: "part" });
  let n = 0;
  const draw = () => {
    fill(box, ...visible(all[n]!).map((v) => (v.mark ? el("mark", {}, v.text) : v.text)));
    box.scrollTop = 0;
    where.textContent = all.length > 1 ? t("text.part", { n: n + 1, of: all.length }) : t("text.whole");
    back.setAttribute("aria-disabled", String(n === 0));
    next.setAttribute("aria-disabled", String(n === all.length - 1));
  };
  const go = (by: number) => {
    n = Math.min(all.length - 1, Math.max(0, n + by));
    draw();
  };
  const back = button(t("text.back"), () => go(-1), { class: "quiet" });
  const next = button(t("text.next"), () => go(1), { class: "quiet", id: "next-part" });
  draw();
  host.replaceChildren(el("div", { class: "text" }, where, all.length > 1 && el("p", {}, back, " ", next), box));
  return { parts: all.length };
}
