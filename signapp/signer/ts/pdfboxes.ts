// What a page inherits and readers might inherit in different ways: its boxes, its resources, how
// it is turned. internal/pdf has the same rules (pagebox.go).

import { elements, integer, isArray, isDict, plainNumber, textOf, valueOf, type Loader, type Value } from "./pdfload";
import { UnreadError, type Entries } from "./pdfstream";

/** Box is a rectangle of a page: left, bottom, right, top. */
type Box = [number, number, number, number];

/** Boxes are what a page has, or inherits. */
export interface Boxes {
  MediaBox?: Box;
  CropBox?: Box;
  Resources?: Value;
}

/** checkSeen makes sure that something of a page is seen: some readers leave out a box beside the page. */
export function checkSeen({ MediaBox: m, CropBox: c }: Boxes): void {
  if (!m) throw new UnreadError("a page without a size");
  if (c && (Math.min(m[2], c[2]) <= Math.max(m[0], c[0]) || Math.min(m[3], c[3]) <= Math.max(m[1], c[1]))) throw new UnreadError("a page of which nothing is seen");
}

/** checkBoxes reads what a node of the page tree hands down: a value that is none counts as there to some readers, and others inherit another one. */
export async function checkBoxes(loader: Loader, v: Value, dict: Entries, inherited: Boxes): Promise<Boxes> {
  const boxes = { ...inherited };
  for (const key of ["MediaBox", "CropBox"] as const) {
    if (dict.values.has(key)) boxes[key] = await box(loader, await loader.resolve(valueOf(v, dict, key)));
  }
  if (dict.values.has("Resources")) {
    const found = await loader.resolve(valueOf(v, dict, "Resources"));
    if (!found || !isDict(found)) throw new UnreadError("resources that are none");
    boxes.Resources = found;
  }
  if (dict.values.has("Rotate") && integer(await loader.resolve(valueOf(v, dict, "Rotate"))) % 90 !== 0) throw new UnreadError("a page that is turned by part of a right angle");
  return boxes;
}

async function box(loader: Loader, v: Value | undefined): Promise<Box> {
  const n: number[] = [];
  if (v && isArray(v)) {
    for (const e of elements(v)) {
      const side = await loader.resolve(e);
      const text = side ? textOf(side) : "";
      if (n.length < 5 && plainNumber(text)) n.push(Number(text));
      else n.push(NaN);
    }
  }
  const [a, b, c, d] = n as Box;
  if (n.length !== 4 || n.some((x) => Number.isNaN(x)) || a === c || b === d) throw new UnreadError("a box that is none");
  return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
}
