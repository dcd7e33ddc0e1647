// Reading PDF syntax from bytes: white space, names, numbers, keywords.

/** white tells whether c is PDF white space (ISO 32000-1, table 1). */
export function white(c: number | undefined): boolean {
  return c === 0 || c === 9 || c === 10 || c === 12 || c === 13 || c === 32;
}

/** regular tells whether c may stand in a name or number. */
export function regular(c: number): boolean {
  return !white(c) && !"()<>[]{}/%".includes(String.fromCharCode(c));
}

/** digit tells whether c is a decimal digit. */
export function digit(c: number | undefined): boolean {
  return c !== undefined && c >= 0x30 && c <= 0x39;
}

/** ascii returns at most n bytes from at as characters. */
export function ascii(pdf: Uint8Array, at: number, n: number): string {
  const end = Math.min(at + n, pdf.length);
  let s = "";
  for (let i = Math.max(0, at); i < end; i += 8192) s += String.fromCharCode(...pdf.subarray(i, Math.min(i + 8192, end)));
  return s;
}

/** find returns where a keyword begins at or after from, or -1. */
export function find(pdf: Uint8Array, word: string, from: number): number {
  const first = word.charCodeAt(0);
  for (let i = pdf.indexOf(first, from); i >= 0; i = pdf.indexOf(first, i + 1)) {
    let k = 1;
    while (k < word.length && pdf[i + k] === word.charCodeAt(k)) k++;
    if (k === word.length) return i;
  }
  return -1;
}

/** readName reads a name at "/", with its escapes; it returns the place behind. */
export function readName(pdf: Uint8Array, at: number): [string, number] {
  let out = "";
  let i = at + 1;
  for (; i < pdf.length && i - at < 200 && regular(pdf[i]!); i++) {
    const esc = pdf[i] === 0x23 ? /^#([0-9A-Fa-f]{2})/.exec(ascii(pdf, i, 3)) : null;
    out += String.fromCharCode(esc ? parseInt(esc[1]!, 16) : pdf[i]!);
    if (esc) i += 2;
  }
  return [out, i];
}

/** skip passes white space and comments. */
export function skip(pdf: Uint8Array, p: number): number {
  for (; p < pdf.length; p++) {
    if (pdf[p] === 0x25) {
      while (p + 1 < pdf.length && pdf[p + 1] !== 10 && pdf[p + 1] !== 13) p++;
    } else if (!white(pdf[p])) break;
  }
  return p;
}
