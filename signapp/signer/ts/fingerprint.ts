// Short fingerprints for the eye: the same sixteen hexadecimal digits and the
// same bar of colours for the same digest.

import { hex, type Bytes } from "./b64";
import { el } from "./dom";

const svg = "http://www.w3.org/2000/svg";

/** fingerprint draws a digest short; the whole of it is in the title. */
export function fingerprint(digest: Bytes): HTMLElement {
  const text = hex(digest.subarray(0, 8)).replace(/(.{4})(?=.)/g, "$1 ");
  return el("span", { class: "fingerprint", title: hex(digest) }, bar(digest), el("code", {}, text));
}

function bar(digest: Bytes): SVGElement {
  const n = 8;
  const s = document.createElementNS(svg, "svg");
  s.setAttribute("viewBox", `0 0 ${n * 10} 12`);
  s.setAttribute("class", "bar");
  s.setAttribute("aria-hidden", "true");
  for (let i = 0; i < n; i++) {
    const r = document.createElementNS(svg, "rect");
    r.setAttribute("x", String(i * 10));
    r.setAttribute("width", "10");
    r.setAttribute("height", "12");
    r.setAttribute("fill", `hsl(${Math.round((digest[i]! * 360) / 256)} 65% ${35 + (digest[i + 8]! % 4) * 10}%)`);
    s.append(r);
  }
  return s;
}
