// Checks that a decoded JSON value is what it should be, member by member.

/** A description: "string", "integer", "boolean", [element] or named members; one whose name ends in "?" may be missing. */
export type Shape = "string" | "integer" | "boolean" | readonly [Shape] | { readonly [name: string]: Shape };

/** The type that a description describes. */
export type Of<S> = S extends "string"
  ? string
  : S extends "integer"
    ? number
    : S extends "boolean"
      ? boolean
      : S extends readonly [infer E]
        ? Of<E>[]
        : S extends object
          ? { -readonly [K in keyof S as K extends `${string}?` ? never : K]: Of<S[K]> } & { -readonly [K in keyof S as K extends `${infer N}?` ? N : never]?: Of<S[K]> }
          : never;

/**
 * exact insists on exactly the described members, as the Go decoder of signed
 * statements does: a member that one side ignores is a member that lies.
 */
export function exact<const S extends Shape>(v: unknown, s: S): Of<S> {
  check(v, s, true, "");
  return v as Of<S>;
}

/** atLeast allows further members; for messages that nobody signed. */
export function atLeast<const S extends Shape>(v: unknown, s: S): Of<S> {
  check(v, s, false, "");
  return v as Of<S>;
}

function check(v: unknown, s: Shape, strict: boolean, where: string): void {
  const bad = (what: string): never => {
    throw new Error(`${where || "message"}: ${what}`);
  };
  if (s === "integer") {
    if (!Number.isSafeInteger(v)) bad("integer expected");
  } else if (typeof s === "string") {
    if (typeof v !== s) bad(`${s} expected`);
  } else if (Array.isArray(s)) {
    if (!Array.isArray(v)) return bad("list expected");
    v.forEach((e, i) => check(e, s[0] as Shape, strict, `${where}[${i}]`));
  } else {
    checkMembers(v, s as { readonly [name: string]: Shape }, strict, where);
  }
}

function checkMembers(v: unknown, s: { readonly [name: string]: Shape }, strict: boolean, where: string): void {
  if (typeof v !== "object" || v === null || Array.isArray(v)) throw new Error(`${where || "message"}: object expected`);
  const o = v as Record<string, unknown>;
  let known = 0;
  for (const key of Object.keys(s)) {
    const name = key.replace(/\?$/, "");
    if (!Object.hasOwn(o, name)) {
      if (name !== key) continue;
      throw new Error(`${where}.${name}: missing`);
    }
    known++;
    check(o[name], s[key]!, strict, `${where}.${name}`);
  }
  if (strict && Object.keys(o).length !== known) throw new Error(`${where || "message"}: unknown member`);
}
