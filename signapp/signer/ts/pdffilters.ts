// Undoes the filters of what is drawn (ISO 32000-2, 7.4). The browser's own decompression does not
// tell data that is cut off from data that is damaged, nor where it ended: that is what readers
// differ about. internal/pdf has the same rules (contentdecode.go).

import type { Bytes } from "./b64";
import { white } from "./bytes";
import { UnreadError } from "./pdfstream";

/** Undone is what was decoded, where in the data that ended, and how. */
export interface Undone {
  out: Bytes;
  end: number;
  how: "whole" | "cut" | "bad" | "large";
}

/** Out grows. */
class Out {
  data: Bytes = new Uint8Array(4096);
  length = 0;

  room(n: number): void {
    if (this.length + n <= this.data.length) return;
    const more = new Uint8Array(Math.max(2 * this.data.length, this.length + n));
    more.set(this.data);
    this.data = more;
  }

  push(c: number): void {
    if (this.length === this.data.length) this.room(1);
    this.data[this.length++] = c;
  }

  /** copy repeats what stands at from. */
  copy(from: number, n: number): void {
    this.room(n);
    for (let i = 0; i < n; i++) this.data[this.length++] = this.data[from + i]!;
  }

  done(): Bytes {
    return this.data.subarray(0, this.length);
  }
}

/** Code is a Huffman code: a table for words of at most ten bits, and its symbols by length. */
interface Code {
  fast: Uint16Array;
  count: Uint16Array;
  symbols: Uint16Array;
}

const fastBits = 10;
const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distBase = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];

/** code builds one from the lengths of its words; undefined if these are of none. */
function code(lengths: number[]): Code | undefined {
  const count = new Uint16Array(16);
  for (const n of lengths) count[n]!++;
  count[0] = 0;
  let left = 1;
  const words = count.reduce((a, b) => a + b, 0);
  for (let n = 1; n < 16; n++) left = 2 * left - count[n]!;
  if (left !== 0 && words !== 0 && !(words === 1 && count[1] === 1)) return undefined;
  const offset = new Uint16Array(16);
  const next = new Uint16Array(16);
  for (let n = 1; n < 15; n++) {
    offset[n + 1] = offset[n]! + count[n]!;
    next[n + 1] = (next[n]! + count[n]!) << 1;
  }
  const symbols = new Uint16Array(words);
  const fast = new Uint16Array(1 << fastBits);
  lengths.forEach((n, symbol) => {
    if (n === 0) return;
    symbols[offset[n]!++] = symbol;
    let word = next[n]!++;
    if (n > fastBits) return;
    let reversed = 0;
    for (let i = 0; i < n; i++, word >>= 1) reversed = (reversed << 1) | (word & 1);
    for (let i = reversed; i < fast.length; i += 1 << n) fast[i] = (symbol << 4) | n;
  });
  return { fast, count, symbols };
}

const fixed = code(Array.from({ length: 288 }, (_, n) => (n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8)))!;
const fixedDist = code(Array.from({ length: 32 }, () => 5))!;

class Stop extends Error {
  constructor(readonly how: "cut" | "bad" | "large") {
    super(how);
  }
}

class Inflater {
  readonly out = new Out();
  private held = 0;
  private bits = 0; // of held

  constructor(
    private readonly b: Uint8Array,
    public pos: number,
    private readonly most: number,
  ) {}

  run(): void {
    for (let last = false; !last; ) {
      last = this.take(1) === 1;
      const type = this.take(2);
      if (type === 0) this.stored();
      else if (type === 1) this.block(fixed, fixedDist);
      else if (type === 2) this.block(...this.codes());
      else throw new Stop("bad");
    }
    this.align();
  }

  /** align gives back the octets that were not used. */
  private align(): void {
    this.pos -= this.bits >> 3;
    this.held = this.bits = 0;
  }

  private take(n: number): number {
    while (this.bits < n) {
      if (this.pos >= this.b.length) throw new Stop("cut");
      this.held |= this.b[this.pos++]! << this.bits;
      this.bits += 8;
    }
    const v = this.held & ((1 << n) - 1);
    this.held >>>= n;
    this.bits -= n;
    return v;
  }

  private symbol({ fast, count, symbols }: Code): number {
    while (this.bits < 15 && this.pos < this.b.length) {
      this.held |= this.b[this.pos++]! << this.bits;
      this.bits += 8;
    }
    const e = fast[this.held & ((1 << fastBits) - 1)]!;
    let n = e & 15;
    let symbol = e >> 4;
    if (n === 0) {
      for (let word = 0, first = 0, index = 0; ; ) {
        if (++n > 15) throw new Stop(this.bits < 15 ? "cut" : "bad");
        word |= (this.held >> (n - 1)) & 1;
        if (word - count[n]! < first) {
          symbol = symbols[index + word - first]!;
          break;
        }
        index += count[n]!;
        first = (first + count[n]!) << 1;
        word <<= 1;
      }
    }
    if (n > this.bits) throw new Stop("cut");
    this.held >>>= n;
    this.bits -= n;
    return symbol;
  }

  private stored(): void {
    this.align();
    const { b, out } = this;
    if (this.pos + 4 > b.length) throw new Stop("cut");
    const n = b[this.pos]! | (b[this.pos + 1]! << 8);
    if ((b[this.pos + 2]! | (b[this.pos + 3]! << 8)) !== (~n & 0xffff)) throw new Stop("bad");
    this.pos += 4;
    const there = b.subarray(this.pos, this.pos + n);
    out.room(there.length);
    out.data.set(there, out.length);
    out.length += there.length;
    this.pos += there.length;
    if (there.length < n) throw new Stop("cut");
    this.bound();
  }

  private bound(): void {
    if (this.out.length >= this.most) throw new Stop("large");
  }

  private codes(): [Code, Code] {
    const literals = this.take(5) + 257;
    const dists = this.take(5) + 1;
    const n = this.take(4) + 4;
    if (literals > 286 || dists > 30) throw new Stop("bad");
    const lengths: number[] = Array.from({ length: 19 }, () => 0);
    for (let i = 0; i < n; i++) lengths[order[i]!] = this.take(3);
    const c = code(lengths);
    if (!c) throw new Stop("bad");
    const all: number[] = [];
    while (all.length < literals + dists) {
      const s = this.symbol(c);
      if (s < 16) {
        all.push(s);
        continue;
      }
      if (s === 16 && all.length === 0) throw new Stop("bad");
      const value = s === 16 ? all[all.length - 1]! : 0;
      const times = s === 16 ? 3 + this.take(2) : s === 17 ? 3 + this.take(3) : 11 + this.take(7);
      if (all.length + times > literals + dists) throw new Stop("bad");
      for (let i = 0; i < times; i++) all.push(value);
    }
    const pair = [code(all.slice(0, literals)), code(all.slice(literals))];
    if (!pair[0] || !pair[1]) throw new Stop("bad");
    return pair as [Code, Code];
  }

  private block(literal: Code, dist: Code): void {
    const { out } = this;
    for (;;) {
      const s = this.symbol(literal);
      if (s < 256) {
        out.push(s);
        this.bound();
        continue;
      }
      if (s === 256) return this.bound();
      if (s > 285) throw new Stop("bad");
      const n = lengthBase[s - 257]! + this.take(lengthExtra[s - 257]!);
      const d = this.symbol(dist);
      if (d > 29) throw new Stop("bad");
      const back = distBase[d]! + this.take(d < 2 ? 0 : (d >> 1) - 1);
      if (back > out.length) throw new Stop("bad");
      out.copy(out.length - back, n);
      this.bound();
    }
  }
}

/**
 * zlibHead tells whether data begins as every reader wants it (RFC 1950): behind another head, or one
 * of a window of more than 32 KiB, some decode it all the same.
 */
export function zlibHead(data: Uint8Array): boolean {
  const [a, b] = [data[0] ?? 0, data[1] ?? 0];
  return data.length >= 2 && (a & 15) === 8 && a >> 4 <= 7 && (a * 256 + b) % 31 === 0 && (b & 32) === 0;
}

/** inflate decodes deflate data (RFC 1951) from a place on. */
export function inflate(data: Uint8Array, from: number, most: number): Undone {
  const z = new Inflater(data, from, most);
  let how: Undone["how"] = "whole";
  try {
    z.run();
  } catch (e) {
    if (!(e instanceof Stop)) throw e;
    how = e.how;
  }
  return { out: z.out.done(), end: z.pos, how };
}

/** lzw decodes LZWDecode (7.4.4). */
export function lzw(data: Uint8Array, early: boolean, most: number): Undone {
  const out = new Out();
  const starts = new Int32Array(4096); // of what a code stands for, in out
  const sizes = new Int32Array(4096);
  let [next, width, prev, held, bits, i, last, lastSize] = [258, 9, -1, 0, 0, 0, 0, 0];
  const end = (how: Undone["how"]): Undone => ({ out: out.done(), end: i, how });
  for (;;) {
    while (bits < width) {
      if (i >= data.length) return end("cut");
      held = ((held << 8) | data[i++]!) & 0xfffff;
      bits += 8;
    }
    bits -= width;
    const word = (held >> bits) & ((1 << width) - 1);
    if (word === 257) return end("whole");
    if (word === 256) {
      [next, width, prev] = [258, 9, -1];
      continue;
    }
    const at = out.length;
    if (word < 256) out.push(word);
    else if (prev >= 0 && word < next) out.copy(starts[word]!, sizes[word]!);
    else if (prev >= 0 && word === next && next < 4096) out.copy(last, lastSize + 1);
    else return end("bad");
    if (prev >= 0 && next < 4096) {
      [starts[next], sizes[next]] = [last, lastSize + 1]; // what follows in out is its last octet
      next++;
    }
    [last, lastSize, prev] = [at, out.length - at, word];
    if (next + (early ? 1 : 0) >= 1 << width && width < 12) width++;
    if (out.length >= most) return end("large");
  }
}

/** runLengthEnd is the place behind the octet that ends RunLengthDecode (7.4.5). */
export function runLengthEnd(data: Uint8Array): number[] {
  for (let i = 0; i < data.length; ) {
    const n = data[i]!;
    if (n === 128) return [i + 1];
    i += n < 128 ? n + 2 : 2;
  }
  return [];
}

export function runLength(data: Uint8Array, most: number): Bytes {
  const out = new Out();
  for (let i = 0; i < data.length && data[i] !== 128 && out.length < most; ) {
    const n = data[i]!;
    if (n < 128) for (const c of data.subarray(i + 1, i + n + 2)) out.push(c);
    else if (i + 1 < data.length) for (let k = 257 - n; k > 0; k--) out.push(data[i + 1]!);
    i += n < 128 ? n + 2 : 2;
  }
  return out.done();
}

/** hexadecimal decodes ASCIIHexDecode; other characters each reader takes in its own way. */
export function hexadecimal(data: Uint8Array): Bytes {
  const end = data.indexOf(0x3e);
  const out = new Out();
  let half = -1;
  for (const c of end < 0 ? data : data.subarray(0, end)) {
    if (white(c)) continue;
    const n = c >= 0x30 && c <= 0x39 ? c - 0x30 : (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66 ? (c | 0x20) - 0x57 : -1;
    if (n < 0) throw new UnreadError("digits that are none");
    if (half >= 0) out.push((half << 4) | n);
    half = half < 0 ? n : -1;
  }
  if (half >= 0) out.push(half << 4);
  return out.done();
}

/** base85 decodes ASCII85Decode (7.4.3). A mark "<~" in front ends the data to most readers, as to pdf.js. */
export function base85(data: Uint8Array): Bytes {
  const out = new Out();
  const tilde = data.indexOf(0x7e);
  const group: number[] = [];
  const flush = (n: number): void => {
    const v = group.reduce((a, c) => (a * 85 + c) % 2 ** 32, 0);
    for (let i = 0; i < n; i++) out.push((v >>> (24 - 8 * i)) & 255);
    group.length = 0;
  };
  for (const c of data.subarray(0, tilde < 0 ? data.length : tilde)) {
    if (white(c)) continue;
    if (c === 0x7a && group.length === 0) {
      group.push(0, 0, 0, 0, 0);
    } else {
      if (c < 0x21 || c > 0x75) throw new UnreadError("digits that are none");
      group.push(c - 0x21);
    }
    if (group.length === 5) flush(4);
  }
  const rest = group.length;
  if (rest === 1) throw new UnreadError("digits that are none");
  if (rest > 0) {
    while (group.length < 5) group.push(84);
    flush(rest - 1);
  }
  return out.done();
}
