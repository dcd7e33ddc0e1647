// What sicd says of the place: read from the signing origin itself, never from
// the application or from a link.

import { ownFile, Relay } from "./api";
import { decode } from "./b64";
import { atLeast } from "./shape";
import { SAMKeys } from "./succession";

/** Config is /config.json, checked. */
export interface Config {
  sam: SAMKeys;
  aud: string;
  rpId: string;
  origin: string;
  api: string;
  profile: string;
  maxDocument: number;
  viewer: boolean;
  attestation: "none" | "direct";
}

const shape = {
  sam_key: "string", sam_key_id: "string", aud: "string", rp_id: "string", origin: "string", api: "string",
  profile: "string", max_document: "integer", viewer: "boolean", attestation: "string",
} as const;

/** loadConfig fetches and checks the configuration. RelayError where nothing came. */
export async function loadConfig(): Promise<Config> {
  const text = await ownFile("/config.json", "no-store");
  if (!text) throw new Error("config: there is none");
  const c = atLeast(JSON.parse(new TextDecoder().decode(text)), shape);
  // samd accepts assertions of one origin only; at any other one nothing could succeed.
  if (c.origin !== location.origin) throw new Error(`config: this page is at ${location.origin}, not at ${c.origin}`);
  const api = new URL(c.api).origin;
  return {
    sam: new SAMKeys(decode(c.sam_key), () => new Relay(api).successions()),
    aud: c.aud,
    rpId: c.rp_id,
    origin: c.origin,
    api,
    profile: c.profile,
    maxDocument: c.max_document,
    viewer: c.viewer,
    attestation: c.attestation === "direct" ? "direct" : "none",
  };
}
