// The kinds of operands in a content. Where another kind stands than an operator has, pdf.js draws at
// no place at all or no more, and others take it for a zero, so that the signer does not see what
// they show. internal/pdf has the same rules (contentkinds.go).

import type { Kind } from "./pdflex";
import { UnreadError } from "./pdfstream";

/**
 * kindsOf are the operands of the operators: n a number, s a text, N a name, a an array of numbers, t
 * one of texts and numbers, p a dictionary or a name.
 */
export const kindsOf = new Map<string, string>(
  Object.entries({
    "": "b B b* B* BT BX EMC ET EX f F f* h n q Q s S T* W W*",
    n: "G g i j J M TL Tc Tr Ts Tw Tz w",
    nn: "d0 l m Td TD",
    nnn: "RG rg",
    nnnn: "K k re v y",
    nnnnnn: "c cm d1 Tm",
    N: "BMC CS cs Do gs MP ri sh",
    Nn: "Tf",
    Np: "BDC DP",
    an: "d",
    s: "Tj '",
    t: "TJ",
    nns: '"',
  }).flatMap(([kinds, words]) => words.split(" ").map((w): [string, string] => [w, kinds])),
);

const forms: Record<string, RegExp> = { a: /a/, t: /[at]/, p: /[Nd]/, n: /n/, N: /N/, s: /s/ };

/** fits tells whether the last of some operands are of the kinds that an operator has. */
export function fits(op: string, args: string): boolean {
  const kinds = kindsOf.get(op);
  if (kinds === undefined) return (op.toLowerCase() === "scn" ? /^n*[nN]$/ : /^n+$/).test(args); // of colours
  const last = args.slice(args.length - kinds.length);
  return [...kinds].every((k, i) => forms[k]!.test(last[i]!));
}

/** Container is an array or a dictionary that is not closed yet. */
export class Container {
  private n = 0; // what stands in it
  private texts = false; // of an array
  private others = false;

  constructor(readonly kind: Kind) {}

  /** take enters a kind of value. */
  take(kind: string): void {
    this.n++;
    this.texts ||= kind === "s";
    this.others ||= kind !== "s" && kind !== "n";
    if (this.kind === "{" && this.n % 2 === 1 && kind !== "N") throw new UnreadError("a key that is no name");
  }

  /** close gives the kind of what is closed. */
  close(): string {
    if (this.kind === "[") return this.others ? "x" : this.texts ? "t" : "a";
    if (this.n % 2 === 1) throw new UnreadError("a key without a value");
    return "d";
  }
}
