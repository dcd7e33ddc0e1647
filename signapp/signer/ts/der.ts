// As much of DER as a certificate's face and an ECDSA signature need. Lengths
// are checked against what is there; anything unusual is an error.

import { concat, type Bytes } from "./b64";

/** Node is one element; children are read for constructed elements only. */
export interface Node {
  tag: number;
  raw: Bytes; // with tag and length
  body: Bytes;
  children: Node[];
}

const maxDepth = 20;

/** read reads exactly one element with the given tag that fills b. */
export function read(b: Bytes, tag: number): Node {
  const [n, rest] = element(b, 0);
  if (rest.length !== 0 || n.tag !== tag) throw new Error("DER: unexpected element");
  return n;
}

function element(b: Bytes, depth: number): [Node, Bytes] {
  if (depth > maxDepth || b.length < 2 || (b[0]! & 0x1f) === 0x1f) throw new Error("DER: bad element");
  let len = b[1]!;
  let head = 2;
  if (len >= 0x80) {
    const octets = len & 0x7f;
    if (octets < 1 || octets > 3 || b.length < 2 + octets) throw new Error("DER: bad length");
    len = 0;
    for (let i = 0; i < octets; i++) len = len * 256 + b[2 + i]!;
    head += octets;
    if (len < 0x80 || (octets > 1 && b[2] === 0)) throw new Error("DER: length not minimal");
  }
  if (b.length < head + len) throw new Error("DER: cut short");
  const n: Node = { tag: b[0]!, raw: b.subarray(0, head + len), body: b.subarray(head, head + len), children: [] };
  if (n.tag & 0x20) {
    for (let rest = n.body; rest.length > 0; ) {
      const [child, after] = element(rest, depth + 1);
      n.children.push(child);
      rest = after;
    }
  }
  return [n, b.subarray(head + len)];
}

/** derInteger returns a positive INTEGER as size octets. */
export function derInteger(n: Node, size: number): Bytes {
  if (n.tag !== 0x02 || n.body.length === 0 || n.body[0]! >= 0x80) throw new Error("DER: bad integer");
  const b = n.body[0] === 0 ? n.body.subarray(1) : n.body;
  if (b.length > size) throw new Error("DER: integer too large");
  return concat(new Uint8Array(size - b.length), b);
}

/** tlv writes one element. */
export function tlv(tag: number, ...parts: Uint8Array[]): Bytes {
  const body = concat(...parts);
  const n = body.length;
  const len = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : n < 0x10000 ? [0x82, n >> 8, n & 255] : undefined;
  if (!len) throw new Error("DER: too long");
  return concat(new Uint8Array([tag, ...len]), body);
}
