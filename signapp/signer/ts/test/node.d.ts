// The few things of node that the unit tests use.
declare module "node:test" {
  export function test(name: string, f: () => void | Promise<void>): void;
}
declare module "node:assert/strict" {
  const assert: {
    equal(a: unknown, b: unknown, m?: string): void;
    deepEqual(a: unknown, b: unknown, m?: string): void;
    ok(v: unknown, m?: string): void;
    throws(f: () => unknown, match?: RegExp | (new (...a: never[]) => Error)): void;
    rejects(f: Promise<unknown> | (() => Promise<unknown>), match?: RegExp): Promise<void>;
  };
  export default assert;
}
declare module "node:fs" {
  export function readFileSync(path: string, encoding: "utf8"): string;
  export function readFileSync(path: string): Uint8Array;
  export function readdirSync(path: string): string[];
}
declare module "node:zlib" {
  export function deflateSync(b: Uint8Array, options?: { level: number }): Uint8Array;
  export function inflateSync(b: Uint8Array): Uint8Array;
}
declare const process: { env: Record<string, string | undefined> };
