// Where pdf.js ends an inline image (findDefaultInlineStreamEnd): it takes the first "EI" behind
// which so many octets are of a text, and in so many stands an operator with its operands. Everything
// here is as it does it, since where it ends an image earlier or later than others, the signer sees
// another content. internal/pdf has the same rules (contentend.go).

import { latin, LexError, Lexer, type Token } from "./pdflex";
import { plainNumber } from "./pdfload";

const eiText = 15;
const eiLexed = 75;
const mostColours = 33;

/** searched is the place of that EI, -1 if there is none. Of "EEI" and "EIEI" pdf.js sees none. */
export function searched(b: Uint8Array, from: number, operators: Map<string, number>): number {
  let [last, state] = [-1, 0];
  for (let i = from; i < b.length; i++) {
    const c = b[i];
    if ((state === 0 && c === 0x45) || (state === 1 && c === 0x49)) {
      state++;
      continue;
    }
    if (state === 2 && (c === 32 || c === 10 || c === 13)) {
      last = i - 2;
      const belief = believed(b.subarray(i + 1, i + 1 + eiLexed), operators);
      if (belief === "ends") return last;
      if (belief === "gives up") return -1;
    }
    state = 0;
  }
  if (state !== 2) return last;
  return last >= 0 ? -1 : b.length - 2; // the one or the other, by what stands behind the stream
}

function believed(b: Uint8Array, operators: Map<string, number>): "ends" | "goes on" | "gives up" {
  if (b.length === 0) return "ends";
  const text = b.subarray(0, eiText);
  if (!text.every((c, i) => (c === 0 && text[i + 1] !== 0) || c === 10 || c === 13 || (c >= 32 && c <= 0x7f))) return "goes on";
  const lexer = new Lexer(b);
  for (let args = 0; ; args++) {
    lexer.skip();
    if (lexer.pos >= b.length) return "goes on";
    if (b[lexer.pos] === 0x29) return "gives up"; // and draws nothing behind it
    const t = token(lexer);
    if (!t) return "goes on";
    const whole = latin(b, t.from, t.to);
    if (["string", "hex", "name"].includes(t.kind)) continue;
    if (t.kind === "number") {
      if (t.to === b.length && /^[-+.]+$/.test(whole)) return "goes on"; // only the sign of it is there
      if (!plainNumber(whole)) return "gives up"; // or takes a number and a word: nobody writes that
      continue;
    }
    if (t.kind !== "word") return "goes on"; // brackets are commands to it, and none that it knows
    const word = cutWord(whole, operators);
    lexer.pos = t.from + word.length;
    if (["true", "false", "null"].includes(word)) continue;
    const n = commands(word, operators);
    if (n === undefined) return "goes on";
    if (args === n || (n < 0 && args <= (word.toLowerCase() === "sc" ? 4 : mostColours))) return "ends";
    args = -1;
  }
}

/** token is the next, undefined where there is none. */
function token(lexer: Lexer): Token | undefined {
  try {
    return lexer.next();
  } catch (e) {
    if (e instanceof LexError) return undefined;
    throw e;
  }
}

/** commands is how many operands pdf.js wants of a word: those of inline images are operators, too. */
function commands(word: string, operators: Map<string, number>): number | undefined {
  return word === "BI" || word === "ID" ? 0 : word === "EI" ? 1 : operators.get(word);
}

/** begun are words by which pdf.js comes to an operator or a constant, letter by letter. */
const begun = new Set(["BM", "BD", "true", "fa", "fal", "fals", "false", "nu", "nul", "null"]);

/** cutWord is the first of the words that pdf.js makes of one: it ends an operator in front of a letter that would make it none. */
function cutWord(word: string, operators: Map<string, number>): string {
  const known = (n: number): boolean => begun.has(word.slice(0, n)) || commands(word.slice(0, n), operators) !== undefined;
  let n = 1;
  while (n < word.length && (!known(n) || known(n + 1))) n++;
  return word.slice(0, n);
}
