// Goes over the tokens of an object of a PDF once, for what readers take for different things: a key
// that a dictionary has twice, of which they take the first or the last, a reference of another
// generation than its object, which some follow, and words and numbers that are none.
// internal/pdf has the same rules (tokenwalk.go).

import { ascii, digit, readName, regular, skip, white } from "./bytes";
import { plainNumber, type Value } from "./pdfload";
import { behindString, UnreadError } from "./pdfstream";

/** Open is a dictionary or an array that is not closed yet. */
interface Open {
  values: Map<string, [number, number]> | undefined; // of a dictionary
  key: string | undefined; // whose value is expected or being read
  from: number; // where that begins
}

/** checkTokens throws an UnreadError for what readers differ about in a value; generation tells that of an object in use. */
export function checkTokens(v: Value, generation: (num: number) => number | undefined): void {
  new Tokens(v, generation).check();
}

class Tokens {
  private readonly open: Open[] = [];
  private first = -1; // where the last but one of the numbers in front of the present token begins, -1 if there are not so many
  private second = -1; // and the last one

  constructor(
    private readonly v: Value,
    private readonly generation: (num: number) => number | undefined,
  ) {}

  check(): void {
    const { b, to } = this.v;
    let behind = this.v.from; // the token before
    for (let p = skip(b, behind); p < to; p = skip(b, behind)) {
      const top = this.open[this.open.length - 1];
      const c = b[p]!;
      const close = (c === 0x3e || c === 0x5d) && top;
      if (top?.values && top.key !== undefined && (close || (c === 0x2f && skip(b, top.from) < p))) this.value(top, behind);
      behind = this.token(p, c, top);
    }
  }

  /** token returns the place behind the one at p. */
  private token(p: number, c: number, top: Open | undefined): number {
    const { b } = this.v;
    const numeral = digit(c) || c === 0x2b || c === 0x2d || c === 0x2e;
    if (!numeral && c !== 0x52) this.first = this.second = -1;
    switch (c) {
      case 0x2f: {
        const [name, end] = readName(b, p);
        if (top?.values && top.key === undefined) [top.key, top.from] = [name, end];
        return end;
      }
      case 0x28:
        return behindString(b, p);
      case 0x5b:
        this.open.push({ values: undefined, key: undefined, from: 0 });
        return p + 1;
      case 0x5d:
        this.open.pop();
        return p + 1;
      case 0x3c:
        if (b[p + 1] !== 0x3c) return b.indexOf(0x3e, p) + 1;
        this.open.push({ values: new Map(), key: undefined, from: 0 });
        return p + 2;
      case 0x3e:
        this.open.pop();
        return p + 2;
    }
    return this.word(p, numeral);
  }

  private word(p: number, numeral: boolean): number {
    const { b, to } = this.v;
    let end = p;
    while (end < to && regular(b[end]!)) end++;
    if (numeral) {
      if (!plainNumber(ascii(b, p, Math.min(end - p, 64)))) throw new UnreadError("a number that is none");
      [this.first, this.second] = [this.second, p];
      return end;
    }
    const word = ascii(b, p, Math.min(end - p, 8));
    if (word === "R") this.reference(p);
    else if (!["true", "false", "null"].includes(word)) throw new UnreadError("a word that is none");
    this.first = this.second = -1;
    return end;
  }

  private reference(end: number): void {
    const from = this.first < 0 ? end : this.first;
    const m = /^(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+$/.exec(ascii(this.v.b, from, Math.min(end - from, 64)));
    const num = Number(m?.[1]);
    if (!m || num === 0 || num > 8_388_607 || Number(m[2]) > 65535) throw new UnreadError("a reference that is none");
    if ((this.generation(num) ?? Number(m[2])) !== Number(m[2])) throw new UnreadError("a reference of another generation");
  }

  /** value takes down what the key of an open dictionary has; cairo writes one resource several times. */
  private value(top: Open, end: number): void {
    const { b } = this.v;
    let from = top.from;
    while (white(b[from])) from++;
    const was = top.values!.get(top.key!);
    if (was && !sameOctets(b.subarray(...was), b.subarray(from, end))) throw new UnreadError("a key that stands there twice");
    top.values!.set(top.key!, [from, end]);
    top.key = undefined;
  }
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((c, i) => c === b[i]);
}
