// Reads the tokens of a content stream. internal/pdf has the same rules (lex.go): the app
// and the service must take each content for the same.

import { digit, white } from "./bytes";

export type Kind = "{" | "}" | "[" | "]" | "string" | "hex" | "name" | "number" | "word"; // "{" and "}" are those of a dictionary

/** Token is a piece of a content. */
export interface Token {
  kind: Kind;
  from: number;
  to: number;
}

/** LexError says that something is no token. */
export class LexError extends Error {}

const delimiters = new Set([..."()<>[]{}/%"].map((c) => c.charCodeAt(0)));
const regulars = Uint8Array.from({ length: 256 }, (_, c) => (white(c) || delimiters.has(c) ? 0 : 1));

/** plain tells whether c may stand in a name, a number or a word. */
export function plain(c: number | undefined): boolean {
  return c !== undefined && regulars[c] === 1;
}

/** numeral tells what begins a number. */
function numeral(c: number): boolean {
  return digit(c) || c === 0x2b || c === 0x2d || c === 0x2e;
}

/** latin is a piece of a content as characters. */
export function latin(b: Uint8Array, from: number, to: number): string {
  let s = "";
  for (let i = from; i < to; i += 8192) s += String.fromCharCode(...b.subarray(i, Math.min(i + 8192, to)));
  return s;
}

/** Lexer reads from pos on. */
export class Lexer {
  constructor(
    readonly b: Uint8Array,
    public pos = 0,
  ) {}

  /** skip passes white space and comments. */
  skip(): void {
    const { b } = this;
    for (; this.pos < b.length; this.pos++) {
      if (b[this.pos] === 0x25) {
        while (this.pos + 1 < b.length && b[this.pos + 1] !== 10 && b[this.pos + 1] !== 13) this.pos++;
      } else if (!white(b[this.pos])) return;
    }
  }

  next(): Token {
    this.skip();
    const { b, pos: from } = this;
    const c = b[from];
    if (c === undefined) throw new LexError("the end");
    const kind = this.over(c);
    return { kind, from, to: this.pos };
  }

  /** over passes the token that begins with c. */
  private over(c: number): Kind {
    switch (c) {
      case 0x28:
        this.text();
        return "string";
      case 0x3c:
      case 0x3e:
        return this.angle(c);
      case 0x5b:
      case 0x5d:
        this.pos++;
        return c === 0x5b ? "[" : "]";
      case 0x29:
      case 0x7b:
      case 0x7d:
        throw new LexError("a bracket");
      case 0x2f:
        this.pos++;
        this.run();
        return "name";
    }
    this.run();
    return numeral(c) ? "number" : "word";
  }

  private run(): void {
    while (plain(this.b[this.pos])) this.pos++;
  }

  private angle(c: number): Kind {
    if (this.b[this.pos + 1] === c) {
      this.pos += 2;
      return c === 0x3c ? "{" : "}";
    }
    const end = c === 0x3c ? this.b.indexOf(0x3e, this.pos) : -1;
    if (end < 0) throw new LexError("digits that do not end");
    this.pos = end + 1;
    return "hex";
  }

  private text(): void {
    const { b } = this;
    for (let depth = 0; this.pos < b.length; this.pos++) {
      const c = b[this.pos];
      if (c === 0x5c) this.pos++;
      else if (c === 0x28) depth++;
      else if (c === 0x29 && --depth === 0) {
        this.pos++;
        return;
      }
    }
    throw new LexError("a text that does not end");
  }

  /** value passes a whole one: an array or a dictionary with what is in it. */
  value(): Token {
    const open: Kind[] = [];
    for (let first: Token | undefined; ; ) {
      const t = this.next();
      first ??= t;
      if (t.kind === "[" || t.kind === "{") open.push(t.kind);
      else if (t.kind === "]" || t.kind === "}") {
        if (open.pop() !== (t.kind === "]" ? "[" : "{")) throw new LexError("a bracket");
      }
      if (open.length > contentDepth) throw new LexError("too deep");
      if (open.length === 0) return { kind: first.kind, from: first.from, to: this.pos };
    }
  }
}

/** contentDepth bounds arrays and dictionaries in a content. */
export const contentDepth = 32;
