// Tells whether readers draw a content stream (ISO 32000-2, 7.8.2) in different ways. They agree
// about those that keep to the letter. About others each has its own way on: pdf.js takes a word
// that is no operator apart, PDFium leaves it out, Poppler gives up. internal/pdf has the same
// rules (content.go).

import { white } from "./bytes";
import { behindImage } from "./pdfimage";
import { Container, fits, kindsOf } from "./pdfkinds";
import { contentDepth, latin, LexError, Lexer, plain, type Token } from "./pdflex";
import { plainNumber, wideNumber } from "./pdfload";
import { UnreadError } from "./pdfstream";
import { DrawnState, type Shown, type Uses } from "./pdfuses";

/** operators are those of ISO 32000-2, table A.1, by the number of their operands; without those of inline images. */
export const operators = new Map<string, number>([...kindsOf].map(([word, kinds]): [string, number] => [word, kinds.length]).concat(["SC", "sc", "SCN", "scn"].map((word) => [word, -1])));

/**
 * checkContent throws an UnreadError for what readers differ about, and returns what the content
 * uses; joints are the places of the line ends that were put between its streams.
 */
export function checkContent(content: Uint8Array, joints: number[] = [], shown?: Shown): Uses {
  try {
    return new Walk(content, joints, shown).check();
  } catch (e) {
    throw e instanceof LexError ? new UnreadError(`a content with ${e.message}`) : e;
  }
}

class Walk {
  private readonly lexer: Lexer;
  private readonly open: Container[] = [];
  private joint = 0; // how many of the joints are passed
  private args = ""; // the operands in front of the present token
  private readonly drawn: DrawnState;

  constructor(
    private readonly b: Uint8Array,
    private readonly joints: number[],
    shown: Shown | undefined,
  ) {
    this.lexer = new Lexer(b);
    this.drawn = new DrawnState(b, shown);
  }

  check(): Uses {
    const { b, lexer } = this;
    for (this.blank(); lexer.pos < b.length; this.blank()) {
      const t = lexer.next();
      if (this.cut(t)) throw new UnreadError("a word that is cut between two streams");
      this.token(t);
    }
    if (this.open.length > 0) throw new UnreadError("an array that does not end");
    this.drawn.end();
    return this.drawn.uses;
  }

  /** blank passes white space and comments; some readers go on with a comment in the next stream. */
  private blank(): void {
    const { b, lexer } = this;
    for (; lexer.pos < b.length; lexer.pos++) {
      if (b[lexer.pos] === 0x25) {
        while (lexer.pos < b.length && b[lexer.pos] !== 10 && b[lexer.pos] !== 13) lexer.pos++;
        if (this.next(lexer.pos) === lexer.pos) throw new UnreadError("a comment that goes on in the next stream");
      } else if (!white(b[lexer.pos])) return;
    }
  }

  /** next is the first joint from a place on; places grow. */
  private next(from: number): number {
    while ((this.joints[this.joint] ?? Infinity) < from) this.joint++;
    return this.joints[this.joint] ?? Infinity;
  }

  /** cut tells whether a joint is within a token, or behind a number or a name that could go on in the next stream. */
  private cut(t: Token): boolean {
    const at = this.next(t.from);
    if (at > t.to || at === t.from) return false;
    return at < t.to || ((t.kind === "number" || t.kind === "name") && plain(this.b[t.to + 1]));
  }

  private token(t: Token): void {
    const { b, open } = this;
    let kind = "s";
    switch (t.kind) {
      case "[":
      case "{":
        if (open.length >= contentDepth) throw new UnreadError("arrays that are too deep");
        open.push(new Container(t.kind));
        return;
      case "]":
      case "}": {
        const closed = open.pop();
        if (closed?.kind !== (t.kind === "]" ? "[" : "{")) throw new UnreadError("a bracket that nothing opens");
        kind = closed.close();
        break;
      }
      case "number": {
        const text = latin(b, t.from, t.to);
        kind = "n";
        if (!plainNumber(text) || wideNumber(text)) throw new UnreadError("a number that is none");
        break;
      }
      case "hex":
        if (!/^<[0-9A-Fa-f\0\t\n\f\r ]*>$/.test(latin(b, t.from, t.to))) throw new UnreadError("a text of other digits");
        break;
      case "name":
        kind = "N";
        break;
      case "word": {
        kind = "x";
        const word = latin(b, t.from, t.to);
        if (open.length === 0) return this.operator(word);
        if (!["true", "false", "null"].includes(word)) throw new UnreadError("an operator within an array");
      }
    }
    this.drawn.operand(t, open.length === 0);
    const within = open[open.length - 1];
    if (within) return within.take(kind);
    if ((this.args += kind).length > 33) throw new UnreadError("too many operands"); // of which pdf.js draws nothing any more
  }

  private operator(word: string): void {
    const { args } = this;
    this.args = "";
    if (word === "BI") {
      if (args !== "") throw new UnreadError("operands of an inline image");
      const from = this.lexer.pos;
      const image = behindImage(this.b, from, operators);
      this.lexer.pos = image.end;
      this.drawn.uses.other = true;
      if (image.space !== "") this.drawn.uses.name("ColorSpace", image.space);
      this.drawn.forget();
      if (this.next(from) < this.lexer.pos) throw new UnreadError("an inline image that is cut between two streams");
      return;
    }
    const n = operators.get(word);
    if (n === undefined) throw new UnreadError("a word that is no operator");
    if (args.length < n || (n < 0 && args === "")) throw new UnreadError("fewer operands than an operator has");
    if (!fits(word, args)) throw new UnreadError("an operand of another kind");
    this.drawn.operator(word, args);
    this.drawn.forget();
  }
}
