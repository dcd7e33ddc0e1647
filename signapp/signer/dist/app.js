"use strict";
(() => {
  // ts/b64.ts
  var alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  function encode(b) {
    let out = "";
    for (let i = 0; i < b.length; i += 3) {
      const n = b[i] << 16 | (b[i + 1] ?? 0) << 8 | (b[i + 2] ?? 0);
      const have = Math.min(3, b.length - i);
      for (let k = 0; k <= have; k++) out += alphabet[n >> 18 - 6 * k & 63];
    }
    return out;
  }
  function decode(s) {
    const out = new Uint8Array(Math.floor(s.length * 3 / 4));
    let bits = 0;
    let n = 0;
    let at2 = 0;
    for (const c of s) {
      const v = alphabet.indexOf(c);
      if (v < 0) throw new Error("not base64url");
      n = (n << 6 | v) & 65535;
      bits += 6;
      if (bits >= 8) {
        bits -= 8;
        out[at2++] = n >> bits & 255;
      }
    }
    if (encode(out) !== s) throw new Error("not base64url in its one form");
    return out;
  }
  function decodeLen(s, octets2) {
    const b = decode(s);
    if (b.length !== octets2) throw new Error(`${b.length} octets where ${octets2} belong`);
    return b;
  }
  function equal(a, b) {
    return a.length === b.length && a.every((v, i) => v === b[i]);
  }
  function find(b, part) {
    for (let i = b.indexOf(part[0]); i >= 0; i = b.indexOf(part[0], i + 1)) {
      let k = 1;
      while (k < part.length && b[i + k] === part[k]) k++;
      if (k === part.length) return i;
    }
    return -1;
  }
  function concat(...parts3) {
    const out = new Uint8Array(parts3.reduce((n, p) => n + p.length, 0));
    let at2 = 0;
    for (const p of parts3) {
      out.set(p, at2);
      at2 += p.length;
    }
    return out;
  }
  function utf8(s) {
    return concat(new TextEncoder().encode(s));
  }
  function hex(b) {
    return Array.from(b, (v) => v.toString(16).padStart(2, "0")).join("");
  }
  function hexBytes(hex2) {
    const out = new Uint8Array(hex2.length >> 1);
    for (let i = 0; i < out.length; i++) {
      const pair = String.fromCharCode(hex2[2 * i], hex2[2 * i + 1]);
      if (!/^[0-9a-fA-F]{2}$/.test(pair)) return new Uint8Array(0);
      out[i] = parseInt(pair, 16);
    }
    return out;
  }

  // ts/der.ts
  var maxDepth = 20;
  function read(b, tag) {
    const [n, rest] = element(b, 0);
    if (rest.length !== 0 || n.tag !== tag) throw new Error("DER: unexpected element");
    return n;
  }
  function element(b, depth) {
    if (depth > maxDepth || b.length < 2 || (b[0] & 31) === 31) throw new Error("DER: bad element");
    let len = b[1];
    let head = 2;
    if (len >= 128) {
      const octets2 = len & 127;
      if (octets2 < 1 || octets2 > 3 || b.length < 2 + octets2) throw new Error("DER: bad length");
      len = 0;
      for (let i = 0; i < octets2; i++) len = len * 256 + b[2 + i];
      head += octets2;
      if (len < 128 || octets2 > 1 && b[2] === 0) throw new Error("DER: length not minimal");
    }
    if (b.length < head + len) throw new Error("DER: cut short");
    const n = { tag: b[0], raw: b.subarray(0, head + len), body: b.subarray(head, head + len), children: [] };
    if (n.tag & 32) {
      for (let rest = n.body; rest.length > 0; ) {
        const [child, after] = element(rest, depth + 1);
        n.children.push(child);
        rest = after;
      }
    }
    return [n, b.subarray(head + len)];
  }
  function derInteger(n, size2) {
    if (n.tag !== 2 || n.body.length === 0 || n.body[0] >= 128) throw new Error("DER: bad integer");
    const b = n.body[0] === 0 ? n.body.subarray(1) : n.body;
    if (b.length > size2) throw new Error("DER: integer too large");
    return concat(new Uint8Array(size2 - b.length), b);
  }
  function tlv(tag, ...parts3) {
    const body = concat(...parts3);
    const n = body.length;
    const len = n < 128 ? [n] : n < 256 ? [129, n] : n < 65536 ? [130, n >> 8, n & 255] : void 0;
    if (!len) throw new Error("DER: too long");
    return concat(new Uint8Array([tag, ...len]), body);
  }

  // ts/crypto.ts
  var hashes = { sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" };
  var hashSize = { sha256: 32, sha384: 48, sha512: 64 };
  function isHash(name) {
    return Object.hasOwn(hashes, name);
  }
  async function digest(h, b) {
    return new Uint8Array(await crypto.subtle.digest(hashes[h], b));
  }
  function labelled(label3, ...parts3) {
    return digest("sha256", message(label3, ...parts3));
  }
  function message(label3, ...parts3) {
    return concat(utf8(label3), new Uint8Array([0]), ...parts3);
  }
  async function hmac(key, b) {
    const k = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", k, b));
  }
  function importP256(spki) {
    return crypto.subtle.importKey("spki", spki, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  }
  async function verifyES256(key, body, sig) {
    return sig.length === 64 && await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, sig, body);
  }
  var algorithms = {
    ES256: { hash: "sha256", curve: "P-256" },
    ES384: { hash: "sha384", curve: "P-384" },
    ES512: { hash: "sha512", curve: "P-521" },
    RS256: { hash: "sha256" },
    RS384: { hash: "sha384" },
    RS512: { hash: "sha512" },
    PS256: { hash: "sha256", pss: true },
    PS384: { hash: "sha384", pss: true },
    PS512: { hash: "sha512", pss: true }
  };
  async function verifySignature(alg, spki, body, sig) {
    const row = Object.hasOwn(algorithms, alg) ? algorithms[alg] : void 0;
    if (!row) return false;
    const hash = hashes[row.hash];
    try {
      if (row.curve) {
        const key2 = await crypto.subtle.importKey("spki", spki, { name: "ECDSA", namedCurve: row.curve }, false, ["verify"]);
        return await crypto.subtle.verify({ name: "ECDSA", hash }, key2, rawECDSA(sig, curveSize[row.curve]), body);
      }
      const name = row.pss ? "RSA-PSS" : "RSASSA-PKCS1-v1_5";
      const key = await crypto.subtle.importKey("spki", spki, { name, hash }, false, ["verify"]);
      return await crypto.subtle.verify({ name, saltLength: hashSize[row.hash] }, key, sig, body);
    } catch {
      return false;
    }
  }
  function xmlValue(alg, sig) {
    const curve = Object.hasOwn(algorithms, alg) ? algorithms[alg].curve : void 0;
    return curve ? rawECDSA(sig, curveSize[curve]) : sig;
  }
  var curveSize = { "P-256": 32, "P-384": 48, "P-521": 66 };
  function rawECDSA(der, size2) {
    const seq = read(der, 48);
    if (seq.children.length !== 2) throw new Error("not an ECDSA signature");
    return concat(...seq.children.map((n) => derInteger(n, size2)));
  }

  // ts/jcs.ts
  var maxSize = 1 << 20;
  var maxDepth2 = 16;
  function canonical(v) {
    return write(v, 0);
  }
  function canonicalBytes(v) {
    return utf8(canonical(v));
  }
  function decode2(text2, max = maxSize) {
    if (text2.length > max) throw new Error("text is too large");
    const v = JSON.parse(text2);
    if (canonical(v) !== text2) throw new Error("text is not in canonical form");
    return v;
  }
  function decodeBytes(b, max = maxSize) {
    if (b.length > max) throw new Error("text is too large");
    return decode2(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(b), max);
  }
  function write(v, depth) {
    if (depth > maxDepth2) throw new Error("value is too deep");
    switch (typeof v) {
      case "string":
        return writeString(v);
      case "boolean":
        return v ? "true" : "false";
      case "number":
        if (!Number.isSafeInteger(v) || Object.is(v, -0)) throw new Error("number has no canonical form");
        return String(v);
      case "object":
        if (v === null) break;
        return Array.isArray(v) ? "[" + v.map((e) => write(e, depth + 1)).join(",") + "]" : writeObject(v, depth);
    }
    throw new Error("value has no canonical form");
  }
  function writeObject(o, depth) {
    const names = Object.keys(o).sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
    return "{" + names.map((n) => writeString(n) + ":" + write(o[n], depth + 1)).join(",") + "}";
  }
  var short = { '"': '\\"', "\\": "\\\\", "\b": "\\b", "	": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r" };
  function writeString(s) {
    let out = '"';
    for (const c of s) {
      const code3 = c.codePointAt(0);
      if (short[c] !== void 0) out += short[c];
      else if (code3 < 32) out += "\\u" + code3.toString(16).padStart(4, "0");
      else if (code3 >= 55296 && code3 <= 57343) out += "�";
      else out += c;
    }
    return out + '"';
  }

  // ts/shape.ts
  function exact(v, s) {
    check(v, s, true, "");
    return v;
  }
  function atLeast(v, s) {
    check(v, s, false, "");
    return v;
  }
  function check(v, s, strict, where) {
    const bad = (what) => {
      throw new Error(`${where || "message"}: ${what}`);
    };
    if (s === "integer") {
      if (!Number.isSafeInteger(v)) bad("integer expected");
    } else if (typeof s === "string") {
      if (typeof v !== s) bad(`${s} expected`);
    } else if (Array.isArray(s)) {
      if (!Array.isArray(v)) return bad("list expected");
      v.forEach((e, i) => check(e, s[0], strict, `${where}[${i}]`));
    } else {
      checkMembers(v, s, strict, where);
    }
  }
  function checkMembers(v, s, strict, where) {
    if (typeof v !== "object" || v === null || Array.isArray(v)) throw new Error(`${where || "message"}: object expected`);
    const o = v;
    let known = 0;
    for (const key of Object.keys(s)) {
      const name = key.replace(/\?$/, "");
      if (!Object.hasOwn(o, name)) {
        if (name !== key) continue;
        throw new Error(`${where}.${name}: missing`);
      }
      known++;
      check(o[name], s[key], strict, `${where}.${name}`);
    }
    if (strict && Object.keys(o).length !== known) throw new Error(`${where || "message"}: unknown member`);
  }

  // ts/xades.ts
  var xadesShape = {
    id: "string",
    form: "string",
    time: "integer",
    mime: "string",
    description: "string",
    commitments: ["string"],
    roles: ["string"],
    place: { city: "string", street: "string", state: "string", postal: "string", country: "string" },
    policy: { id: "string", hash: "string", digest: "string" },
    // With the form internally-detached, and with several files: part is the identifier of the element that the item's
    // doc is the digest of, "" of files; more are further data objects.
    "objects?": { part: "string", more: [{ name: "string", doc: "string", mime: "string", description: "string" }] }
  };
  var forms = ["enveloped", "parallel", "detached", "enveloping", "enveloping-base64", "internally-detached"];
  var ds = "http://www.w3.org/2000/09/xmldsig#";
  var more = "http://www.w3.org/2001/04/xmldsig-more#";
  var pss = "http://www.w3.org/2007/05/xmldsig-more#";
  var xadesSpace = "http://uri.etsi.org/01903/v1.3.2#";
  var c14n = "http://www.w3.org/2001/10/xml-exc-c14n#";
  var xpath = "http://www.w3.org/TR/1999/REC-xpath-19991116";
  var noSignatures = "not(ancestor-or-self::ds:Signature)";
  var propertyType = "http://uri.etsi.org/01903#SignedProperties";
  var digestMethods = {
    sha256: "http://www.w3.org/2001/04/xmlenc#sha256",
    sha384: more + "sha384",
    sha512: "http://www.w3.org/2001/04/xmlenc#sha512"
  };
  var signatureMethods = {
    ES256: more + "ecdsa-sha256",
    ES384: more + "ecdsa-sha384",
    ES512: more + "ecdsa-sha512",
    RS256: more + "rsa-sha256",
    RS384: more + "rsa-sha384",
    RS512: more + "rsa-sha512",
    PS256: pss + "sha256-rsa-MGF1",
    PS384: pss + "sha384-rsa-MGF1",
    PS512: pss + "sha512-rsa-MGF1"
  };
  var maxEntries = 20;
  var maxObjects = 50;
  var maxTime = 253402300799;
  var escapeText = (s) => s.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  var escapeValue = (s) => s.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
  function element2(name, attributes, ...inner) {
    return `<${name}${attributes.map(([n, v]) => ` ${n}="${escapeValue(v)}"`).join("")}>${inner.join("")}</${name}>`;
  }
  var leaf = (name, value, attributes = []) => element2(name, attributes, escapeText(value));
  var optional = (name, value) => value === "" ? "" : leaf(name, value);
  function digestOf(h, d, declared = []) {
    return leaf("ds:DigestMethod", "", [...declared, ["Algorithm", digestMethods[h]]]) + leaf("ds:DigestValue", base64(d), declared);
  }
  var run = 3 << 12;
  function base64(b) {
    let s = "";
    for (let at2 = 0; at2 < b.length; at2 += run) s += btoa(String.fromCharCode(...b.subarray(at2, at2 + run)));
    return s;
  }
  function holdsBase64(file, before, b, after) {
    const mark = utf8(before);
    const is = (at2, text2) => equal(file.subarray(at2, at2 + text2.length), utf8(text2));
    const whole = (from) => {
      let to = from;
      for (let at2 = 0; at2 < b.length; at2 += run) {
        const text2 = base64(b.subarray(at2, at2 + run));
        if (!is(to, text2)) return false;
        to += text2.length;
      }
      return is(to, after);
    };
    for (let at2 = find(file, mark); at2 >= 0; ) {
      if (whole(at2 + mark.length)) return true;
      const next = find(file.subarray(at2 + 1), mark);
      at2 = next < 0 ? -1 : at2 + 1 + next;
    }
    return false;
  }
  function fits(x) {
    const fail = (what) => {
      throw new Error(`XAdES: ${what}`);
    };
    if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/.test(x.id)) fail("identifier");
    if (!forms.includes(x.form)) fail("form");
    if (x.time < 1 || x.time > maxTime) fail("time");
    const more2 = further(x);
    const beside = x.form === "internally-detached";
    if (beside !== (x.objects !== void 0 && x.objects.part !== "")) fail("an element in a signature of another form");
    if (more2.length >= maxObjects || x.objects && !beside && (x.form !== "detached" || more2.length === 0)) fail("several data objects");
    for (const id of beside ? [x.objects.part, ...more2.map((o) => o.name)] : []) {
      if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/.test(id) || id === x.id || id.startsWith(`${x.id}-`)) fail("identifier of an element");
    }
    if (x.mime === "" || more2.some((o) => o.mime === "")) fail("no type");
    if (x.roles.length > maxEntries || x.commitments.length > maxEntries) fail("too many roles or commitments");
    if (x.roles.includes("") || x.commitments.includes("")) fail("an empty role or commitment");
    const p = x.policy;
    if (p.id !== "" || p.hash !== "" || p.digest !== "") {
      if (p.id === "" || !isHash(p.hash)) return fail("policy");
      decodeLen(p.digest, hashSize[p.hash]);
    }
  }
  var further = (x) => x.objects?.more ?? [];
  function texts(x) {
    const more2 = further(x).flatMap((o) => [o.name, o.mime, o.description]);
    return [x.objects?.part ?? "", ...more2, x.id, x.mime, x.description, ...Object.values(x.place), x.policy.id, ...x.commitments, ...x.roles];
  }
  async function signedProperties(x, certificate) {
    fits(x);
    const declared = [["xmlns:ds", ds]];
    const cert = element2(
      "xades:Cert",
      [],
      element2("xades:CertDigest", [], digestOf("sha256", await digest("sha256", certificate), declared)),
      leaf("xades:IssuerSerialV2", base64(issuerSerial(certificate)))
    );
    const signature = element2(
      "xades:SignedSignatureProperties",
      [],
      leaf("xades:SigningTime", new Date(x.time * 1e3).toISOString().replace(".000Z", "Z")),
      element2("xades:SigningCertificateV2", [], cert),
      policy(x.policy, declared),
      place(x.place),
      x.roles.length === 0 ? "" : element2("xades:SignerRoleV2", [], element2("xades:ClaimedRoles", [], ...x.roles.map((r) => leaf("xades:ClaimedRole", r))))
    );
    const format = (o, i) => element2("xades:DataObjectFormat", [["ObjectReference", `#${x.id}-ref${i}`]], optional("xades:Description", o.description), leaf("xades:MimeType", o.mime));
    const data2 = element2("xades:SignedDataObjectProperties", [], ...[x, ...further(x)].map(format), ...x.commitments.map(commitment));
    return utf8(element2("xades:SignedProperties", [["xmlns:xades", xadesSpace], ["Id", `${x.id}-props`]], signature, data2));
  }
  function identifier(uri) {
    return leaf("xades:Identifier", uri, uri.startsWith("urn:oid:") ? [["Qualifier", "OIDAsURN"]] : []);
  }
  function commitment(uri) {
    return element2("xades:CommitmentTypeIndication", [], element2("xades:CommitmentTypeId", [], identifier(uri)), leaf("xades:AllSignedDataObjects", ""));
  }
  function policy(p, declared) {
    if (p.id === "" || !isHash(p.hash)) return "";
    const id = element2(
      "xades:SignaturePolicyId",
      [],
      element2("xades:SigPolicyId", [], identifier(p.id)),
      element2("xades:SigPolicyHash", [], digestOf(p.hash, decodeLen(p.digest, hashSize[p.hash]), declared))
    );
    return element2("xades:SignaturePolicyIdentifier", [], id);
  }
  function place(p) {
    if (Object.values(p).every((v) => v === "")) return "";
    return element2(
      "xades:SignatureProductionPlaceV2",
      [],
      optional("xades:City", p.city),
      optional("xades:StreetAddress", p.street),
      optional("xades:StateOrProvince", p.state),
      optional("xades:PostalCode", p.postal),
      optional("xades:CountryName", p.country)
    );
  }
  var fileURI = (name) => encodeURIComponent(name).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  function reference(x, name) {
    switch (x.form) {
      case "detached":
        return [fileURI(name)];
      case "enveloping":
        return [`#${x.id}-object`, c14n];
      case "enveloping-base64":
        return [`#${x.id}-object`, `${ds}base64`];
      case "internally-detached":
        return [`#${name}`, c14n];
      case "parallel":
        return ["", xpath, c14n];
      default:
        return ["", `${ds}enveloped-signature`, c14n];
    }
  }
  async function signedInfo(x, name, alg, hash, doc, certificate) {
    const method = Object.hasOwn(signatureMethods, alg) ? signatureMethods[alg] : void 0;
    if (!method || doc.length !== hashSize[hash]) throw new Error("XAdES: algorithm or digest");
    const objects = [{ name: x.objects?.part || name, doc }, ...further(x).map((o) => ({ name: o.name, doc: decodeLen(o.doc, hashSize[hash]) }))];
    if (x.form === "detached" && objects.some((o) => o.name === "")) throw new Error("XAdES: a file without a name");
    if (new Set(objects.map((o) => o.name)).size !== objects.length) throw new Error("XAdES: two data objects of a name");
    const properties2 = await signedProperties(x, certificate);
    const transform = (a) => element2("ds:Transform", [["Algorithm", a]], a === xpath ? leaf("ds:XPath", noSignatures) : "");
    const transforms = (...algorithms2) => element2("ds:Transforms", [], ...algorithms2.map(transform));
    return utf8(
      element2(
        "ds:SignedInfo",
        [["xmlns:ds", ds]],
        leaf("ds:CanonicalizationMethod", "", [["Algorithm", c14n]]),
        leaf("ds:SignatureMethod", "", [["Algorithm", method]]),
        ...objects.map((o, i) => {
          const [uri, ...how] = reference(x, o.name);
          return element2("ds:Reference", [["Id", `${x.id}-ref${i}`], ["URI", uri]], how.length === 0 ? "" : transforms(...how), digestOf(hash, o.doc));
        }),
        element2("ds:Reference", [["Type", propertyType], ["URI", `#${x.id}-props`]], transforms(c14n), digestOf(hash, await digest(hash, properties2)))
      )
    );
  }
  function issuerSerial(certificate) {
    const tbs = read(certificate, 48).children[0];
    const first = tbs?.children[0]?.tag === 160 ? 1 : 0;
    const serial = tbs?.children[first];
    const issuer = tbs?.children[first + 2];
    if (serial?.tag !== 2 || issuer?.tag !== 48) throw new Error("XAdES: certificate");
    return tlv(48, tlv(48, tlv(164, issuer.raw)), serial.raw);
  }
  function signedDigests(info) {
    const all = [...new TextDecoder().decode(info).matchAll(/<ds:DigestValue>([A-Za-z0-9+/=]+)<\/ds:DigestValue>/g)];
    return all.slice(0, -1).map((m) => Uint8Array.from(atob(m[1]), (c) => c.charCodeAt(0)));
  }

  // ts/sap.ts
  var label = {
    activationRequest: "assent/activation-request/v1",
    challenge: "assent/sad-challenge/v1",
    oneTime: "assent/one-time-request/v1",
    oneTimeChallenge: "assent/one-time-challenge/v1",
    registration: "assent/registration-request/v1",
    regChallenge: "assent/registration-challenge/v1",
    enrolCode: "assent/enrolment-code/v1",
    enrolProof: "assent/enrolment-proof/v1",
    change: "assent/change-request/v1",
    authenticators: "assent/authenticator-list/v1",
    addChallenge: "assent/addition-challenge/v1",
    changeChallenge: "assent/change-challenge/v1",
    receiptLeaf: "assent/receipt-leaf/v1",
    receiptNode: "assent/receipt-node/v1",
    receiptRoot: "assent/receipt-root/v1",
    succession: "assent/key-succession/v1",
    successionProof: "assent/key-succession-proof/v1"
  };
  var maxItems = 1e3;
  var maxText = 300;
  var nonceLen = 32;
  var sessionLen = 16;
  var signedShape = { statement: "string", signature: "string", key: "string" };
  var bindingShape = {
    aud: "string",
    sid: "string",
    nonce: "string",
    sub: "string",
    kid: "string",
    cert: "string",
    alg: "string",
    caller: "string",
    policy: "string",
    n: "integer",
    iat: "integer",
    exp: "integer"
  };
  var requestShape = {
    typ: "string",
    bind: bindingShape,
    carrier: "string",
    creds: ["string"],
    origin: "string",
    rpId: "string",
    assurance: "string"
  };
  async function openStatement(sam, lab, s) {
    const text2 = decode(s.statement);
    if (!await verifyES256(sam, message(lab, text2), decode(s.signature))) throw new Error("the SAM's signature does not verify");
    return decodeBytes(text2);
  }
  async function openActivationRequest(sam, s) {
    const r = exact(await openStatement(sam, label.activationRequest, s), requestShape);
    if (r.typ !== "sap/activation-request/1") throw new Error("message of another type");
    checkBinding(r.bind);
    return r;
  }
  function checkBinding(b) {
    decodeLen(b.sid, sessionLen);
    decodeLen(b.nonce, nonceLen);
    decodeLen(b.cert, 32);
    for (const id of [b.aud, b.sub, b.kid, b.caller, b.policy]) {
      if (!validID(id)) throw new Error("binding: bad identifier");
    }
    if (!Object.hasOwn(algorithms, b.alg)) throw new Error("binding: unknown algorithm");
    if (b.n < 1 || b.n > maxItems) throw new Error("binding: bad count");
    if (b.iat <= 0 || b.exp <= b.iat) throw new Error("binding: bad times");
  }
  async function composeSAD(r, cred, ctx, items) {
    const sad = { typ: "sap/sad/1", bind: r.bind, auth: { method: "webauthn", cred }, ctx, items };
    checkSAD(sad);
    const bytes = canonicalBytes(sad);
    if (bytes.length > maxSize) throw new Error(`SAD: ${bytes.length} octets`);
    return { sad, bytes, challenge: await challenge(r.bind.nonce, bytes) };
  }
  async function challenge(nonce, sad) {
    return labelled(label.challenge, decodeLen(nonce, nonceLen), await digest("sha256", sad));
  }
  function checkSAD(s) {
    checkBinding(s.bind);
    const cred = decode(s.auth.cred);
    if (cred.length === 0 || cred.length > 1023) throw new Error("SAD: bad authenticator");
    if (!validID(s.ctx.op) || !validID(s.ctx.level)) throw new Error("SAD: bad operation or level");
    if (!displayable(s.ctx.asker) || !displayable(s.ctx.purpose)) throw new Error("SAD: text that cannot be shown");
    if (s.items.length !== s.bind.n) throw new Error("SAD: number of items");
    const seen = /* @__PURE__ */ new Set();
    s.items.forEach((it, i) => {
      checkItem(it, i);
      if (seen.has(it.dtbsr)) throw new Error("SAD: one digest twice");
      seen.add(it.dtbsr);
    });
  }
  var kinds = /* @__PURE__ */ new Set(["pades", "xades", "cades", "jades", "raw"]);
  function checkItem(it, i) {
    if (it.i !== i || !kinds.has(it.kind) || !isHash(it.hash)) throw new Error("SAD: bad item");
    if (it.name === "" || !displayable(it.name)) throw new Error("SAD: name that cannot be shown");
    decodeLen(it.dtbsr, hashSize[it.hash]);
    if (it.kind === "xades" !== (it.xades !== void 0)) throw new Error("SAD: properties of XAdES belong to kind xades");
    if (it.xades && !forms.includes(it.xades.form)) throw new Error("SAD: form of an XAdES signature");
    if (it.xades && !texts(it.xades).every(displayable)) throw new Error("SAD: properties that cannot be shown");
    if (it.kind === "raw") {
      if (it.doc !== "") throw new Error("SAD: raw item with a document");
    } else {
      decodeLen(it.doc, hashSize[it.hash]);
    }
  }
  function hashOf(alg) {
    const row = Object.hasOwn(algorithms, alg) ? algorithms[alg] : void 0;
    if (!row) throw new Error("unknown algorithm");
    return row.hash;
  }
  function validID(s) {
    return /^[0-9A-Za-z][0-9A-Za-z._:#@-]{0,127}$/.test(s);
  }
  function displayable(s) {
    let n = 0;
    for (const c of s) {
      if (++n > maxText || c === "�") return false;
      if (c !== " " && c !== " " && !/^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(c)) return false;
      if (unseen.test(c)) return false;
    }
    return true;
  }
  var unseen = /^[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]$/u;

  // ts/receipt.ts
  var signedReceiptShape = {
    receipt: "string",
    path: ["string"],
    index: "integer",
    size: "integer",
    signature: "string",
    key: "string"
  };
  var receiptShape = {
    typ: "string",
    aud: "string",
    instance: "string",
    time: "integer",
    sad: "string",
    proof: "string",
    authenticator: "string",
    certificate: "string",
    origin: "string",
    rpId: "string",
    items: [{ i: "integer", dtbsr: "string", signature: "string", shown: "boolean" }],
    assurance: "string",
    auditSeq: "integer",
    auditHash: "string"
  };
  var maxReceipt = 3 << 20;
  async function openReceipt(sam, s) {
    const text2 = decode(s.receipt);
    if (s.size < 1 || s.size > 1 << 20 || s.index < 0 || s.index >= s.size || s.path.length > 20) throw new Error("receipt: bad position");
    const path = s.path.map((p) => decodeLen(p, 32));
    const root2 = await rootFrom(await labelled(label.receiptLeaf, text2), s.index, s.size, path);
    if (!await verifyES256(sam, message(label.receiptRoot, root2), decode(s.signature))) throw new Error("receipt: the SAM's signature does not verify");
    const r = exact(decodeBytes(text2, maxReceipt), receiptShape);
    if (r.typ !== "sap/receipt/1") throw new Error("receipt: message of another type");
    return r;
  }
  async function rootFrom(leaf3, i, n, path) {
    if (n === 1) {
      if (path.length !== 0) throw new Error("receipt: path too long");
      return leaf3;
    }
    const last = path[path.length - 1];
    if (!last) throw new Error("receipt: path too short");
    const rest = path.slice(0, -1);
    let k = 1;
    while (k * 2 < n) k *= 2;
    if (i < k) return labelled(label.receiptNode, await rootFrom(leaf3, i, k, rest), last);
    return labelled(label.receiptNode, last, await rootFrom(leaf3, i - k, n - k, rest));
  }
  async function compareReceipt(r, a) {
    const same = r.sad === encode(a.sad) && r.proof === encode(a.proof) && r.certificate === encode(a.certificate) && r.aud === a.aud;
    if (!same || r.items.length !== a.items.length) throw new Error("receipt: it is about something else");
    for (const [i, it] of a.items.entries()) {
      const got = r.items[i];
      if (got.i !== i || got.dtbsr !== it.dtbsr || got.shown === it.raw) throw new Error(`receipt: item ${i + 1} differs`);
      if (it.attributes && !await verifySignature(a.alg, a.spki, it.attributes, decode(got.signature))) {
        throw new Error(`receipt: signature ${i + 1} does not verify`);
      }
    }
  }

  // ts/succession.ts
  var maxSuccessions = 64;
  var maxStatement = 2048;
  var signedSuccessionShape = { statement: "string", signature: "string", proof: "string" };
  var successionShape = {
    typ: "string",
    aud: "string",
    instance: "string",
    epoch: "integer",
    old: "string",
    new: "string",
    spki: "string",
    time: "integer",
    mode: "string"
  };
  async function openHop(signed) {
    if (signed.statement.length > maxStatement) throw new Error("succession: too large");
    const text2 = decode(signed.statement);
    const s = exact(decodeBytes(text2), successionShape);
    if (s.typ !== "sap/key-succession/1") throw new Error("succession: message of another type");
    if (!validID(s.aud) || !s.aud.includes("#") || !validID(s.instance)) throw new Error("succession: bad identifier");
    decodeLen(s.old, 32);
    if (s.epoch < 2 || s.epoch > maxSuccessions + 1 || s.time <= 0 || s.old === s.new) throw new Error("succession: bad epoch, time or key");
    const spki = decode(s.spki);
    if (await keyID(spki) !== s.new) throw new Error("succession: id of another key");
    const key = await importP256(spki);
    const replaced = s.mode === "replacement" && signed.signature === "";
    if (!replaced && s.mode !== "succession") throw new Error("succession: bad mode");
    if (!await verifyES256(key, message(label.successionProof, text2), decodeLen(signed.proof, 64))) throw new Error("succession: the new key did not sign");
    return { s, text: text2, signature: replaced ? void 0 : decodeLen(signed.signature, 64), key };
  }
  function follows(h, before) {
    const cluster = (aud) => aud.slice(0, aud.indexOf("#"));
    if (h.old !== before.new || h.epoch !== before.epoch + 1) throw new Error("succession: it does not follow the one before");
    if (h.instance !== before.instance || cluster(h.aud) !== cluster(before.aud)) throw new Error("succession: another module's");
    if (h.time < before.time) throw new Error("succession: older than the one before");
  }
  async function keyID(spki) {
    return encode(await digest("sha256", spki));
  }
  async function keyring(pinned, chain) {
    const id = await keyID(pinned);
    const keys2 = [{ id, key: await importP256(pinned), until: 0 }];
    if (chain.length > maxSuccessions) throw new Error("succession: the chain is too long");
    const seen = /* @__PURE__ */ new Set();
    let met = chain.length === 0;
    let replaced = false;
    let before;
    for (const signed of chain) {
      const { s, text: text2, signature, key } = await openHop(signed);
      if (before) follows(s, before);
      seen.add(s.old);
      if (seen.has(s.new)) throw new Error("succession: a key that was in use before");
      met ||= s.old === id || s.new === id;
      before = s;
      const last = keys2[keys2.length - 1];
      if (s.old !== last.id || replaced) continue;
      last.until = s.time;
      if (!signature) {
        replaced = true;
        continue;
      }
      if (!await verifyES256(last.key, message(label.succession, text2), signature)) throw new Error("succession: the old key did not sign");
      keys2.push({ id: s.new, key, until: 0 });
    }
    if (!met) throw new Error("succession: the chain does not name the pinned key");
    return keys2;
  }
  var SAMKeys = class {
    /** source asks for the chain when a key is named that is not known yet. */
    constructor(pinned, source) {
      this.pinned = pinned;
      this.source = source;
    }
    pinned;
    source;
    keys;
    /** open reads a message with the key of this id, which must have been in use at its time (milliseconds). */
    async open(id, read2, time2) {
      const k = await this.find(id);
      const v = await read2(k.key);
      if (k.until !== 0 && time2(v) > k.until) throw new Error("the SAM's key was out of use then");
      return v;
    }
    async find(id) {
      this.keys ??= await keyring(this.pinned, []);
      const known = this.keys.find((k) => k.id === id);
      if (known) return known;
      this.keys = await keyring(this.pinned, await this.source());
      const found = this.keys.find((k) => k.id === id);
      if (!found) throw new Error("not a key of the SAM, nor one that follows it");
      return found;
    }
  };

  // ts/api.ts
  var RelayError = class extends Error {
    constructor(code3, status, retry, said) {
      super(code3);
      this.code = code3;
      this.status = status;
      this.retry = retry;
      this.said = said;
    }
    code;
    status;
    retry;
    said;
    /** repeated: the same was sent before and got no answer; it may have counted. */
    repeated = false;
  };
  var TooLarge = class extends Error {
  };
  var viewShape = {
    id: "string",
    state: "string",
    reason: "string",
    signer: { id: "string", name: "string" },
    asker: "string",
    purpose: "string",
    level: "string",
    key: "string",
    alg: "string",
    chain: ["string"],
    expires: "integer",
    return_url: "string",
    one_time: "boolean",
    items: [{ i: "integer", kind: "string", name: "string", size: "integer", hash: "string", signed_attributes: "string", dtbsr: "string", signed_properties: "string", xades: [xadesShape], "sizes?": ["integer"], "more?": ["string"] }]
  };
  var maxJSON = 8 << 20;
  var pauses = [300, 1e3, 2500];
  async function patiently(send) {
    for (let n = 0; ; n++) {
      try {
        return await send();
      } catch (e) {
        if (!(e instanceof RelayError)) throw e;
        e.repeated = n > 0;
        if (e.code !== "network" || n >= pauses.length) throw e;
      }
      await new Promise((r) => setTimeout(r, pauses[n]));
    }
  }
  var Relay = class {
    constructor(origin, token2 = "", id = "") {
      this.origin = origin;
      this.token = token2;
      this.id = id;
    }
    origin;
    token;
    id;
    /** open tells whether there is a token to call with. */
    get open() {
      return this.token !== "";
    }
    /** session trades the ticket for the operation's token. A ticket counts once: where the answer got lost and not the question, the link has to be opened anew. */
    async session(ticket) {
      const r = atLeast(await patiently(() => this.json("POST", "/sap/v1/session", { ticket })), { token: "string", operation: viewShape });
      this.token = r.token;
      this.id = r.operation.id;
      return { token: r.token, view: r.operation };
    }
    async view() {
      return atLeast(await this.get(this.path()), viewShape);
    }
    /** request gets a fresh activation request; it voids the older one. */
    async request() {
      return atLeast(await patiently(() => this.json("POST", this.path("/request"), {})), { request: signedShape }).request;
    }
    /** oneTime gets the SAM's offer of a one-time key; it voids the older one. */
    async oneTime() {
      return atLeast(await this.json("POST", this.path("/onetime"), {}), { request: signedShape }).request;
    }
    /** oneTimeApprove hands over the approval of an offer; the key exists afterwards. The same bytes never make a second one. */
    async oneTimeApprove(statement, proof) {
      const body = { statement: encode(statement), proof: encode(proof) };
      return atLeast(await patiently(() => this.json("POST", this.path("/onetime/approve"), body)), viewShape);
    }
    /** oneTimeEnd has the operation's unused one-time key destroyed. */
    async oneTimeEnd() {
      return atLeast(await this.json("POST", this.path("/onetime/end"), {}), viewShape);
    }
    /** document fetches the prepared bytes of an item, at most max of them. */
    document(i, max) {
      return this.bytes(this.path(`/items/${i}/document`), max);
    }
    /** result fetches a signed document. */
    result(i, max) {
      return this.bytes(this.path(`/items/${i}/result`), max);
    }
    /** redeem hands over an approval. The same bytes never use the key a second time. */
    async redeem(sad, proof) {
      const body = { sad: encode(sad), proof: encode(proof) };
      const r = await patiently(() => this.json("POST", this.path("/redeem"), body));
      return atLeast(r, { state: "string", receipt: signedReceiptShape });
    }
    async decline(reason) {
      return atLeast(await this.json("POST", this.path("/decline"), { reason }), viewShape);
    }
    /** stopped tells why this device refused; nobody waits for an answer. */
    async stopped(code3) {
      await this.json("POST", this.path("/stopped"), { code: code3 });
    }
    async enrolBegin(id) {
      return atLeast(await this.json("POST", "/sap/v1/enrolment/begin", { id }), { request: signedShape }).request;
    }
    async enrolFinish(id, registration2) {
      const r = await this.json("POST", "/sap/v1/enrolment/finish", { id, registration: encode(registration2) });
      return atLeast(r, { signer: "string", credential: "string" });
    }
    /** passkeys asks for the SAM's signed list of the signer's authenticators. */
    async passkeys(nonce, after) {
      return atLeast(await this.json("POST", "/sap/v1/passkeys/list", { nonce, after }), { list: signedShape }).list;
    }
    async changeBegin(action, target) {
      return atLeast(await this.json("POST", "/sap/v1/passkeys/change", { action, target }), { request: signedShape }).request;
    }
    async changeFinish(id, change2) {
      await this.json("POST", "/sap/v1/passkeys/finish", { id, change: encode(change2) });
    }
    /** successions asks how the SAM's statement keys follow one another. */
    async successions() {
      return atLeast(await this.get("/sap/v1/successions"), { successions: [signedSuccessionShape] }).successions;
    }
    path(rest = "") {
      return `/sap/v1/operations/${encodeURIComponent(this.id)}${rest}`;
    }
    async json(method, path, body) {
      const res = await this.call(method, path, body);
      const text2 = await this.read(res, maxJSON);
      try {
        return JSON.parse(new TextDecoder().decode(text2));
      } catch {
        throw new RelayError("malformed", res.status, "later", "");
      }
    }
    get(path) {
      return patiently(() => this.json("GET", path));
    }
    bytes(path, max) {
      return patiently(async () => this.read(await this.call("GET", path), max));
    }
    async read(res, max) {
      try {
        return await readAll(res, max);
      } catch (e) {
        if (e instanceof TooLarge) throw e;
        throw new RelayError("network", 0, "same", "");
      }
    }
    async call(method, path, body) {
      const headers = {};
      if (body !== void 0) headers["Content-Type"] = "application/json";
      if (this.token) headers["X-Assent-Operation-Token"] = this.token;
      const res = await reach(this.origin + path, {
        method,
        headers,
        credentials: "include",
        mode: "cors",
        cache: "no-store",
        redirect: "error",
        referrerPolicy: "no-referrer",
        ...body === void 0 ? {} : { body: JSON.stringify(body) }
      });
      if (!res.ok) throw await failure(res);
      return res;
    }
  };
  async function reach(address, how) {
    try {
      return await fetch(address, how);
    } catch {
      throw new RelayError("network", 0, "same", "");
    }
  }
  function ownFile(path, cache = "default") {
    return patiently(async () => {
      const res = await reach(path, { credentials: "omit", cache });
      if (res.status >= 500) throw new RelayError("unknown", res.status, "later", "");
      if (!res.ok) return void 0;
      return res.arrayBuffer().catch(() => {
        throw new RelayError("network", 0, "same", "");
      });
    });
  }
  async function failure(res) {
    try {
      const e = atLeast(JSON.parse(new TextDecoder().decode(await readAll(res, 65536))), { error: "string", message: "string", retry: "string" });
      return new RelayError(e.error, res.status, e.retry, displayable(e.message) ? e.message : "");
    } catch {
      return new RelayError("unknown", res.status, res.status >= 500 ? "later" : "never", "");
    }
  }
  async function readAll(res, max) {
    const parts3 = [];
    let have = 0;
    const reader = res.body?.getReader();
    while (reader) {
      const { done, value } = await reader.read();
      if (done) break;
      have += value.length;
      if (have > max) {
        await reader.cancel();
        throw new TooLarge();
      }
      parts3.push(value);
    }
    const out = new Uint8Array(have);
    let at2 = 0;
    for (const p of parts3) {
      out.set(p, at2);
      at2 += p.length;
    }
    return out;
  }

  // ts/config.ts
  var shape = {
    sam_key: "string",
    sam_key_id: "string",
    aud: "string",
    rp_id: "string",
    origin: "string",
    api: "string",
    profile: "string",
    max_document: "integer",
    viewer: "boolean",
    attestation: "string"
  };
  async function loadConfig() {
    const text2 = await ownFile("/config.json", "no-store");
    if (!text2) throw new Error("config: there is none");
    const c = atLeast(JSON.parse(new TextDecoder().decode(text2)), shape);
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
      attestation: c.attestation === "direct" ? "direct" : "none"
    };
  }

  // ts/dom.ts
  function el(tag, attrs = {}, ...children) {
    const e = document.createElement(tag);
    for (const [name, v] of Object.entries(attrs)) {
      if (typeof v === "function") e.addEventListener(name.slice(2), v);
      else if (typeof v === "boolean") e.toggleAttribute(name, v);
      else e.setAttribute(name, v);
    }
    fill(e, ...children);
    return e;
  }
  function fill(e, ...children) {
    e.replaceChildren(...children.filter((c) => c !== void 0 && c !== false));
  }
  function button(text2, press, attrs = {}) {
    return el("button", { type: "button", onclick: press, ...attrs }, text2);
  }
  function foreign(text2) {
    return el("bdi", {}, text2);
  }
  function facts(...rows2) {
    return el("dl", { class: "facts" }, ...rows2.flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]));
  }
  function root() {
    const m = document.getElementById("step");
    if (!m) throw new Error("page without a place for its steps");
    return m;
  }
  function show(title, ...children) {
    const h = el("h1", { tabindex: "-1" }, title);
    fill(root(), h, ...children);
    document.title = title;
    h.focus();
    window.scrollTo(0, 0);
  }
  function say(text2) {
    const e = document.getElementById("live");
    if (e) e.textContent = text2;
  }

  // ts/strings.ts
  var en = {
    "ribbon.demo": "DEMO: software keys and self-made certificates. Signatures made here have no legal effect.",
    "common.try_again": "Try again",
    "common.continue": "Continue",
    "common.back": "Back",
    "common.app": "Go to your requests",
    "common.operation": "Go to this request",
    "common.reference": "Reference for support: {id}",
    "common.said": "The service says: “{said}”",
    "load.title": "Getting your documents",
    "load.session": "Opening the request…",
    "load.request": "Checking the request…",
    "load.document": "Fetching document {i} of {n}…",
    "load.check": "Checking document {i} of {n}…",
    "review.title.one": "Read, then decide: 1 document to sign",
    "review.title.other": "Read, then decide: {n} documents to sign",
    "review.raw.title.one": "Decide: 1 fingerprint to approve",
    "review.raw.title.other": "Decide: {n} fingerprints to approve",
    "review.mixed.title": "Decide: {n} signatures are asked for",
    "review.who": "Who asks",
    "review.why": "Why",
    "review.no_purpose": "No reason was given.",
    "review.files": "What you sign",
    "review.open": "Show {name}",
    "review.shown_now": "shown now",
    "review.pages.one": "1 page",
    "review.pages.other": "{n} pages",
    "review.pages.unknown": "pages not counted yet",
    "review.not_opened": "not opened yet",
    "review.cannot_show": "cannot be shown",
    "review.fingerprint": "Fingerprint",
    "review.raw": "You are approving a fingerprint of content that is not shown. Nobody here can tell you what it is. Approve it only if you know what the program that asks is signing.",
    "review.raw.short": "content not shown",
    "review.document": "Document: {name}",
    "review.document.heading": "The document",
    "review.xml": "XML, shown as text",
    "review.xml.note": "An XML document is shown as text: its canonical octets, exactly the bytes whose fingerprint you approve. It is not drawn as a page; comments are not part of what is signed. Characters that cannot be seen stand as [U+…].",
    "review.element": "element “{id}” of “{name}”",
    "review.text": "text",
    "review.text.note": "The file is shown as text: exactly the bytes whose fingerprint you approve. Characters that cannot be seen stand as [U+…].",
    "review.octets": "neither text nor a PDF, shown by its bytes",
    "review.octets.note": "These are exactly the bytes whose fingerprint you approve, each by its number (hexadecimal), and beside them the letters among them.",
    "review.octets.warning": "This file is neither text nor a PDF. What it means cannot be shown here, only its bytes. Sign it only if you know what it is.",
    "review.octets.strict": "“{name}” is neither text nor a PDF, so what it means cannot be shown here. A qualified signature cannot be made over it.",
    "review.misfit.type": "The signature says that “{name}” is of the type {mime}. Programs that go by it may show something else than you see here.",
    "review.misfit.both": "“{name}” can be read as another kind of file, or in other characters, and then show something else than you see here.",
    "review.misfit.strict": "“{name}” can show others something else than you see here: see the warning at its name. A qualified signature cannot be made over it.",
    "octets.whole": "All bytes are here.",
    "octets.part": "This is part {n} of {of}. The parts together are all bytes.",
    "xades.time": "Claimed time",
    "review.together": "{n} files, one signature",
    "xades.mime": "Type of the data",
    "xades.description": "Description",
    "xades.commitment": "You commit to",
    "xades.role": "Claimed role",
    "xades.place.street": "Street",
    "xades.place.postal": "Postal code",
    "xades.place.city": "City",
    "xades.place.state": "State",
    "xades.place.country": "Country",
    "xades.policy": "Signature policy",
    "xades.form": "Covers",
    "xades.form.enveloped": "the whole document, with any signatures in it",
    "xades.form.parallel": "the whole document, without the signatures in it; others can sign beside you",
    "xades.form.detached": "the file as it is, by its name; the signature is a file of its own",
    "xades.form.files": "each of these files as it is, by its name; one signature over all of them, a file of its own",
    "xades.form.enveloping": "the whole XML document, which is put inside of the signature",
    "xades.form.enveloping-base64": "the file as it is, which is put inside of the signature",
    "xades.form.internally-detached": "only the elements that are shown here; the rest of the document is not signed",
    "xades.more": "Type of {name}",
    "xades.commitment.ProofOfOrigin": "having made, approved and sent it (proof of origin)",
    "xades.commitment.ProofOfReceipt": "having received it (proof of receipt)",
    "xades.commitment.ProofOfDelivery": "having delivered it (proof of delivery)",
    "xades.commitment.ProofOfSender": "having sent it, not made it (proof of sender)",
    "xades.commitment.ProofOfApproval": "having approved its content (proof of approval)",
    "xades.commitment.ProofOfCreation": "having made it, not approved or sent it (proof of creation)",
    "text.whole": "The whole text is here.",
    "text.part": "This is part {n} of {of}. The parts together are the whole text.",
    "text.back": "Part before",
    "text.next": "Next part",
    "review.document.note": "This picture is drawn from exactly the bytes whose fingerprint you approve. Fields cannot be filled in here.",
    "review.loading_document": "Drawing the document…",
    "review.warn.script": "This document contains program code. The code does not run here; another reader may show the document differently.",
    "review.warn.attachments": "Files are attached inside this document. They are signed with it, but not shown here.",
    "review.warn.layers": "This document has parts that are switched off and not visible here.",
    "review.warn.xfa": "This document has a second, program-like form inside that is not shown here.",
    "review.warn.other": "There is another document inside this file. Some programs show that one and not the pages that you see here.",
    "review.warn.launch": "This document has actions that open programs or other files, hide parts, or send data. They do not work here.",
    "review.warn.optional": "This document has parts that can be switched on and off, or are others on paper.",
    "review.warn.outside": "This document refers to content outside of itself.",
    "review.warn.unread": "Parts of this document could not be looked through for hidden or active content.",
    "review.warn.faces": "Other programs may show this document in another way than you see it here.",
    "review.warn.damaged": "The table of contents of this file is damaged or leaves something out. Another reader may show another document.",
    "review.warn.mixed": "This document is encrypted, but parts of it are not: somebody may have added them on its way.",
    "review.warn.media": "This document contains sound, film or 3D content that is not shown here.",
    "review.hazard": "“{name}” holds parts that are named above it and that other readers may show differently. A qualified signature cannot be made over it. Ask for a document without them.",
    "review.certifies.1": "Your signature certifies this document: after it, nothing may be changed and nobody else may sign.",
    "review.certifies.2": "Your signature certifies this document: after it, forms may be filled in and others may sign; nothing else may be changed.",
    "review.certifies.3": "Your signature certifies this document: after it, forms may be filled in, comments added, and others may sign; nothing else may be changed.",
    "review.locks": "Your signature locks form fields of this document: after it, they may not be changed.",
    "review.signature": "Your signature",
    "review.holder": "Certificate holder",
    "review.issuer": "Issued by",
    "review.validity": "Valid",
    "review.validity.range": "{from} to {to}",
    "review.validity.expired": "{from} to {to} (not valid now)",
    "review.level": "Kind",
    "review.level.B-B": "Basic signature (level B-B)",
    "review.level.B-T": "Signature with a trusted time-stamp (level B-T)",
    "review.level.B-LT": "Signature with time-stamp and validation data (level B-LT)",
    "review.level.B-LTA": "Signature for long-term archiving (level B-LTA)",
    "review.level.other": "Level {level}",
    "review.assurance": "Assurance",
    "review.assurance.development": "Development: software keys, no legal claim.",
    "review.assurance.SCAL2": "Only your own approval can use your key (sole control, SCAL2). The key device is not certified, so no claim of a qualified signature is made.",
    "review.assurance.SCAL2-QSCD": "Only your own approval can use your key (sole control, SCAL2), in a certified signature creation device.",
    "review.use": "This approval",
    "review.use.text.one": "1 signature, now, once",
    "review.use.text.other": "{n} signatures, now, once",
    "review.time.left": "You have until {time} to decide.",
    "review.time.soon": "Less than {n} seconds are left to decide. You can take more time.",
    "review.time.over": "The time to decide is over. You approved nothing on this page and nothing is lost; ask for more time to go on.",
    "review.time.last": "Less than {n} seconds are left to decide: the sender gave you no more time.",
    "review.time.ended": "The time that the sender gave you is over. You approved nothing on this page.",
    "review.time.more": "More time",
    "review.time.renewed": "You have more time now: until {time}.",
    "review.passkey": "Passkey",
    "review.passkey.n": "Signing passkey {i} (ends in {end})",
    "review.decide": "Your decision",
    "review.sign.one": "Sign 1 document as {name}",
    "review.sign.other": "Sign {n} documents as {name}",
    "review.sign.raw.one": "Approve 1 fingerprint as {name}",
    "review.sign.raw.other": "Approve {n} fingerprints as {name}",
    "review.sign.elements.one": "Sign 1 element of a document as {name}",
    "review.sign.elements.other": "Sign {n} elements of a document as {name}",
    "review.sign.parts": "Sign {n} documents and elements of documents as {name}",
    "review.sign.mixed": "Approve {n} signatures as {name}",
    "review.decline": "Do not sign",
    "review.unopened.one": "You have not opened 1 of the documents.",
    "review.unopened.other": "You have not opened {n} of the documents.",
    "review.unopened.strict.one": "This signature covers 1 part that you have not opened. Open it before you sign.",
    "review.unopened.strict.other": "This signature covers {n} parts that you have not opened. Open each before you sign.",
    "review.wait.looking": "The documents are being looked through. Please wait.",
    "review.wait.drawing": "The document is still being drawn; a moment please.",
    "review.blocked": "“{name}” cannot be shown here, so it cannot be signed here. You can still say no.",
    "review.incomplete": "The connection was lost while “{name}” was drawn, so parts of it may be missing. It cannot be signed until it is shown whole.",
    "review.incomplete.approved": "A part of what you sign could not be drawn any more while you approved. Your approval was not sent. Have it shown whole, then approve again.",
    "review.no_viewer": "This installation has no document viewer, so documents cannot be signed in the browser here.",
    "review.passkey.wait": "Waiting for your passkey. Your device asks for your fingerprint, face or PIN.",
    "review.redeem.wait": "Approved. Signing…",
    "review.passkey.cancelled": "The passkey dialog was closed, or this device has no passkey for signing as {name}. Nothing was signed. You can try again or decide not to sign.",
    "review.passkey.unsupported": "This browser cannot use passkeys here. Open the link in another browser. Nothing was signed.",
    "review.passkey.other": "The passkey did not answer as it should ({detail}). Nothing was signed.",
    "review.redeem.network": "The connection was lost after you approved. Your approval is kept on this page; send it again. It can be used only once.",
    "review.redeem.later": "The service did not say whether your approval counted. It is kept on this page; send it again in a moment. It can be used only once.",
    "review.redeem.again": "Send the approval again",
    "once.title": "A certificate for this one signature",
    "once.explain": "You have no certificate yet that signs this. Before you read and sign, a new key and a certificate are made for this one signature. They do not exist before you approve them here.",
    "once.holder": "Name in the certificate",
    "once.person": "Whose identity was checked",
    "once.ca": "Will be issued by",
    "once.policy": "Under the rules",
    "once.life": "The key",
    "once.life.text.one": "lives 1 minute, signs once and is then destroyed",
    "once.life.text.other": "lives {n} minutes, signs once and is then destroyed",
    "once.next": "This approval signs nothing. When the certificate is there you see the documents, and you approve the signature separately.",
    "once.approve": "Make the certificate for {name}",
    "once.making": "Approved. The key and its certificate are being made…",
    "once.cancelled": "The passkey dialog was closed, or this device has no passkey for signing. Nothing was made. You can try again or decide not to sign.",
    "once.refused": "The signing module refused. There is no key and nothing was signed.",
    "once.network": "The connection was lost after you approved. Your approval is kept on this page; send it again. It makes one key only.",
    "once.later": "The service did not say whether the key was made. Your approval is kept on this page; send it again in a moment. It makes one key only.",
    "once.send_again": "Send the approval again",
    "decline.title": "Do not sign",
    "decline.reason": "Reason (optional; the sender will read it)",
    "decline.confirm": "Confirm: do not sign",
    "declined.title": "You did not sign",
    "declined.text": "Nothing was signed. {asker} is told that you declined.",
    "result.title.one": "Signed: 1 document",
    "result.title.other": "Signed: {n} documents",
    "result.raw.title": "Approved and signed",
    "result.text": "Signed as {name} on {time}, approved with your passkey.",
    "result.working": "Signed. The documents are being completed…",
    "result.three": "Shown, approved and signed are the same",
    "result.three.explain": "The bars and numbers are short fingerprints of what you were shown, what you approved and what was signed. They are computed on this device.",
    "result.shown": "Shown",
    "result.approved": "Approved",
    "result.signed": "Signed",
    "result.not_shown": "not shown",
    "result.download": "Download signed “{name}”",
    "result.receipt": "Download receipt",
    "result.receipt.explain": "The receipt proves what you approved. Keep it with the documents; it can be checked without this service.",
    "result.download.failed": "The file could not be fetched. Try again.",
    "result.download.bad": "The file that came is not the document that you approved. It was not saved. Keep the receipt and tell the service.",
    "result.download.longer": "“{name}” was saved. Its first {size} are what you approved. The {more} behind them (time-stamps and validation data, the service says) were not checked here and are not covered by your signature. Verify the file before you rely on it.",
    "result.download.ok": "“{name}” matches what you approved and was saved.",
    "result.download.xml": "“{name}” has the signature that you approved and was saved. This page does not read XML; every verifier of signatures shows whether the rest is what you approved.",
    "result.failed": "You approved and the signature was made, but the documents could not be completed. Keep the receipt; the sender is informed.",
    "result.not_you": "If this was not you, tell your service provider at once and have the certificate suspended. Reference: {id}",
    "result.waiting_long": "Completing the documents takes longer than usual. You can close this page; they are completed anyway.",
    "stop.title": "This request is not what it claims; nothing was signed",
    "stop.text": "This page stopped before asking for your passkey. Tell the sender and your service provider; do not try again with another link to the same request before they have answered.",
    "stop.what": "What does not fit",
    "stop.request": "The request for activation was not made by the signing module, or was changed on the way.",
    "stop.binding": "The signing module's request is for something else: another person, key, certificate, number of signatures or place.",
    "stop.certificate": "The certificate is not the one that the signing module named.",
    "stop.view": "The description of the request is malformed or contains text that cannot be shown as it is.",
    "stop.kind": "A kind of signature is asked for that this page cannot check.",
    "stop.document": "“{name}”: the document was not delivered.",
    "stop.too_large": "“{name}”: the document is larger than announced or than this page accepts.",
    "stop.hole": "“{name}”: the place for the signature in the PDF is not as it must be; the document could be changed after signing.",
    "stop.gap": "“{name}”: more of the PDF would be left unsigned than the place of the signature itself; something could be put there after signing.",
    "stop.tail": "“{name}”: what is to be signed does not reach to the end of the PDF; what is behind it could replace a page.",
    "stop.attributes": "“{name}”: what is to be signed does not belong to the document that was delivered.",
    "stop.digest": "“{name}”: the fingerprint that was announced is not the document's.",
    "stop.receipt": "The receipt does not prove what you approved.",
    "stop.receipt.title": "The result does not match what you approved",
    "stop.receipt.text": "You approved, but the answer that came back is not a valid proof of it. Tell your service provider and keep this reference.",
    "stop.technical": "Technical detail: {detail}",
    "end.expired.title": "This request has expired",
    "end.expired.text": "Nothing was signed. Ask the sender for a new request.",
    "end.cancelled.title": "The sender withdrew this request",
    "end.cancelled.text": "Nothing was signed. There is nothing that you need to do.",
    "end.failed.title": "This request cannot be completed",
    "end.failed.text": "The sender is informed. If you approved before, ask the sender whether a new approval is needed.",
    "end.refused.text": "The signing module refused the approval. Nothing was signed with it. Ask the sender for a new request.",
    "end.signed.title": "You already answered this request",
    "end.signed.text": "It is finished or being completed. You find the documents where you signed in.",
    "error.title": "That did not work",
    "error.link": "This link is incomplete, was used already or is too old. Open the request again from the page where you signed in.",
    "error.network": "The service cannot be reached. Check your connection and try again; you approved nothing on this page.",
    "error.open.network": "The service cannot be reached. Check your connection and try again.",
    "error.open.later": "The service is busy or not available now. Try again in a moment.",
    "error.open.refused": "The service refused to open the request.",
    "error.refused": "The service refused the request. You approved nothing on this page.",
    "error.refused.approval": "The signing module refused this approval. Nothing was signed with it.",
    "error.login": "You are not logged in here any more, or somebody else has logged in with this browser since. Nothing was signed.",
    "error.unsure": "The signing module refused this approval, but it was sent before and may have counted then. Open the request again to see.",
    "error.login.unsure": "You are not logged in here any more, or somebody else has logged in with this browser since. Your approval may have counted before: log in and open the request again to see.",
    "error.later": "The service is busy or not available now. Try again in a moment; you approved nothing on this page.",
    "error.config": "This page is not set up correctly (config). Tell your service provider.",
    "error.framed": "This page must not be shown inside another page.",
    "home.title": "Nothing to sign here",
    "home.text": "This page opens with the link of a signing request or of an enrolment. Start from the page where you sign in.",
    "keys.title": "Your signing passkeys",
    "keys.loading": "Asking the signing module…",
    "keys.none": "You have no signing passkey. If you have lost it, have your identity checked again.",
    "keys.row": "Passkey {id}, set up {when}.",
    "keys.state.usable": "It can approve signatures.",
    "keys.state.cooling": "It was added lately and can approve nothing before {when}.",
    "keys.state.locked": "It cannot be used at this moment.",
    "keys.add": "Add a passkey",
    "keys.remove": "Remove passkey {id}",
    "keys.veto": "Stop passkey {id}: it was not me, or I changed my mind",
    "keys.will.add": "A new passkey will be added. It can approve your signatures {hours} hours from now. You make it first, then you approve it with a passkey that you have.",
    "keys.will.remove": "Passkey {id} will be removed and can approve nothing any more. Approve it with a passkey that you have.",
    "keys.create": "Make the new passkey",
    "keys.made": "The new passkey is made. Now approve it with a passkey that you have.",
    "keys.approve": "Approve with a passkey that you have",
    "keys.done": "Done.",
    "keys.cancelled": "The dialog was closed. Nothing was changed.",
    "keys.refused": "The signing module refused. Nothing was changed.",
    "keys.not_genuine": "What came back was not made by the signing module. Nothing was changed. Tell your service provider.",
    "keys.login": "Log in at the application first, then open this page from there.",
    "keys.notices": "What was done to your passkeys",
    "keys.no_notices": "Nothing since they were set up.",
    "keys.hint": "This list comes from the signing module, signed for this very page: the application cannot change it or take a line out. If you do not recognise something, stop or remove the passkey and tell your service provider.",
    "keys.notice.authenticator_added": "Passkey {id} was added.",
    "keys.notice.authenticator_removed": "Passkey {id} was removed, with an approval of yours.",
    "keys.notice.authenticator_lost": "Passkey {id} was revoked by your service provider.",
    "keys.notice.proofing_decided": "After a new check of your identity you may set up a new passkey. Your old signing keys were destroyed.",
    "keys.notice.copy_suspected": "Passkey {id} was locked: there may be a copy of it.",
    "keys.notice.other": "{kind} ({id})",
    "keys.notice.until": "It can approve nothing before {when}.",
    "enrol.halves.text": "You got two halves of a code, each from another person. Enter both.",
    "enrol.halves.first": "First half",
    "enrol.halves.second": "Second half",
    "enrol.title": "Set up your signing passkey",
    "enrol.for": "For",
    "enrol.explain": "A signing passkey is the key to your signature. It stays on your device or in your password manager; the service never gets it. Each time you sign, your device asks for your fingerprint, face or PIN.",
    "enrol.explain2": "When you press the button, your device opens its own dialog. Afterwards this page confirms what was set up.",
    "enrol.separate": "It is separate from the passkey that you sign in with.",
    "enrol.button": "Create the signing passkey for {name}",
    "enrol.wait": "Waiting for your device…",
    "enrol.finishing": "Finishing…",
    "enrol.cancelled": "The dialog was closed and no passkey was made. You can try again.",
    "enrol.exists": "This device already holds a signing passkey for you. Use another device or remove the old passkey first.",
    "enrol.bad_link": "This enrolment link is incomplete or was used already. Ask for a new one where your identity was checked.",
    "enrol.expired": "This enrolment has expired. Ask for a new link where your identity was checked.",
    "enrol.not_genuine": "The offer to enrol was not made by the signing module. Nothing was set up. Tell your service provider.",
    "enrol.refused": "The signing module refused this enrolment. Nothing was set up. Ask for a new link where your identity was checked.",
    "enrol.unsure": "Your passkey may be set up: it was sent before, and the answer was lost. Look at your signing passkeys, or ask where your identity was checked, before you ask for a new link.",
    "enrol.network": "The connection was lost. Your new passkey is kept on this page; send it again.",
    "enrol.again": "Send again",
    "enrol.done.title": "Your signing passkey is set up",
    "enrol.done.text": "From now on only this passkey can approve signatures of {name}. If you lose it, have your identity checked again.",
    "enrol.done.close": "You can close this page."
  };
  var plural = new Intl.PluralRules("en");
  function t(key, values = {}) {
    const table = en;
    let s = table[key];
    if (s === void 0) s = table[`${key}.${plural.select(Number(values["n"]))}`] ?? table[`${key}.other`] ?? key;
    return s.replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all));
  }
  function has(key) {
    return Object.hasOwn(en, key);
  }
  function size(bytes) {
    if (bytes < 1e3) return `${bytes} bytes`;
    if (bytes < 1e6) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
    return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  }
  function day(d) {
    return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" }).format(d);
  }
  function clock(d) {
    return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" }).format(d);
  }
  function moment(d) {
    return `${day(d)}, ${clock(d)}`;
  }

  // ts/ends.ts
  function onward(cfg, url) {
    try {
      const u = new URL(url);
      if (u.origin !== cfg.api || u.username !== "" || u.password !== "") return void 0;
      return el("p", {}, el("a", { class: "act", href: u.href, rel: "noreferrer", id: "continue" }, t("common.continue")));
    } catch {
      return void 0;
    }
  }
  function back(cfg, op = "") {
    const at2 = op === "" ? "/" : `/operations/${encodeURIComponent(op)}`;
    return el("p", {}, el("a", { class: "act", href: cfg.api + at2, rel: "noreferrer", id: "back" }, t(op === "" ? "common.app" : "common.operation")));
  }
  function stopped(s, reference4) {
    const after = s.code === "receipt";
    show(
      t(after ? "stop.receipt.title" : "stop.title"),
      el(
        "div",
        { class: "stop", role: "alert", id: "stop", "data-code": s.code },
        el("h2", {}, t("stop.what")),
        el("p", {}, t(`stop.${s.code}`, { name: s.item })),
        el("p", {}, t(after ? "stop.receipt.text" : "stop.text"))
      ),
      el("p", { class: "hint" }, t("stop.technical", { detail: `${s.code}: ${s.detail}`.slice(0, 300) })),
      reference4 !== "" && el("p", { class: "hint" }, t("common.reference", { id: reference4 }))
    );
  }
  function ended(cfg, v) {
    const table = {
      expired: ["end.expired.title", "end.expired.text"],
      cancelled: ["end.cancelled.title", "end.cancelled.text"],
      failed: ["end.failed.title", "end.failed.text"],
      declined: ["declined.title", "declined.text"]
    };
    let [title, text2] = table[v.state] ?? ["end.signed.title", "end.signed.text"];
    if (v.state === "failed" && (v.reason === "refused" || v.reason.startsWith("refused "))) text2 = "end.refused.text";
    show(t(title), el("p", { id: "ended", "data-state": v.state }, t(text2, { asker: v.asker })), onward(cfg, v.return_url) ?? back(cfg, v.id), el("p", { class: "hint" }, t("common.reference", { id: v.id })));
  }
  function sentence(e, refused = "error.refused") {
    if (!(e instanceof RelayError)) return t("error.refused");
    if (e.code === "network") return t("error.network");
    if (e.retry === "later" || e.status >= 500) return t("error.later");
    if (e.code === "login_required" || e.code === "not_found" && refused === "error.refused.approval") return t("error.login");
    return t(refused);
  }
  function opening(e) {
    if (e.code === "network") return t("error.open.network");
    return t(e.retry === "later" || e.status >= 500 ? "error.open.later" : "error.open.refused");
  }
  function broken(e, reference4, again, text2 = sentence(e), way) {
    const said = e instanceof RelayError && e.said !== "" && el("p", {}, foreign(t("common.said", { said: e.said })));
    show(
      t("error.title"),
      el("p", { role: "alert", id: "error" }, text2),
      said,
      again && button(t("common.try_again"), again, { class: "act" }),
      way,
      reference4 !== "" && el("p", { class: "hint" }, t("common.reference", { id: reference4 }))
    );
  }

  // ts/enrolment.ts
  var requestShape2 = {
    typ: "string",
    aud: "string",
    rid: "string",
    nonce: "string",
    sub: "string",
    name: "string",
    origin: "string",
    rpId: "string",
    iat: "integer",
    exp: "integer"
  };
  async function openRegistrationRequest(sam, s) {
    const r = exact(await openStatement(sam, label.registration, s), requestShape2);
    if (r.typ !== "sap/registration-request/1") throw new Error("message of another type");
    decodeLen(r.rid, 16);
    decodeLen(r.nonce, nonceLen);
    if (!validID(r.aud) || !validID(r.sub) || r.exp <= r.iat) throw new Error("registration request: bad field");
    return r;
  }
  async function registrationChallenge(nonce, statement) {
    return labelled(label.regChallenge, nonce, await digest("sha256", statement));
  }
  async function codeKey(code3) {
    const raw = decode(code3);
    if (raw.length < 16 || raw.length > 64) throw new Error("the code has not the right length");
    return labelled(label.enrolCode, raw);
  }
  async function codeProof(key, statement, attestation, clientData) {
    const sums = await Promise.all([statement, attestation, clientData].map((b) => digest("sha256", b)));
    return hmac(key, concat(utf8(label.enrolProof), new Uint8Array([0]), ...sums));
  }
  function registration(attestation, clientData, proof) {
    return canonicalBytes({ attestationObject: encode(attestation), clientDataJSON: encode(clientData), codeProof: encode(proof) });
  }

  // ts/webauthn.ts
  var PasskeyError = class extends Error {
    constructor(kind, detail) {
      super(detail);
      this.kind = kind;
    }
    kind;
  };
  async function approve(rpId, allowed, challenge2, timeout) {
    const creds = typeof allowed === "string" ? [allowed] : allowed;
    const got = await ceremony(
      () => navigator.credentials.get({
        publicKey: {
          rpId,
          challenge: challenge2,
          timeout,
          userVerification: "required",
          allowCredentials: creds.map((c) => ({ type: "public-key", id: decode(c) }))
        }
      })
    );
    const r = got.response;
    if (!(r instanceof AuthenticatorAssertionResponse)) throw new PasskeyError("other", "no assertion");
    const cred = encode(new Uint8Array(got.rawId));
    if (!creds.includes(cred)) throw new PasskeyError("other", "another passkey answered");
    return canonicalBytes({
      carrier: "webauthn",
      credential: cred,
      authenticatorData: encode(new Uint8Array(r.authenticatorData)),
      clientDataJSON: encode(new Uint8Array(r.clientDataJSON)),
      signature: encode(new Uint8Array(r.signature))
    });
  }
  async function create(r, challenge2, attestation, have = []) {
    const handle = await digest("sha256", utf8(`assent/signing-passkey/v1\0${r.aud}\0${r.sub}`));
    const got = await ceremony(
      () => navigator.credentials.create({
        publicKey: {
          rp: { id: r.rpId, name: "Assent signing" },
          user: { id: handle, name: `${r.name} (signing)`, displayName: `${r.name} (signing)` },
          challenge: challenge2,
          pubKeyCredParams: [
            { type: "public-key", alg: -7 },
            { type: "public-key", alg: -35 }
          ],
          attestation,
          excludeCredentials: have.map((c) => ({ type: "public-key", id: decode(c) })),
          authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
          timeout: 3e5
        }
      })
    );
    const res = got.response;
    if (!(res instanceof AuthenticatorAttestationResponse)) throw new PasskeyError("other", "no attestation");
    return { attestationObject: new Uint8Array(res.attestationObject), clientDataJSON: new Uint8Array(res.clientDataJSON) };
  }
  async function ceremony(run2) {
    if (typeof PublicKeyCredential === "undefined") throw new PasskeyError("unsupported", "no WebAuthn");
    try {
      const c = await run2();
      if (c instanceof PublicKeyCredential) return c;
    } catch (e) {
      const name = e instanceof DOMException ? e.name : "";
      if (name === "NotAllowedError" || name === "AbortError" || name === "TimeoutError") throw new PasskeyError("cancelled", name);
      if (name === "InvalidStateError") throw new PasskeyError("exists", name);
      if (name === "NotSupportedError" || name === "SecurityError") throw new PasskeyError("unsupported", name);
      throw new PasskeyError("other", name || String(e));
    }
    throw new PasskeyError("other", "nothing came back");
  }

  // ts/enrol.ts
  async function enrol(cfg, id, code3) {
    show(t("enrol.title"), el("p", { class: "working" }, t("load.request")));
    const relay = new Relay(cfg.api);
    let key;
    try {
      decode(id);
      key = await codeKey(code3);
    } catch {
      return broken(void 0, "", void 0, t("enrol.bad_link"));
    }
    let signed;
    try {
      signed = await relay.enrolBegin(id);
    } catch (e) {
      if (e instanceof RelayError && e.retry !== "never") return broken(e, id, () => void enrol(cfg, id, code3), opening(e));
      return broken(e, id, void 0, t("enrol.bad_link"));
    }
    const request = await check2(cfg, id, signed);
    if (!request) return broken(void 0, id, void 0, t("enrol.not_genuine"));
    new Enrolment(cfg, relay, id, key, signed, request).open();
  }
  function halves(cfg, id) {
    const first = el("input", { id: "half1", autocomplete: "off", spellcheck: "false" });
    const second = el("input", { id: "half2", autocomplete: "off", spellcheck: "false" });
    show(
      t("enrol.title"),
      el("p", {}, t("enrol.halves.text")),
      el("p", {}, el("label", { for: "half1" }, t("enrol.halves.first")), " ", first),
      el("p", {}, el("label", { for: "half2" }, t("enrol.halves.second")), " ", second),
      el("div", { class: "actions single" }, button(t("common.continue"), () => void enrol(cfg, id, first.value.trim() + second.value.trim()), { class: "act", id: "continue" }))
    );
  }
  async function check2(cfg, id, signed) {
    try {
      const r = await cfg.sam.open(signed.key, (k) => openRegistrationRequest(k, signed), (v) => v.iat * 1e3);
      const fits3 = r.rid === id && r.aud === cfg.aud && r.origin === cfg.origin && r.rpId === cfg.rpId && r.name !== "" && displayable(r.name);
      return fits3 ? r : void 0;
    } catch {
      return void 0;
    }
  }
  var Enrolment = class {
    constructor(cfg, relay, id, key, signed, request) {
      this.cfg = cfg;
      this.relay = relay;
      this.id = id;
      this.key = key;
      this.signed = signed;
      this.request = request;
      this.button = button(t("enrol.button", { name: request.name }), () => void this.create(), { class: "act", id: "create" });
      this.ends = performance.now() + (request.exp - request.iat) * 1e3;
    }
    cfg;
    relay;
    id;
    key;
    signed;
    request;
    status = el("div", { class: "status" });
    button;
    busy = false;
    ends;
    open() {
      show(
        t("enrol.title"),
        facts([t("enrol.for"), el("strong", {}, foreign(this.request.name))]),
        el("p", {}, t("enrol.explain")),
        el("p", {}, t("enrol.explain2")),
        el("p", {}, t("enrol.separate")),
        el("div", { class: "actions single" }, this.button),
        this.status
      );
    }
    async create() {
      if (this.busy) return;
      if (performance.now() > this.ends) return broken(void 0, this.id, void 0, t("enrol.expired"));
      this.working(t("enrol.wait"));
      try {
        const statement = decode(this.signed.statement);
        const challenge2 = await registrationChallenge(decode(this.request.nonce), statement);
        const made = await create(this.request, challenge2, this.cfg.attestation);
        const proof = await codeProof(this.key, statement, made.attestationObject, made.clientDataJSON);
        await this.send(registration(made.attestationObject, made.clientDataJSON, proof));
      } catch (e) {
        if (e instanceof PasskeyError && e.kind === "exists") return this.tell(t("enrol.exists"));
        if (e instanceof PasskeyError && e.kind === "cancelled") return this.tell(t("enrol.cancelled"));
        this.tell(e instanceof PasskeyError && e.kind === "unsupported" ? t("review.passkey.unsupported") : t("review.passkey.other", { detail: String(e) }));
      }
    }
    async send(answer, again = false) {
      this.working(t("enrol.finishing"));
      try {
        const done = await this.relay.enrolFinish(this.id, answer);
        if (done.signer !== this.request.sub) return broken(void 0, this.id, void 0, t("enrol.not_genuine"));
        show(t("enrol.done.title"), el("p", { id: "enrolled", "data-credential": done.credential }, t("enrol.done.text", { name: this.request.name })), el("p", {}, t("enrol.done.close")));
      } catch (e) {
        if (e instanceof RelayError && e.retry !== "never") {
          this.tell(e.code === "network" ? t("enrol.network") : t("error.open.later"), button(t("enrol.again"), () => void this.send(answer, true), { class: "act" }));
          this.busy = true;
          return;
        }
        if (again) return broken(void 0, this.id, void 0, t("enrol.unsure"), el("p", {}, el("a", { class: "act", href: "/passkeys", id: "keys" }, t("keys.title"))));
        broken(e, this.id, void 0, t("enrol.refused"));
      }
    }
    working(text2) {
      this.busy = true;
      this.button.setAttribute("aria-disabled", "true");
      fill(this.status, el("p", { class: "working" }, text2));
      say(text2);
    }
    tell(text2, ...more2) {
      this.busy = false;
      this.button.setAttribute("aria-disabled", "false");
      fill(this.status, el("div", { role: "alert", class: "notice" }, el("p", {}, text2), ...more2));
    }
  };

  // ts/change.ts
  var requestShape3 = {
    typ: "string",
    aud: "string",
    rid: "string",
    nonce: "string",
    sub: "string",
    name: "string",
    act: "string",
    target: "string",
    creds: ["string"],
    have: ["string"],
    cooling: "integer",
    origin: "string",
    rpId: "string",
    iat: "integer",
    exp: "integer"
  };
  var listShape = {
    typ: "string",
    aud: "string",
    nonce: "string",
    sub: "string",
    name: "string",
    auths: [{ cred: "string", aaguid: "string", tier: "string", via: "string", created: "integer", usableFrom: "integer", usable: "boolean" }],
    after: "integer",
    notices: [{ seq: "integer", kind: "string", cred: "string", until: "integer", created: "integer" }],
    more: "boolean",
    iat: "integer"
  };
  async function openChangeRequest(sam, s) {
    const r = exact(await openStatement(sam, label.change, s), requestShape3);
    if (r.typ !== "sap/change-request/1") throw new Error("message of another type");
    decodeLen(r.rid, 16);
    decodeLen(r.nonce, nonceLen);
    for (const id of [r.target, ...r.creds, ...r.have]) decode(id);
    const known = r.act === "add" && r.target === "" || r.act === "remove" && r.target !== "";
    if (!known || !validID(r.aud) || !validID(r.sub) || !displayable(r.name) || r.exp <= r.iat) throw new Error("change request: bad field");
    return r;
  }
  async function openList(sam, s, nonce, after) {
    const l = exact(await openStatement(sam, label.authenticators, s), listShape);
    if (l.typ !== "sap/authenticator-list/1" || l.nonce !== nonce || l.after !== after) throw new Error("list of another type, or for another question");
    if (!validID(l.aud) || !validID(l.sub) || !displayable(l.name)) throw new Error("list: bad field");
    return l;
  }
  async function additionChallenge(nonce, statement) {
    return labelled(label.addChallenge, nonce, await digest("sha256", statement));
  }
  async function changeChallenge(nonce, statement, attestation, clientData) {
    const [a, b, c] = await Promise.all([statement, attestation, clientData].map((x) => digest("sha256", x)));
    return labelled(label.changeChallenge, nonce, a, b, c);
  }
  function change(attestation, clientData, proof) {
    return canonicalBytes({ attestationObject: encode(attestation), clientDataJSON: encode(clientData), proof: decodeBytes(proof) });
  }

  // ts/passkeys.ts
  var none = new Uint8Array(0);
  var maxPages = 40;
  async function passkeys(cfg) {
    show(t("keys.title"), el("p", { class: "working" }, t("keys.loading")));
    const relay = new Relay(cfg.api);
    try {
      const { list, notices } = await load(cfg, relay);
      new Page(cfg, relay, list, notices).open();
    } catch (e) {
      if (!(e instanceof RelayError)) return broken(void 0, "", void 0, t("keys.not_genuine"));
      if (e.status === 401) return broken(e, "", void 0, t("keys.login"), back(cfg));
      broken(e, "", () => void passkeys(cfg), opening(e));
    }
  }
  async function load(cfg, relay) {
    const notices = [];
    for (let after = 0, i = 0; i < maxPages; i++) {
      const nonce = encode(crypto.getRandomValues(new Uint8Array(32)));
      const list = await page(cfg, await relay.passkeys(nonce, after), nonce, after);
      if (list.aud !== cfg.aud) throw new Error("list of another module");
      notices.push(...list.notices);
      const last = list.notices.at(-1);
      if (!list.more || !last) return { list, notices };
      after = last.seq;
    }
    throw new Error("a list without an end");
  }
  function page(cfg, signed, nonce, after) {
    return cfg.sam.open(signed.key, (k) => openList(k, signed, nonce, after), (v) => v.iat * 1e3);
  }
  function when(seconds) {
    return moment(new Date(seconds * 1e3));
  }
  function short2(cred) {
    return cred.slice(0, 8);
  }
  var Page = class {
    constructor(cfg, relay, list, notices) {
      this.cfg = cfg;
      this.relay = relay;
      this.list = list;
      this.notices = notices;
    }
    cfg;
    relay;
    list;
    notices;
    status = el("div", { class: "status" });
    busy = false;
    open() {
      const rows2 = this.list.auths.map((a) => this.row(a));
      show(
        t("keys.title"),
        facts([t("enrol.for"), el("strong", {}, foreign(this.list.name))]),
        rows2.length === 0 ? el("p", { id: "no-keys" }, t("keys.none")) : el("ul", { id: "keys" }, ...rows2),
        rows2.length > 0 && el("div", { class: "actions single" }, button(t("keys.add"), () => void this.begin("add", ""), { class: "act", id: "add" })),
        this.status,
        el("h2", {}, t("keys.notices")),
        this.notices.length === 0 ? el("p", {}, t("keys.no_notices")) : el("ul", { id: "notices" }, ...this.notices.toReversed().map((n) => notice(n))),
        el("p", { class: "hint" }, t("keys.hint")),
        back(this.cfg)
      );
    }
    row(a) {
      const cools = a.usableFrom > this.list.iat;
      const state = cools ? t("keys.state.cooling", { when: when(a.usableFrom) }) : t(a.usable ? "keys.state.usable" : "keys.state.locked");
      const other2 = this.list.auths.some((o) => o.usable && o.cred !== a.cred);
      return el(
        "li",
        { "data-credential": a.cred, "data-usable": String(a.usable) },
        el("p", {}, t("keys.row", { id: short2(a.cred), when: when(a.created) }), " ", state),
        other2 && button(t(cools ? "keys.veto" : "keys.remove", { id: short2(a.cred) }), () => void this.begin("remove", a.cred), { class: "act" })
      );
    }
    /** begin gets the module's offer and shows what it says. */
    async begin(act, target) {
      if (this.busy) return;
      this.working(t("load.request"));
      let signed;
      try {
        signed = await this.relay.changeBegin(act, target);
      } catch (e) {
        return this.tell(sentence(e, "keys.refused"));
      }
      let r;
      try {
        r = await this.cfg.sam.open(signed.key, (k) => openChangeRequest(k, signed), (v) => v.iat * 1e3);
        const fits3 = r.aud === this.cfg.aud && r.origin === this.cfg.origin && r.rpId === this.cfg.rpId && r.sub === this.list.sub && r.act === act && r.target === target;
        if (!fits3) throw new Error("another offer");
      } catch {
        return broken(void 0, "", void 0, t("keys.not_genuine"));
      }
      this.busy = false;
      const text2 = act === "add" ? t("keys.will.add", { hours: Math.ceil(r.cooling / 3600) }) : t("keys.will.remove", { id: short2(target) });
      const go2 = act === "add" ? button(t("keys.create"), () => void this.create(signed, r), { class: "act", id: "create" }) : this.approval(signed, r, none, none);
      this.offer(text2, go2);
    }
    offer(text2, go2) {
      fill(this.status, el("div", { class: "notice", id: "offer" }, el("p", {}, text2), el("div", { class: "actions single" }, go2, button(t("common.back"), () => void passkeys(this.cfg), { class: "quiet" }))));
      go2.focus();
    }
    approval(signed, r, attestation, clientData) {
      return button(t("keys.approve"), () => void this.approve(signed, r, attestation, clientData), { class: "act", id: "approve" });
    }
    async create(signed, r) {
      if (this.busy) return;
      this.busy = true;
      try {
        const challenge2 = await additionChallenge(decode(r.nonce), decode(signed.statement));
        const made = await create(r, challenge2, this.cfg.attestation, r.have);
        this.busy = false;
        this.offer(t("keys.made"), this.approval(signed, r, made.attestationObject, made.clientDataJSON));
      } catch (e) {
        this.failed(e);
      }
    }
    async approve(signed, r, attestation, clientData) {
      if (this.busy) return;
      this.busy = true;
      try {
        const challenge2 = await changeChallenge(decode(r.nonce), decode(signed.statement), attestation, clientData);
        const proof = await approve(r.rpId, r.creds, challenge2, 3e5);
        this.working(t("enrol.finishing"));
        await this.relay.changeFinish(r.rid, change(attestation, clientData, proof));
      } catch (e) {
        return e instanceof RelayError ? this.tell(sentence(e, "keys.refused")) : this.failed(e);
      }
      await passkeys(this.cfg);
      say(t("keys.done"));
    }
    failed(e) {
      const kind = e instanceof PasskeyError ? e.kind : "other";
      if (kind === "exists") return this.tell(t("enrol.exists"));
      if (kind === "cancelled") return this.tell(t("keys.cancelled"));
      this.tell(kind === "unsupported" ? t("review.passkey.unsupported") : t("review.passkey.other", { detail: String(e) }));
    }
    working(text2) {
      this.busy = true;
      fill(this.status, el("p", { class: "working" }, text2));
      say(text2);
    }
    tell(text2, ...more2) {
      this.busy = false;
      fill(this.status, el("div", { role: "alert", class: "notice" }, el("p", {}, text2), ...more2));
    }
  };
  function notice(n) {
    const key = `keys.notice.${n.kind}`;
    const text2 = t(has(key) ? key : "keys.notice.other", { id: short2(n.cred), kind: n.kind });
    const until = n.until > 0 ? ` ${t("keys.notice.until", { when: when(n.until) })}` : "";
    return el("li", { "data-kind": n.kind }, `${when(n.created)}: ${text2}${until}`);
  }

  // ts/cms.ts
  var oid = (...b) => new Uint8Array([6, b.length, ...b]);
  var contentType = oid(42, 134, 72, 134, 247, 13, 1, 9, 3);
  var messageDigest = oid(42, 134, 72, 134, 247, 13, 1, 9, 4);
  var signingCertificateV2 = oid(42, 134, 72, 134, 247, 13, 1, 9, 16, 2, 47);
  var data = oid(42, 134, 72, 134, 247, 13, 1, 7, 1);
  var SEQUENCE = 48;
  var SET = 49;
  var OCTET_STRING = 4;
  async function padesSignedAttributes(docDigest, certificate) {
    if (docDigest.length === 0 || certificate.length === 0) throw new Error("no digest or no certificate");
    const certHash = await digest("sha256", certificate);
    const essCertID = tlv(SEQUENCE, tlv(OCTET_STRING, certHash));
    const attrs = [
      attribute(contentType, data),
      attribute(messageDigest, tlv(OCTET_STRING, docDigest)),
      attribute(signingCertificateV2, tlv(SEQUENCE, tlv(SEQUENCE, essCertID)))
    ].sort(compare);
    return tlv(SET, concat(...attrs));
  }
  function attribute(type, value) {
    return tlv(SEQUENCE, type, tlv(SET, value));
  }
  function compare(a, b) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      if (a[i] !== b[i]) return a[i] - b[i];
    }
    return a.length - b.length;
  }

  // ts/bytes.ts
  function white(c) {
    return c === 0 || c === 9 || c === 10 || c === 12 || c === 13 || c === 32;
  }
  function regular(c) {
    return !white(c) && !"()<>[]{}/%".includes(String.fromCharCode(c));
  }
  function digit(c) {
    return c !== void 0 && c >= 48 && c <= 57;
  }
  function ascii(pdf, at2, n) {
    const end = Math.min(at2 + n, pdf.length);
    let s = "";
    for (let i = Math.max(0, at2); i < end; i += 8192) s += String.fromCharCode(...pdf.subarray(i, Math.min(i + 8192, end)));
    return s;
  }
  function find2(pdf, word, from) {
    const first = word.charCodeAt(0);
    for (let i = pdf.indexOf(first, from); i >= 0; i = pdf.indexOf(first, i + 1)) {
      let k = 1;
      while (k < word.length && pdf[i + k] === word.charCodeAt(k)) k++;
      if (k === word.length) return i;
    }
    return -1;
  }
  function readName(pdf, at2) {
    let out = "";
    let i = at2 + 1;
    for (; i < pdf.length && i - at2 < 200 && regular(pdf[i]); i++) {
      const esc = pdf[i] === 35 ? /^#([0-9A-Fa-f]{2})/.exec(ascii(pdf, i, 3)) : null;
      out += String.fromCharCode(esc ? parseInt(esc[1], 16) : pdf[i]);
      if (esc) i += 2;
    }
    return [out, i];
  }
  function skip(pdf, p) {
    for (; p < pdf.length; p++) {
      if (pdf[p] === 37) {
        while (p + 1 < pdf.length && pdf[p + 1] !== 10 && pdf[p + 1] !== 13) p++;
      } else if (!white(pdf[p])) break;
    }
    return p;
  }

  // ts/pdfstream.ts
  var UnreadError = class extends Error {
  };
  var maxDepth3 = 64;
  var maxInflated = 64 << 20;
  var maxPacked = 1 << 20;
  var maxUnpacked = 256 << 20;
  function streamObjects(pdf) {
    const out = [];
    let work = 8 * pdf.length + 65536;
    for (let p = find2(pdf, "obj", 0); p >= 0; p = find2(pdf, "obj", p + 3)) {
      const at2 = skip(pdf, p + 3);
      work -= at2 - p;
      if (ascii(pdf, at2, 2) === "<<" && ascii(pdf, p - 3, 3) !== "end") {
        const dict = readEntries(pdf, at2);
        const keyword = skip(pdf, dict.end);
        work -= keyword - at2;
        if (ascii(pdf, keyword, 6) === "stream") out.push({ dict, keyword });
      }
      if (work < 0) throw new UnreadError("the document is nested too deeply to be checked");
    }
    return out;
  }
  function isPacked(pdf, { dict }) {
    return nameOf(pdf, dict, "Type") === "ObjStm" || dict.values.has("N") && dict.values.has("First");
  }
  function readIndex(text2, n, first) {
    const words = ascii(text2, 0, Math.min(first, 24 * maxPacked)).split(/[\0\t\n\f\r ]+/).filter((w) => w !== "");
    if (n > maxPacked || first > text2.length || words.length !== 2 * n || words.some((w) => !/^\d{1,10}$/.test(w))) throw new UnreadError("the head of an object stream cannot be read");
    const numbers = /* @__PURE__ */ new Set();
    const out = [];
    for (let i = 0, last = -1; i < words.length; i += 2) {
      const offset = Number(words[i + 1]);
      if (offset <= last || offset >= text2.length - first) throw new UnreadError("an object stream can be read in two ways");
      last = offset;
      numbers.add(Number(words[i]));
      out.push([Number(words[i]), first + offset]);
    }
    if (numbers.size !== n) throw new UnreadError("an object stream can be read in two ways");
    return out;
  }
  function readEntries(pdf, at2, depth = 0) {
    const out = { values: /* @__PURE__ */ new Map(), twice: false, begin: at2, end: at2 };
    if (ascii(pdf, at2, 2) !== "<<" || depth > maxDepth3) throw new UnreadError("no dictionary");
    let p = skip(pdf, at2 + 2);
    while (pdf[p] !== 62) {
      if (pdf[p] !== 47) throw new UnreadError("a dictionary cannot be read");
      const [name, after] = readName(pdf, p);
      const from = skip(pdf, after);
      const to = behindValue(pdf, from, depth);
      out.twice ||= out.values.has(name);
      out.values.set(name, [from, to]);
      p = skip(pdf, to);
    }
    if (pdf[p + 1] !== 62) throw new UnreadError("a dictionary cannot be read");
    out.end = p + 2;
    return out;
  }
  function behindValue(pdf, p, depth) {
    switch (pdf[p]) {
      case 47:
        return readName(pdf, p)[1];
      case 40:
        return behindString(pdf, p);
      case 91: {
        if (depth > maxDepth3) throw new UnreadError("an array cannot be read");
        for (p = skip(pdf, p + 1); pdf[p] !== 93; p = skip(pdf, behindValue(pdf, p, depth + 1))) ;
        return p + 1;
      }
      case 60: {
        if (pdf[p + 1] === 60) return readEntries(pdf, p, depth + 1).end;
        for (p++; pdf[p] !== 62; p++) {
          if (!white(pdf[p]) && !hexDigit(pdf[p])) throw new UnreadError("a string cannot be read");
        }
        return p + 1;
      }
    }
    const end = behindWord(pdf, p);
    if (!isNumeral(pdf, p, end) && !/^(?:true|false|null)$/.test(ascii(pdf, p, end - p))) throw new UnreadError("a value cannot be read");
    const generation = skip(pdf, end);
    if (!digit(pdf[generation])) return end;
    const r = skip(pdf, behindWord(pdf, generation));
    if (pdf[r] !== 82 || r + 1 < pdf.length && regular(pdf[r + 1])) return end;
    return /^\d+$/.test(ascii(pdf, generation, Math.min(r - generation, 20)).trim()) ? r + 1 : end;
  }
  function isNumeral(pdf, from, to) {
    for (let p = from; p < to; p++) if (!digit(pdf[p]) && pdf[p] !== 43 && pdf[p] !== 45 && pdf[p] !== 46) return false;
    return to > from;
  }
  function hexDigit(c) {
    return digit(c) || c !== void 0 && (c | 32) >= 97 && (c | 32) <= 102;
  }
  function behindWord(pdf, p) {
    const from = p;
    while (p < pdf.length && p - from < 64 && regular(pdf[p])) p++;
    return p;
  }
  function behindString(pdf, from) {
    let open = 0;
    for (let p = from; p < pdf.length; p++) {
      if (pdf[p] === 92) p++;
      else if (pdf[p] === 40) open++;
      else if (pdf[p] === 41 && --open === 0) return p + 1;
    }
    throw new UnreadError("a string cannot be read");
  }
  function nameOf(pdf, d, key) {
    const v = d.values.get(key);
    return v && pdf[v[0]] === 47 ? readName(pdf, v[0])[0] : void 0;
  }
  function integerOf(pdf, d, key) {
    const v = d.values.get(key);
    const text2 = v && v[1] - v[0] <= 15 ? ascii(pdf, v[0], v[1] - v[0]) : "";
    if (!/^\d+$/.test(text2)) throw new UnreadError(`an unusual /${key}`);
    return Number(text2);
  }
  function integersOf(pdf, d, key) {
    const [from, to] = d.values.get(key) ?? [0, 0];
    const out = [];
    let p = from;
    for (p = skip(pdf, from + 1); p < to - 1; p = skip(pdf, p)) {
      const end = behindWord(pdf, p);
      const text2 = ascii(pdf, p, end - p);
      if (!/^\d{1,15}$/.test(text2)) break;
      out.push(Number(text2));
      p = end;
    }
    if (to === 0 || pdf[from] !== 91 || p !== to - 1) throw new UnreadError(`an unusual /${key}`);
    return out;
  }
  function bodyOf(pdf, { dict, keyword }) {
    for (let p = dict.end; p < keyword; p++) {
      if (!white(pdf[p])) throw new UnreadError("a comment before a stream");
    }
    const line = /^(?:\n|\r\n)/.exec(ascii(pdf, keyword + 6, 2))?.[0];
    if (!line) throw new UnreadError("a stream begins in an unusual way");
    const data2 = keyword + 6 + line.length;
    const close = find2(pdf, "endstream", data2);
    if (close < 0 || dict.twice) throw new UnreadError("a stream cannot be read");
    const length = dict.values.get("Length");
    if (length && dict.values.has("Filter") && /R$/.test(ascii(pdf, length[1] - 1, 1))) return pdf.subarray(data2, close);
    const end = data2 + integerOf(pdf, dict, "Length");
    if (end > close) throw new UnreadError("a length that is wrong");
    for (let p = end; p < close; p++) {
      if (!white(pdf[p])) throw new UnreadError("a length that is wrong");
    }
    return pdf.subarray(data2, end);
  }
  async function decodeBody(pdf, dict, body, partly = false) {
    const { values } = dict;
    if (dict.twice || ["F", "DP", "FFilter", "FDecodeParms"].some((k) => values.has(k))) throw new UnreadError("a stream has an unusual form");
    const filter = values.get("Filter");
    const params = values.get("DecodeParms");
    if (!filter) {
      if (params) throw new UnreadError("a stream has an unusual form");
      return body;
    }
    const [at2, listed] = only(pdf, filter);
    if (pdf[at2] !== 47 || readName(pdf, at2)[0] !== "FlateDecode") throw new UnreadError("a stream has an unusual form");
    const columns = params ? predicted(pdf, params, listed) : 0;
    const data2 = await inflate(body, partly);
    return columns > 0 ? unpredict(data2, columns, partly) : data2;
  }
  function only(pdf, [from, to]) {
    if (pdf[from] !== 91) return [from, false];
    const at2 = skip(pdf, from + 1);
    if (at2 >= to - 1 || skip(pdf, behindValue(pdf, at2, 0)) !== to - 1) throw new UnreadError("a stream has an unusual form");
    return [at2, true];
  }
  function predicted(pdf, params, listed) {
    const [at2, array] = only(pdf, params);
    if (array !== listed) throw new UnreadError("a stream has an unusual form");
    if (ascii(pdf, at2, 4) === "null") return 0;
    const d = readEntries(pdf, at2);
    const number = (key) => d.values.has(key) ? integerOf(pdf, d, key) : 1;
    const predictor = number("Predictor");
    const columns = number("Columns");
    const known = ["Predictor", "Columns", "Colors", "BitsPerComponent", "EarlyChange"];
    const wide = number("Colors") !== 1 || d.values.has("BitsPerComponent") && number("BitsPerComponent") !== 8;
    if (d.twice || [...d.values.keys()].some((k) => !known.includes(k))) throw new UnreadError("a stream has an unusual form");
    if (predictor === 1) return 0;
    if (predictor < 10 || predictor > 15 || wide || columns < 1 || columns > 1 << 20) throw new UnreadError("a stream has an unusual form");
    return columns;
  }
  async function inflate(body, partly) {
    const ends3 = /(?:\r?\n|\r)$/.exec(ascii(body, body.length - 2, 2))?.[0].length ?? 0;
    for (let less = 0; less <= ends3; less++) {
      const { data: data2, whole } = await tryInflate(body.subarray(0, body.length - less));
      if (whole ? data2.length > 0 : partly) return data2;
    }
    throw new UnreadError("a stream cannot be read");
  }
  async function tryInflate(body) {
    const z = new DecompressionStream("deflate");
    const writer = z.writable.getWriter();
    writer.write(concat(body)).then(() => writer.close()).catch(() => void 0);
    const parts3 = [];
    let have = 0;
    const reader = z.readable.getReader();
    for (; ; ) {
      try {
        const { done, value } = await reader.read();
        if (done) return { data: concat(...parts3), whole: true };
        have += value.length;
        parts3.push(value);
      } catch {
        return { data: concat(...parts3), whole: false };
      }
      if (have > maxInflated) throw new UnreadError("a stream is too large");
    }
  }
  function unpredict(data2, columns, partly) {
    const rows2 = Math.floor(data2.length / (columns + 1));
    if (!partly && rows2 * (columns + 1) !== data2.length) throw new UnreadError("a stream cannot be read");
    const out = new Uint8Array(rows2 * columns);
    for (let r = 0; r < rows2; r++) {
      const type = data2[r * (columns + 1)];
      for (let c = 0; c < columns; c++) {
        const a = c > 0 ? out[r * columns + c - 1] : 0;
        const b = r > 0 ? out[(r - 1) * columns + c] : 0;
        const d = r > 0 && c > 0 ? out[(r - 1) * columns + c - 1] : 0;
        const add = [0, a, b, a + b >> 1, paeth(a, b, d)][type];
        if (add === void 0) throw new UnreadError("a stream cannot be read");
        out[r * columns + c] = data2[r * (columns + 1) + 1 + c] + add;
      }
    }
    return out;
  }
  function paeth(a, b, c) {
    const p = a + b - c;
    const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
  }

  // ts/pdfsyntax.ts
  var maxDepth4 = 4;
  var maxEntries2 = 64;
  var maxString = 256;
  function readDict(pdf, p) {
    const [v] = readValue(pdf, skip(pdf, p), 0);
    if (!(v instanceof Map)) throw new Error("no dictionary");
    return v;
  }
  function readValue(pdf, p, depth) {
    switch (ascii(pdf, p, 1)) {
      case "/": {
        const [name, after] = readName(pdf, p);
        return [`/${name}`, after];
      }
      case "(":
        return readLiteral(pdf, p + 1);
      case "<":
        return pdf[p + 1] === 60 ? readEntries2(pdf, p + 2, depth) : readHex(pdf, p + 1);
    }
    const word = /^[A-Za-z0-9+.-]+/.exec(ascii(pdf, p, 32))?.[0];
    if (!word || word.length > 20) throw new Error("an unusual value");
    return [word, p + word.length];
  }
  function readEntries2(pdf, from, depth) {
    const out = /* @__PURE__ */ new Map();
    let p = skip(pdf, from);
    while (ascii(pdf, p, 2) !== ">>") {
      if (pdf[p] !== 47 || out.size >= maxEntries2 || depth >= maxDepth4) throw new Error("an unusual dictionary");
      const [name, after] = readName(pdf, p);
      const [value, end] = readValue(pdf, skip(pdf, after), depth + 1);
      if (out.has(name)) throw new Error(`two /${name}`);
      out.set(name, value);
      p = skip(pdf, end);
    }
    return [out, p + 2];
  }
  function readHex(pdf, from) {
    const end = pdf.indexOf(62, from);
    const digits = end < 0 || end - from > 4 * maxString ? "?" : [...ascii(pdf, from, end - from)].filter((c) => !white(c.charCodeAt(0))).join("");
    if (/[^0-9A-Fa-f]/.test(digits)) throw new Error("an unusual string");
    return [Uint8Array.from(digits.match(/..?/g) ?? [], (d) => parseInt(d.padEnd(2, "0"), 16)), end + 1];
  }
  var escapes = { n: 10, r: 13, t: 9, b: 8, f: 12, "(": 40, ")": 41, "\\": 92 };
  function readLiteral(pdf, from) {
    const out = [];
    let open = 1;
    for (let p = from; p < pdf.length && out.length <= maxString; p++) {
      const c = pdf[p];
      if (c === 92) {
        const octal2 = /^[0-7]{1,3}/.exec(ascii(pdf, p + 1, 3))?.[0];
        const code3 = octal2 ? parseInt(octal2, 8) & 255 : escapes[ascii(pdf, p + 1, 1)];
        if (code3 === void 0) throw new Error("an unusual escape");
        out.push(code3);
        p += octal2?.length ?? 1;
        continue;
      }
      if (c === 40) open++;
      if (c === 41 && --open === 0) return [Uint8Array.from(out), p + 1];
      if (c === 13) {
        out.push(10);
        if (pdf[p + 1] === 10) p++;
      } else out.push(c);
    }
    throw new Error("an unusual string");
  }

  // ts/pdfcrypt.ts
  async function unlock(pdf, places) {
    const dicts = [...dictionaries(pdf, places)].map((p) => readDict(pdf.subarray(0, p + maxExtent), p));
    const dict = dicts[0];
    if (dicts.some((d) => spelled(d) !== spelled(dict))) throw new Error("more than one encryption");
    const word = (key2, otherwise) => {
      const v = dict.get(key2) ?? otherwise;
      if (typeof v !== "string") throw new Error(`an unusual /${key2}`);
      return v;
    };
    const revision = Number(word("R", "0"));
    if (word("Filter", "") !== "/Standard" || word("V", "") !== "5" || revision !== 5 && revision !== 6) throw new Error("encrypted in another way");
    const [streams2, strings, files2] = filters(dict, word);
    const metadata = word("EncryptMetadata", "true");
    if (metadata !== "true" && metadata !== "false") throw new Error("an unusual /EncryptMetadata");
    const u = octets(dict, "U", 48);
    if (!equal(await passwordHash(revision, u.subarray(32, 40)), u.subarray(0, 32))) throw new Error("a password is needed");
    const fileKey = await decryptBlocks(await aes(await passwordHash(revision, u.subarray(40, 48))), new Uint8Array(16), octets(dict, "UE", 32));
    const key = await aes(fileKey);
    checkPermissions(await decryptBlocks(key, new Uint8Array(16), octets(dict, "Perms", 16)), Number(word("P", "x")), metadata === "true");
    return {
      streams: streams2,
      whole: streams2 && strings && files2,
      metadata: metadata === "true",
      open: async (data2) => new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv: concat(data2.subarray(0, 16)) }, key, concat(data2.subarray(16))))
    };
  }
  async function lockOf(pdf) {
    const places = [];
    for (let p = pdf.indexOf(47); p >= 0; p = pdf.indexOf(47, p + 1)) {
      if ((pdf[p + 1] === 69 || pdf[p + 1] === 35) && readName(pdf, p)[0] === "Encrypt") places.push(p);
    }
    return places.length > 0 ? unlock(pdf, places) : void 0;
  }
  function trimmed(data2) {
    const over3 = data2.length % 16;
    if (over3 > 2 || data2.subarray(data2.length - over3).some((c) => c !== 10 && c !== 13)) throw new Error("not encrypted");
    return data2.subarray(0, data2.length - over3);
  }
  function spelled(v) {
    if (typeof v === "string") return JSON.stringify(v);
    if (v instanceof Uint8Array) return `<${hex(v)}>`;
    return `{${[...v].map(([key, e]) => `${JSON.stringify(key)}:${spelled(e)}`).sort().join(",")}}`;
  }
  var maxPlaces = 512;
  var maxExtent = 1 << 16;
  function dictionaries(pdf, places) {
    if (places.length > maxPlaces) throw new Error("an encryption that is named too often");
    const found = /* @__PURE__ */ new Set();
    const references = /* @__PURE__ */ new Set();
    for (const p of places) {
      const near = pdf.subarray(0, p + maxExtent);
      const at2 = skip(near, readName(near, p)[1]);
      const m = /^(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+R(?![A-Za-z0-9])/.exec(ascii(near, at2, 40));
      if (m) references.add(`${Number(m[1])} ${Number(m[2])}`);
      else if (ascii(near, at2, 2) === "<<") found.add(at2);
      else throw new Error("an unusual /Encrypt");
    }
    if (references.size > 1) throw new Error("more than one encryption");
    for (const r of references) found.add(objectOf(pdf, r));
    return found;
  }
  function objectOf(pdf, reference4) {
    const [number, generation] = reference4.split(" ").map(Number);
    const found = [];
    const bodyOf2 = skipper(pdf);
    for (let q = find2(pdf, "obj", 0); q >= 0; q = find2(pdf, "obj", q + 3)) {
      const body = bodyOf2(q + 3);
      if (ascii(pdf, body, 2) !== "<<" || ascii(pdf, q - 3, 3) === "end") continue;
      const head = /(?:^|[^0-9])(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]*$/.exec(ascii(pdf, Math.max(0, q - 48), Math.min(q, 48)));
      const same = head !== null && Number(head[1]) === number && Number(head[2]) === generation;
      if (same) found.push(body);
      else if ((!head || head[1].endsWith(String(number))) && encrypts(pdf, body)) throw new Error("more than one encryption");
    }
    if (found.length !== 1) throw new Error("no encryption dictionary, or more than one");
    return found[0];
  }
  function skipper(pdf) {
    let from = 0;
    let to = 0;
    return (p) => {
      let q = p;
      while (white(pdf[q])) q++;
      if (pdf[q] !== 37) return q;
      if (q >= from && q < to) return to;
      from = q;
      to = skip(pdf, q);
      return to;
    };
  }
  function encrypts(pdf, body) {
    const dict = readEntries(pdf, body);
    return nameOf(pdf, dict, "Filter") === "Standard" || ["StmF", "StrF", "CF", "OE", "UE"].some((key) => dict.values.has(key));
  }
  function filters(dict, word) {
    const list = dict.get("CF");
    const on = (name) => {
      if (name === "/Identity") return false;
      const f = list instanceof Map ? list.get(name.slice(1)) : void 0;
      if (!(f instanceof Map) || f.get("CFM") !== "/AESV3") throw new Error("encrypted in another way");
      return true;
    };
    const streams2 = word("StmF", "/Identity");
    return [on(streams2), on(word("StrF", "/Identity")), on(word("EFF", streams2))];
  }
  function octets(dict, key, want) {
    const v = dict.get(key);
    if (!(v instanceof Uint8Array) || v.length < want || v.slice(want).some((c) => c !== 0)) throw new Error(`an unusual /${key}`);
    return v.slice(0, want);
  }
  function checkPermissions(perms, p, metadata) {
    const copy = new DataView(perms.buffer).getInt32(0, true);
    if (!Number.isInteger(p) || (p | 0) !== copy || perms[8] !== (metadata ? 84 : 70) || ascii(perms, 9, 3) !== "adb") throw new Error("the permissions were tampered with");
  }
  async function passwordHash(revision, salt) {
    let k = await digest("sha256", concat(salt));
    if (revision === 5) return k;
    for (let round = 1; ; round++) {
      const input = new Uint8Array(64 * k.length);
      for (let i = 0; i < 64; i++) input.set(k, i * k.length);
      const key = await aes(k.subarray(0, 16));
      const e = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv: k.slice(16, 32) }, key, input)).slice(0, input.length);
      let sum = 0;
      for (const c of e.subarray(0, 16)) sum += c;
      k = await digest(["sha256", "sha384", "sha512"][sum % 3], e);
      if (round >= 64 && e[e.length - 1] <= round - 32) return k.slice(0, 32);
    }
  }
  function aes(key) {
    return crypto.subtle.importKey("raw", concat(key), "AES-CBC", false, ["encrypt", "decrypt"]);
  }
  async function decryptBlocks(key, iv, data2) {
    const padding = await crypto.subtle.encrypt({ name: "AES-CBC", iv: data2.slice(-16) }, key, utf8(""));
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key, concat(data2, new Uint8Array(padding))));
  }

  // ts/pdfobjects.ts
  var over = "a part of the document runs over the place of the signature";
  var unclear = "a length in the document cannot be told";
  function checkObjects(pdf, from, holeEnd, packed) {
    const walk = new Walk(pdf, from);
    const closes = find2(pdf, "endstream", holeEnd) >= 0;
    let numbers;
    for (let p = find2(pdf, "obj", 0); p >= 0 && p < from; p = find2(pdf, "obj", p + 3)) {
      if (ascii(pdf, p - 3, 3) === "end") continue;
      const body = walk.object(p + 3);
      if (body.end > from) throw new HoleError(over);
      if (body.stream < 0) continue;
      const data2 = behindLine(pdf, body.stream + 6);
      const next = find2(pdf, "endstream", data2);
      if (next < 0 || next > from) throw new HoleError(over);
      for (const { value, ref, own } of body.lengths) {
        let n = value;
        if (ref) {
          numbers ??= numberObjects(pdf);
          n = numbers.named.get(value);
          if (closes && (n === void 0 || !packed)) throw new HoleError(unclear);
          const hidden2 = packed?.named.get(value);
          if (n === void 0 && numbers.unnamed === 0 && hidden2 === void 0) continue;
          n = Math.max(n ?? 0, numbers.unnamed, hidden2 ?? 0);
        }
        if (data2 + n > from) throw new HoleError(over);
        if (own && !ends(pdf, data2 + n)) walk.keyword(data2 + n);
      }
      if (body.lengths.length === 0) walk.keyword(data2);
    }
  }
  function ends(pdf, p) {
    while (white(pdf[p])) p++;
    return ascii(pdf, p, 9) === "endstream";
  }
  function behindLine(pdf, p) {
    while (p < pdf.length && pdf[p] !== 10 && pdf[p] !== 13) p++;
    return p + (pdf[p] === 13 && pdf[p + 1] === 10 ? 2 : 1);
  }
  function numberObjects(pdf) {
    const out = { named: /* @__PURE__ */ new Map(), unnamed: 0 };
    for (let p = find2(pdf, "obj", 0); p >= 0; p = find2(pdf, "obj", p + 3)) {
      if (ascii(pdf, p - 3, 3) === "end") continue;
      const at2 = skip(pdf, p + 3);
      if (!digit(pdf[at2]) && pdf[at2] !== 43 && pdf[at2] !== 45) continue;
      const value = integer(ascii(pdf, at2, 24));
      if (value === void 0) continue;
      const head = /(?:^|[\0\t\n\f\r ])(\d{1,10})[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]*$/.exec(ascii(pdf, p - 32, 32));
      if (!head) out.unnamed = Math.max(out.unnamed, value);
      else out.named.set(Number(head[1]), Math.max(out.named.get(Number(head[1])) ?? 0, value));
    }
    return out;
  }
  async function packedNumbers(pdf) {
    const out = { named: /* @__PURE__ */ new Map(), unnamed: 0 };
    const packed = streamObjects(pdf).filter((o) => isPacked(pdf, o));
    let unpacked = 0;
    const open = packed.length > 0 ? await opener(pdf) : void 0;
    for (const s of packed) {
      if (unpacked > maxUnpacked) throw new UnreadError("too many object streams");
      const body = bodyOf(pdf, s);
      const text2 = await decodeBody(pdf, s.dict, open ? await open(body) : body);
      unpacked += text2.length;
      for (const [number, at2] of readIndex(text2, integerOf(pdf, s.dict, "N"), integerOf(pdf, s.dict, "First"))) {
        const value = integer(ascii(text2, skip(text2, at2), 24));
        if (value !== void 0) out.named.set(number, Math.max(out.named.get(number) ?? 0, value));
      }
    }
    return out;
  }
  async function opener(pdf) {
    try {
      const lock = await lockOf(pdf);
      if (!lock?.streams) return void 0;
      return async (body) => {
        try {
          return await lock.open(trimmed(body));
        } catch {
          throw new UnreadError("an object stream is not encrypted as the file demands");
        }
      };
    } catch {
      throw new UnreadError("an encryption that is not known");
    }
  }
  function integer(s) {
    const m = /^[+-]*0*(\d{0,15})(?![\d.eE])/.exec(s);
    return m && /\d/.test(m[0]) ? Number(m[1]) : void 0;
  }
  var Walk = class {
    constructor(pdf, from) {
      this.pdf = pdf;
      this.from = from;
      this.work = 8 * pdf.length + 65536;
    }
    pdf;
    from;
    work;
    /** object reads one value and what follows a dictionary. */
    object(at2) {
      const { pdf } = this;
      const body = { end: at2, lengths: [], stream: -1 };
      let depth = 0;
      for (let p = skip(pdf, at2); p < this.from; p = skip(pdf, p)) {
        const before = p;
        const c = pdf[p];
        const double = pdf[p + 1] === c;
        if (c === 40) p = this.literal(p);
        else if (c === 60 && !double) p = this.behind(62, p);
        else if (c === 60 || c === 91) {
          depth++;
          p += c === 60 ? 2 : 1;
        } else if (c === 62 && double || c === 93) {
          depth--;
          p += c === 62 ? 2 : 1;
          const q = skip(pdf, p);
          if (c === 62 && ascii(pdf, q, 6) === "stream") {
            if (depth > 0) throw new HoleError(over);
            body.stream = q;
          }
        } else if (c === 47) p = this.name(p, body, depth);
        else if (!regular(c)) p++;
        else {
          while (p < pdf.length && !white(pdf[p]) && regular(pdf[p])) p++;
          const word = ascii(pdf, before, Math.min(p - before, 8));
          if (word === "endobj" || word === "obj") depth = 0;
        }
        body.end = p;
        if ((this.work -= p - before) < 0) throw new HoleError("the document is nested too deeply to be checked");
        if (depth <= 0) return body;
      }
      body.end = skip(pdf, body.end) > this.from ? pdf.length : body.end;
      return body;
    }
    /** keyword reads tokens up to "endstream", which must come before the signature. */
    keyword(at2) {
      const { pdf } = this;
      for (let p = skip(pdf, at2); p < this.from; p = skip(pdf, p)) {
        const before = p;
        const c = pdf[p];
        if (c === 40) p = this.literal(p);
        else if (c === 60 && pdf[p + 1] !== 60) p = this.behind(62, p);
        else if (!regular(c)) p += c === 60 ? 2 : 1;
        else {
          while (p < pdf.length && !white(pdf[p]) && regular(pdf[p])) p++;
          if (ascii(pdf, before, 9) === "endstream" && p - before === 9) return;
        }
        if ((this.work -= p - before) < 0) throw new HoleError("the document is nested too deeply to be checked");
      }
      throw new HoleError(over);
    }
    /** name passes a name; behind /Length it takes down what is said. */
    name(p, body, depth) {
      const [name, after] = readName(this.pdf, p);
      if (name !== "Length") return after;
      const at2 = skip(this.pdf, after);
      const c = this.pdf[at2];
      if (!digit(c) && c !== 43 && c !== 45 && c !== 46) return after;
      const value = integer(ascii(this.pdf, at2, 40));
      if (value === void 0) throw new HoleError(unclear);
      body.lengths.push({ value, ref: this.isReference(at2), own: depth === 1 });
      return after;
    }
    /** isReference: "N G R", with comments allowed between. */
    isReference(at2) {
      const word = (p) => {
        while (p < this.pdf.length && regular(this.pdf[p])) p++;
        return skip(this.pdf, p);
      };
      const gen = word(at2);
      const r = word(gen);
      return digit(this.pdf[gen]) && this.pdf[r] === 82 && !(r + 1 < this.pdf.length && regular(this.pdf[r + 1]));
    }
    behind(close, p) {
      const end = this.pdf.indexOf(close, p);
      return end < 0 ? this.pdf.length : end + 1;
    }
    literal(p) {
      let open = 0;
      for (let i = p; i < this.pdf.length; i++) {
        const c = this.pdf[i];
        if (c === 92) i++;
        else if (c === 40) open++;
        else if (c === 41 && --open === 0) return i + 1;
      }
      return this.pdf.length;
    }
  };

  // ts/pdfreach.ts
  async function checkUnreachable(pdf, from, hole) {
    const packed = await packedNumbers(pdf).catch((e) => {
      if (e instanceof UnreadError) return void 0;
      throw e;
    });
    checkObjects(pdf, from, hole.end, packed);
    checkTables(pdf, from, hole);
    try {
      checkTrailers(pdf);
      await checkXRefStreams(pdf, from, hole);
    } catch (e) {
      if (e instanceof UnreadError) throw new HoleError(`a cross-reference cannot be read: ${e.message}`);
      throw e;
    }
  }
  function checkTables(pdf, from, hole) {
    const inside = (n) => n > from && n < hole.end;
    const bad = () => {
      throw new HoleError("a cross-reference points into the place of the signature");
    };
    for (let p = find2(pdf, "xref", 0); p >= 0; p = find2(pdf, "xref", p + 4)) {
      if (ascii(pdf, p - 5, 5) === "start") {
        const m = /^\+?(\d+)/.exec(ascii(pdf, skip(pdf, p + 4), 40));
        if (m && inside(Number(m[1]))) bad();
        continue;
      }
      if (!/^[+.\0\t\n\f\r -]*\d/.test(ascii(pdf, skip(pdf, p + 4), 40))) continue;
      const end = find2(pdf, "trailer", p);
      const table = ascii(pdf, p + 4, (end < 0 ? pdf.length : end) - p - 4);
      if (/[^\d\0\t\n\f\r nf]/.test(table)) throw new HoleError("a cross-reference table cannot be read");
      for (const m of table.matchAll(/(\d+)[\0\t\n\f\r ]+\d+[\0\t\n\f\r ]*n/g)) {
        if (inside(Number(m[1]))) bad();
      }
    }
    for (let p = pdf.indexOf(47); p >= 0; p = pdf.indexOf(47, p + 1)) {
      if (pdf[p + 1] !== 80 && pdf[p + 1] !== 88 && pdf[p + 1] !== 35) continue;
      const [name, after] = readName(pdf, p);
      if (name !== "Prev" && name !== "XRefStm") continue;
      const m = /^\+?(\d+)/.exec(ascii(pdf, skip(pdf, after), 40));
      if (m && inside(Number(m[1]))) bad();
    }
  }
  async function checkXRefStreams(pdf, from, hole) {
    const inside = (n) => n > from && n < hole.end;
    let unpacked = 0;
    for (const s of streamObjects(pdf)) {
      const { values } = s.dict;
      if (!values.has("W") && nameOf(pdf, s.dict, "Type") !== "XRef" && !(values.has("Size") && values.has("Index"))) continue;
      checkNext(pdf, s.dict);
      const w = integersOf(pdf, s.dict, "W");
      const [type, offset, generation] = w;
      const width = type + offset + generation;
      if (w.length !== 3 || width === 0 || type > 4 || offset > 8 || generation > 8) throw new UnreadError("unusual widths");
      const rows2 = await decodeBody(pdf, s.dict, bodyOf(pdf, s));
      if ((unpacked += rows2.length) > maxUnpacked) throw new UnreadError("too many cross-reference streams");
      for (let at2 = 0; at2 + width <= rows2.length; at2 += width) {
        const kind = type === 0 ? 1 : field(rows2, at2, type);
        if (kind === 0 || kind === 2) continue;
        const n = field(rows2, at2 + type, offset);
        if (inside(n) || inside(n % 2 ** 32)) throw new HoleError("a cross-reference points into the place of the signature");
      }
    }
  }
  function checkTrailers(pdf) {
    let work = 8 * pdf.length + 65536;
    for (let p = find2(pdf, "trailer", 0); p >= 0; p = find2(pdf, "trailer", p + 7)) {
      const at2 = skip(pdf, p + 7);
      const dict = ascii(pdf, at2, 2) === "<<" ? readEntries(pdf, at2) : void 0;
      if (dict) checkNext(pdf, dict);
      if ((work -= (dict?.end ?? at2) - p) < 0) throw new UnreadError("the document is nested too deeply to be checked");
    }
  }
  function checkNext(pdf, dict) {
    for (const key of ["Prev", "XRefStm"]) {
      if (dict.values.has(key)) integerOf(pdf, dict, key);
    }
  }
  function field(b, at2, width) {
    let n = 0;
    for (let i = 0; i < width; i++) n = n * 256 + b[at2 + i];
    return n;
  }

  // ts/pdfhole.ts
  var HoleError = class extends Error {
    constructor(message2, code3 = "hole") {
      super(message2);
      this.code = code3;
    }
    code;
  };
  var minZeros = 64;
  var maxZeros = 8 << 20;
  async function findHole(pdf) {
    if (ascii(pdf, 0, 5) !== "%PDF-") throw new HoleError("the file does not begin as a PDF");
    const whole = [];
    let lastEnd = 0;
    for (const at3 of byteRanges(pdf)) {
      const range2 = readRange(pdf, at3);
      if (!range2) continue;
      const end = range2[2] + range2[3];
      if (end >= pdf.length || range2[0] !== 0) whole.push({ at: at3, range: range2 });
      else lastEnd = Math.max(lastEnd, end);
    }
    if (whole.length === 0) throw new HoleError("no signature field covers the whole file up to its last byte", "tail");
    if (whole.length > 1) throw new HoleError("more than one signature claims the whole file");
    const { at: at2, range } = whole[0];
    const hole = checkRange(pdf, range);
    if (hole.start < lastEnd) throw new HoleError("the signature is not in the last revision", "tail");
    const object = checkDictionary(pdf, at2, hole, hole.terms);
    checkEnd(pdf, hole);
    await checkUnreachable(pdf, object, hole);
    return hole;
  }
  function covered(pdf, h) {
    return concat(pdf.subarray(0, h.start), pdf.subarray(h.end));
  }
  function checkRange(pdf, r) {
    const [zero, start, end, rest] = r;
    if (zero !== 0 || start <= 0 || end <= start || end + rest !== pdf.length) throw new HoleError("the byte range is not [0, a, b, end of file]", "tail");
    const zeros = end - start - 2;
    if (zeros < minZeros || zeros > maxZeros || zeros % 2 !== 0) throw new HoleError("the gap has not the size of a signature", "gap");
    if (pdf[start] !== 60 || pdf[end - 1] !== 62) throw new HoleError("the gap is more than the signature's own string", "gap");
    for (let i = start + 1; i < end - 1; i++) {
      if (pdf[i] !== 48) throw new HoleError("the gap is not filled with zeros", "gap");
    }
    return { start, end, terms: {} };
  }
  var signatureKeys = /* @__PURE__ */ new Set(["Type", "Filter", "SubFilter", "Contents", "ByteRange", "M", "Name", "Reason", "Location", "ContactInfo", "Prop_Build", "Reference"]);
  function checkDictionary(pdf, rangeAt, h, terms) {
    const { begin, open } = objectStart(pdf, Math.min(rangeAt, h.start));
    const seen = /* @__PURE__ */ new Map();
    let p = skip(pdf, open);
    if (ascii(pdf, p, 2) !== "<<") throw new HoleError("the signature is not a dictionary of its own");
    p = skip(pdf, p + 2);
    while (ascii(pdf, p, 2) !== ">>") {
      if (pdf[p] !== 47) throw new HoleError("the signature dictionary cannot be read");
      const [name, after] = readName(pdf, p);
      if (!signatureKeys.has(name)) throw new HoleError(`the signature dictionary has a /${name.slice(0, 40)}`);
      if (seen.has(name)) throw new HoleError(`the signature dictionary has two /${name}`);
      const value = skip(pdf, after);
      seen.set(name, name === "ByteRange" ? p : value);
      const end = skipValue(pdf, value, 0);
      if (name === "Reference") Object.assign(terms, readTerms(ascii(pdf, value, Math.min(end - value, maxReference + 1))));
      p = skip(pdf, end);
    }
    p = skip(pdf, p + 2);
    if (ascii(pdf, p, 6) !== "endobj") throw new HoleError("the signature is not a plain object");
    if (seen.get("ByteRange") !== rangeAt || seen.get("Contents") !== h.start) throw new HoleError("the gap is not this signature's /Contents", "gap");
    return begin;
  }
  var maxReference = 65536;
  var docMDP = String.raw`<< /Type /SigRef /TransformMethod /DocMDP /TransformParams << /Type /TransformParams /P ([123]) /V /1\.2 >> >>`;
  var fieldMDP = String.raw`<< /Type /SigRef /TransformMethod /FieldMDP /Data \d{1,10} \d{1,5} R /TransformParams << /Type /TransformParams /V /1\.2 /Action /(All|Include|Exclude)(?: /Fields \[(?:\((?:[^()\\]|\\.)*\)|<[0-9A-F]*>| )+\])? >> >>`;
  var reference2 = new RegExp(String.raw`^\[(?:${docMDP})?(?:${fieldMDP})?\]$`, "s");
  function readTerms(text2) {
    const m = text2.length > maxReference ? null : reference2.exec(text2);
    if (!m) throw new HoleError("the signature says something about later changes that cannot be read");
    return { ...m[1] && { certifies: Number(m[1]) }, ...m[2] && { locks: m[2] } };
  }
  function checkEnd(pdf, h) {
    const tail = ascii(pdf, Math.max(h.end, pdf.length - 64), 64);
    const m = /startxref[\r\n ]+(\d{1,15})[\r\n ]+%%EOF[\r\n]*$/.exec(tail);
    if (!m || Number(m[1]) >= pdf.length) throw new HoleError("the file does not end with its last revision", "tail");
  }
  function* byteRanges(pdf) {
    for (let i = pdf.indexOf(47); i >= 0; i = pdf.indexOf(47, i + 1)) {
      const c = pdf[i + 1];
      if (c !== 66 && c !== 35) continue;
      if (readName(pdf, i)[0] === "ByteRange") yield i;
    }
  }
  function readRange(pdf, at2) {
    let p = skip(pdf, readName(pdf, at2)[1]);
    if (pdf[p] !== 91) {
      if (digit(pdf[p])) throw new HoleError("a byte range is not written in place");
      return void 0;
    }
    const out = [];
    for (p = skip(pdf, p + 1); pdf[p] !== 93; p = skip(pdf, p)) {
      const m = /^\+?(\d{1,15})(?=[\0\t\n\f\r \]%]|$)/.exec(ascii(pdf, p, 20));
      if (!m || out.length === 4) throw new HoleError("a byte range is not four numbers");
      out.push(Number(m[1]));
      p += m[0].length;
    }
    if (out.length !== 4) throw new HoleError("a byte range is not four numbers");
    return out;
  }
  function objectStart(pdf, before) {
    const from = Math.max(0, before - 65536);
    const text2 = ascii(pdf, from, before - from);
    let last;
    for (const m of text2.matchAll(/(?<=^|[\0\t\n\f\r ])\d{1,10}[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]+obj(?![A-Za-z0-9])/g)) last = { begin: from + m.index, open: from + m.index + m[0].length };
    if (!last) throw new HoleError("the signature dictionary has no object");
    return last;
  }
  var maxNesting = 16;
  function skipValue(pdf, p, depth) {
    if (depth > maxNesting || p >= pdf.length) throw new HoleError("the signature dictionary cannot be read");
    const two = ascii(pdf, p, 2);
    if (two === "<<") return skipUntil(pdf, p + 2, ">>", depth);
    switch (two[0]) {
      case "[":
        return skipUntil(pdf, p + 1, "]", depth);
      case "/":
        return readName(pdf, p)[1];
      case "(":
        return skipLiteral(pdf, p);
      case "<": {
        const end = pdf.indexOf(62, p);
        if (end < 0) throw new HoleError("the signature dictionary cannot be read");
        return end + 1;
      }
    }
    const m = /^(?:\d+[\0\t\n\f\r ]+\d+[\0\t\n\f\r ]+R(?![A-Za-z0-9])|[A-Za-z]+|[+-]?[0-9.]+)/.exec(ascii(pdf, p, 64));
    if (!m) throw new HoleError("the signature dictionary cannot be read");
    return p + m[0].length;
  }
  function skipUntil(pdf, from, end, depth) {
    let p = skip(pdf, from);
    while (ascii(pdf, p, end.length) !== end) p = skip(pdf, skipValue(pdf, p, depth + 1));
    return p + end.length;
  }
  function skipLiteral(pdf, p) {
    let open = 0;
    for (let i = p; i < pdf.length; i++) {
      if (pdf[i] === 92) i++;
      else if (pdf[i] === 40) open++;
      else if (pdf[i] === 41 && --open === 0) return i + 1;
    }
    throw new HoleError("the signature dictionary cannot be read");
  }

  // ts/textview.ts
  var partSize = 1 << 16;
  var hidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]/u;
  function decodeText(b) {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(b);
  }
  function visible(text2) {
    const out = [];
    let plain2 = "";
    for (const c of text2) {
      if (c === "\n" || c === "	" || !hidden.test(c)) {
        plain2 += c;
        continue;
      }
      if (plain2 !== "") out.push({ text: plain2, mark: false });
      plain2 = "";
      out.push({ text: `[U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`, mark: true });
    }
    if (plain2 !== "") out.push({ text: plain2, mark: false });
    return out;
  }
  function parts(text2, size2 = partSize) {
    const out = [];
    for (let at2 = 0; at2 < text2.length; ) {
      let end = Math.min(text2.length, at2 + size2);
      const last = text2.charCodeAt(end - 1);
      if (end < text2.length && last >= 55296 && last <= 56319) end--;
      out.push(text2.slice(at2, end));
      at2 = end;
    }
    return out.length > 0 ? out : [""];
  }
  function lookOf(b) {
    if (isPDF(b)) return "pdf";
    for (const v of b) if (v < 32 && v !== 9 && v !== 10 && v !== 13 || v === 127) return "octets";
    try {
      decodeText(b);
      return "text";
    } catch {
      return "octets";
    }
  }
  function isPDF(b) {
    return new TextDecoder("latin1").decode(b.subarray(0, 1100)).includes("%PDF-");
  }
  function openText(host, title, bytes) {
    const all = parts(decodeText(bytes));
    return openParts(host, title, all.length, (n) => all[n], "text");
  }
  var rowSize = 16;
  var rowsShown = 1024;
  function rows(bytes, from, to) {
    let out = "";
    for (let at2 = from; at2 < to; at2 += rowSize) {
      const row = [...bytes.subarray(at2, Math.min(to, at2 + rowSize))];
      const hex2 = row.map((v) => v.toString(16).padStart(2, "0")).join(" ");
      out += `${at2.toString(16).padStart(8, "0")}  ${hex2.padEnd(3 * rowSize)} ${row.map((v) => v > 32 && v < 127 ? String.fromCharCode(v) : ".").join("")}
`;
    }
    return out;
  }
  function openOctets(host, title, bytes) {
    const size2 = rowSize * rowsShown;
    return openParts(host, title, Math.max(1, Math.ceil(bytes.length / size2)), (n) => rows(bytes, n * size2, Math.min(bytes.length, (n + 1) * size2)), "octets");
  }
  function openParts(host, title, count, part, kind) {
    const box2 = el("pre", { class: "octets", tabindex: "0", "aria-label": title, dir: "ltr" });
    const where = el("p", { class: "hint", role: "status", id: "part" });
    let n = 0;
    const draw = () => {
      fill(box2, ...visible(part(n)).map((v) => v.mark ? el("mark", {}, v.text) : v.text));
      box2.scrollTop = 0;
      where.textContent = count > 1 ? t(`${kind}.part`, { n: n + 1, of: count }) : t(`${kind}.whole`);
      back2.setAttribute("aria-disabled", String(n === 0));
      next.setAttribute("aria-disabled", String(n === count - 1));
    };
    const go2 = (by) => {
      n = Math.min(count - 1, Math.max(0, n + by));
      draw();
    };
    const back2 = button(t("text.back"), () => go2(-1), { class: "quiet" });
    const next = button(t("text.next"), () => go2(1), { class: "quiet", id: "next-part" });
    draw();
    host.replaceChildren(el("div", { class: "text" }, where, count > 1 && el("p", {}, back2, " ", next), box2));
    return { parts: count };
  }

  // ts/x509.ts
  function parseCertificate(der) {
    const cert = read(der, 48);
    const tbs = at(cert, 0, 48);
    const first = tbs.children[0]?.tag === 160 ? 1 : 0;
    const validity = at(tbs, first + 3, 48);
    return {
      der,
      issuer: nameText(at(tbs, first + 2, 48)),
      name: at(tbs, first + 4, 48).raw.slice(),
      subject: nameText(at(tbs, first + 4, 48)),
      notBefore: time(validity.children[0]),
      notAfter: time(validity.children[1]),
      spki: at(tbs, first + 5, 48).raw.slice()
    };
  }
  function readName2(der) {
    return nameText(read(der, 48));
  }
  function at(n, i, tag) {
    const c = n.children[i];
    if (!c || c.tag !== tag) throw new Error("certificate: unexpected structure");
    return c;
  }
  var attributeNames = { "550403": "CN", "55040a": "O", "55040b": "OU", "550406": "C", "550404": "SN", "55042a": "GN", "550405": "serialNumber" };
  function nameText(name) {
    const found = [];
    for (const rdn of name.children) {
      for (const atv of rdn.children) {
        const type = Array.from(at(atv, 0, 6).body, (v) => v.toString(16).padStart(2, "0")).join("");
        found.push([attributeNames[type] ?? "?", text(atv.children[1])]);
      }
    }
    const pick = (k) => found.find(([n]) => n === k)?.[1];
    return pick("CN") ?? pick("O") ?? found.map(([k, v]) => `${k}=${v}`).join(", ");
  }
  function text(n) {
    switch (n?.tag) {
      case 12:
        return new TextDecoder("utf-8", { fatal: true }).decode(n.body);
      case 19:
      // PrintableString
      case 22:
        return Array.from(n.body, (v) => String.fromCharCode(v & 127)).join("");
      case 20:
        return Array.from(n.body, (v) => String.fromCharCode(v)).join("");
      case 30:
        return new TextDecoder("utf-16be").decode(n.body);
    }
    throw new Error("certificate: unreadable name");
  }
  function time(n) {
    const s = n ? Array.from(n.body, (v) => String.fromCharCode(v)).join("") : "";
    const m = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(s);
    if (!m || !n || n.tag !== 23 && n.tag !== 24 || n.tag === 23 !== (m[1].length === 2)) throw new Error("certificate: unreadable time");
    let year = Number(m[1]);
    if (n.tag === 23) year += year < 50 ? 2e3 : 1900;
    return new Date(Date.UTC(year, Number(m[2]) - 1, Number(m[3]), Number(m[4]), Number(m[5]), Number(m[6])));
  }

  // ts/offer.ts
  var Stop = class extends Error {
    constructor(code3, detail, item = "") {
      super(`${code3}: ${detail}`);
      this.code = code3;
      this.detail = detail;
      this.item = item;
    }
    code;
    detail;
    item;
  };
  function files(documents) {
    return documents.reduce((n, d) => n + (d.item.xades?.form === "detached" ? d.parts.length : 1), 0);
  }
  function checkView(v) {
    const fail = (what) => {
      throw new Stop("view", what);
    };
    if (!validID(v.id) || !validID(v.level) || !validID(v.key) || !validID(v.signer.id)) fail("identifier");
    if (!displayable(v.asker) || v.asker === "" || !displayable(v.purpose)) fail("asker or purpose");
    if (v.items.length < 1 || v.items.length > maxItems) fail(`${v.items.length} items`);
    if (v.chain.length < 1) fail("no certificate");
    v.items.forEach((it, i) => {
      if (it.i !== i || it.name === "" || !displayable(it.name) || it.size < 0) fail(`item ${i}`);
      if (it.kind !== "pades" && it.kind !== "xades" && it.kind !== "raw") throw new Stop("kind", it.kind, it.name);
      if (it.xades.length !== (it.kind === "xades" ? 1 : 0) || it.kind !== "xades" && it.signed_properties !== "") fail(`item ${i}: properties`);
      if (!it.xades.every((x) => texts(x).every(displayable))) fail(`item ${i}: a property that cannot be shown`);
    });
  }
  function leaf2(v) {
    try {
      return parseCertificate(Uint8Array.from(atob(v.chain[0]), (c) => c.charCodeAt(0)));
    } catch (e) {
      throw new Stop("certificate", String(e));
    }
  }
  async function checkRequest(cfg, v, cert, signed) {
    let r;
    try {
      r = await cfg.sam.open(signed.key, (k) => openActivationRequest(k, signed), (v2) => v2.bind.iat * 1e3);
    } catch (e) {
      throw new Stop("request", String(e));
    }
    const b = r.bind;
    const differs = Object.entries({
      aud: b.aud !== cfg.aud,
      origin: r.origin !== cfg.origin,
      rpId: r.rpId !== cfg.rpId,
      carrier: r.carrier !== "webauthn",
      sub: b.sub !== v.signer.id,
      kid: b.kid !== v.key,
      alg: b.alg !== v.alg,
      n: b.n !== v.items.length,
      creds: r.creds.length < 1 || r.creds.length > 20
    }).filter(([, bad]) => bad);
    if (differs.length > 0) throw new Stop("binding", differs.map(([name]) => name).join(", "));
    if (b.cert !== encode(await digest("sha256", cert.der))) throw new Stop("certificate", "hash differs");
    return r;
  }
  function sameTerms(a, b) {
    const terms = (r) => JSON.stringify([r.bind.caller, r.bind.policy, r.assurance, [...r.creds].sort()]);
    return terms(a) === terms(b);
  }
  async function checkDocument(claim, bytes, hash, cert) {
    const stop = (code3, e) => new Stop(code3, e instanceof Error ? e.message : String(e), claim.name);
    if (claim.hash !== hash) throw stop("digest", `${claim.hash} where ${hash} belongs`);
    if (bytes.length !== claim.size) throw stop("document", `${bytes.length} bytes where ${claim.size} were announced`);
    let hole;
    try {
      hole = await findHole(bytes);
    } catch (e) {
      throw stop(e instanceof HoleError ? e.code : "hole", e);
    }
    const doc = await digest(hash, covered(bytes, hole));
    const attributes = await padesSignedAttributes(doc, cert.der);
    if (!equal(attributes, claimed(claim.signed_attributes))) throw stop("attributes", `document digest ${encode(doc)}`);
    const dtbsr = encode(await digest(hash, attributes));
    if (dtbsr !== claim.dtbsr) throw stop("digest", `${claim.dtbsr} announced, ${dtbsr} computed`);
    const item = { i: claim.i, kind: "pades", name: claim.name, hash, doc: encode(doc), dtbsr };
    return { item, size: bytes.length, parts: [{ name: claim.name, look: "pdf", bytes, doc: item.doc }], hole, attributes };
  }
  async function checkXML(claim, bytes, alg, hash, cert) {
    const stop = (code3, e) => new Stop(code3, e instanceof Error ? e.message : String(e), claim.name);
    if (claim.hash !== hash) throw stop("digest", `${claim.hash} where ${hash} belongs`);
    if (bytes.length !== claim.size) throw stop("document", `${bytes.length} bytes where ${claim.size} were announced`);
    const parts3 = [];
    const claimedX = claim.xades[0];
    try {
      parts3.push(...await dataObjects(claim, claimedX, bytes, hash));
    } catch (e) {
      throw stop("document", e);
    }
    const x = claimedX.objects ? { ...claimedX, objects: { part: claimedX.objects.part, more: claimedX.objects.more.map((o, i) => ({ ...o, doc: parts3[i + 1].doc })) } } : claimedX;
    const doc = decode(parts3[0].doc);
    let attributes;
    let properties2;
    try {
      properties2 = await signedProperties(x, cert.der);
      attributes = await signedInfo(x, claim.name, alg, hash, doc, cert.der);
    } catch (e) {
      throw stop("attributes", e);
    }
    if (!equal(properties2, claimed(claim.signed_properties))) throw stop("attributes", "SignedProperties");
    if (!equal(attributes, claimed(claim.signed_attributes))) throw stop("attributes", `document digest ${encode(doc)}`);
    const dtbsr = encode(await digest(hash, attributes));
    if (dtbsr !== claim.dtbsr) throw stop("digest", `${claim.dtbsr} announced, ${dtbsr} computed`);
    const item = { i: claim.i, kind: "xades", name: claim.name, hash, doc: encode(doc), dtbsr, xades: x };
    return { item, size: bytes.length, parts: parts3, attributes, properties: properties2 };
  }
  async function dataObjects(claim, x, bytes, hash) {
    const names = [x.objects?.part || claim.name, ...further(x).map((o) => o.name)];
    const types = [x.mime, ...further(x).map((o) => o.mime)];
    const sizes = claim.sizes ?? [bytes.length];
    if (sizes.length !== names.length || sizes.some((n) => n < 0) || sizes.reduce((a, n) => a + n, 0) !== bytes.length) throw new Error(`sizes ${sizes.join(" ")} of ${bytes.length} bytes, ${names.length} data objects`);
    const parts3 = [];
    let at2 = 0;
    for (const [i, name] of names.entries()) {
      const part = sizes.length === 1 ? bytes : bytes.slice(at2, at2 + sizes[i]);
      at2 += sizes[i];
      parts3.push({ name, look: shownAs(x.form, part), bytes: part, doc: encode(await digest(hash, part)), mime: types[i] });
    }
    return parts3;
  }
  function shownAs(form2, part) {
    const file = form2 === "detached" || form2 === "enveloping-base64";
    const look = file ? lookOf(part) : "text";
    if (look === "text") decodeText(part);
    if (look === "octets" && form2 === "detached") throw new Error("a file beside the signature that is neither text nor a PDF");
    return look;
  }
  function claimed(s) {
    try {
      return decode(s);
    } catch {
      return new Uint8Array(0);
    }
  }
  function rawDocument(claim, hash) {
    try {
      decodeLen(claim.dtbsr, hashSize[hash]);
    } catch (e) {
      throw new Stop("digest", String(e), claim.name);
    }
    if (claim.hash !== hash || claim.signed_attributes !== "") throw new Stop("digest", "raw item with attributes or another hash", claim.name);
    return { item: { i: claim.i, kind: "raw", name: claim.name, hash, doc: "", dtbsr: claim.dtbsr }, size: claim.size, parts: [] };
  }
  async function fetchOffer(cfg, relay, v, step) {
    checkView(v);
    const certificate = leaf2(v);
    step("request", 0);
    const request = await checkRequest(cfg, v, certificate, await relay.request());
    const hash = hashOf(request.bind.alg);
    const documents = [];
    for (const claim of v.items) {
      if (claim.kind === "raw") {
        documents.push(rawDocument(claim, hash));
        continue;
      }
      step("document", claim.i);
      const bytes = await fetchDocument(cfg, relay, claim);
      step("check", claim.i);
      documents.push(await (claim.kind === "xades" ? checkXML(claim, bytes, request.bind.alg, hash, certificate) : checkDocument(claim, bytes, hash, certificate)));
    }
    return { view: v, request, certificate, hash, documents };
  }
  async function fetchDocument(cfg, relay, claim) {
    const max = Math.min(cfg.maxDocument, claim.size);
    if (claim.size > cfg.maxDocument) throw new Stop("too_large", `${claim.size} bytes`, claim.name);
    try {
      return await relay.document(claim.i, max);
    } catch (e) {
      if (e instanceof TooLarge) throw new Stop("too_large", `more than ${max} bytes`, claim.name);
      if (e instanceof Error && "status" in e && e.status === 404) throw new Stop("document", "not found", claim.name);
      throw e;
    }
  }

  // ts/onetime.ts
  var requestShape4 = {
    typ: "string",
    aud: "string",
    kid: "string",
    nonce: "string",
    sub: "string",
    name: "string",
    proof: "string",
    keyType: "string",
    subject: "string",
    ca: "string",
    policy: "string",
    caller: "string",
    carrier: "string",
    creds: ["string"],
    origin: "string",
    rpId: "string",
    assurance: "string",
    life: "integer",
    iat: "integer",
    exp: "integer"
  };
  var maxLife = 1800;
  async function openOneTimeRequest(sam, s) {
    const r = exact(await openStatement(sam, label.oneTime, s), requestShape4);
    if (r.typ !== "sap/one-time-request/1") throw new Error("message of another type");
    decodeLen(r.nonce, nonceLen);
    for (const id of r.creds) decode(id);
    for (const id of [r.aud, r.kid, r.sub, r.caller, r.policy, r.ca]) {
      if (!validID(id)) throw new Error("one-time request: bad identifier");
    }
    if (r.proof === "" || !displayable(r.proof) || r.name === "" || !displayable(r.name)) throw new Error("one-time request: text that cannot be shown");
    if (r.iat <= 0 || r.exp <= r.iat || r.life < 1 || r.life > maxLife) throw new Error("one-time request: bad times");
    return r;
  }
  async function oneTimeChallenge(nonce, statement) {
    return labelled(label.oneTimeChallenge, decodeLen(nonce, nonceLen), await digest("sha256", statement));
  }
  var fileNames = (v) => v.items.flatMap((it) => [it.name, ...it.more ?? []]);
  async function checkOneTime(cfg, v, signed) {
    const texts2 = [v.asker, ...fileNames(v)];
    if (!validID(v.id) || !validID(v.signer.id) || texts2.some((s) => s === "" || !displayable(s)) || !displayable(v.purpose)) throw new Stop("view", "text or identifier");
    let request;
    let subject;
    try {
      request = await cfg.sam.open(signed.key, (k) => openOneTimeRequest(k, signed), (v2) => v2.iat * 1e3);
      subject = readName2(decode(request.subject));
      if (subject === "" || !displayable(subject)) throw new Error("a name that cannot be shown");
    } catch (e) {
      throw new Stop("request", String(e));
    }
    const differs = Object.entries({
      aud: request.aud !== cfg.aud,
      origin: request.origin !== cfg.origin,
      rpId: request.rpId !== cfg.rpId,
      carrier: request.carrier !== "webauthn",
      sub: request.sub !== v.signer.id,
      creds: request.creds.length < 1 || request.creds.length > 20
    }).filter(([, bad]) => bad);
    if (differs.length > 0) throw new Stop("binding", differs.map(([name]) => name).join(", "));
    return { request, statement: decode(signed.statement), subject };
  }
  var isOneTime = (key) => key.startsWith("o-");
  function sameKey(once, offer) {
    const b = offer.request.bind;
    if (!once) {
      if (isOneTime(b.kid)) throw new Stop("binding", "a one-time key that was not approved here");
      return;
    }
    const r = once.request;
    if (b.kid !== r.kid || b.policy !== r.policy || b.caller !== r.caller) throw new Stop("binding", "another key than the approved one");
    if (!equal(offer.certificate.name, decode(r.subject))) throw new Stop("certificate", `not in the approved name: ${encode(offer.certificate.name)}`);
  }

  // ts/once.ts
  var OnceStep = class {
    // by performance.now()
    constructor(cfg, relay, view, offer, owner) {
      this.cfg = cfg;
      this.relay = relay;
      this.view = view;
      this.offer = offer;
      this.owner = owner;
      this.yes = button(t("once.approve", { name: offer.subject }), () => void this.approve(), { class: "act", id: "make" });
      this.no = button(t("review.decline"), () => !this.busy && owner.decline(), { class: "act", id: "decline" });
      this.ends = performance.now() + (offer.request.exp - offer.request.iat) * 1e3 - 2e3;
    }
    cfg;
    relay;
    view;
    offer;
    owner;
    status = el("div", { class: "status" });
    yes;
    no;
    busy = false;
    ends;
    open() {
      const { view: v, offer } = this;
      const r = offer.request;
      const assurance = `review.assurance.${r.assurance}`;
      show(
        t("once.title"),
        facts(
          [t("review.who"), el("strong", {}, foreign(v.asker))],
          [t("review.why"), v.purpose === "" ? t("review.no_purpose") : foreign(v.purpose)],
          [t("review.files"), el("ul", { class: "files" }, ...fileNames(v).map((name) => el("li", {}, foreign(name))))]
        ),
        el("p", {}, t("once.explain")),
        facts(
          [t("once.holder"), el("strong", { id: "holder" }, foreign(offer.subject))],
          [t("once.person"), foreign(`${r.name} (${r.proof})`)],
          [t("once.ca"), foreign(r.ca)],
          [t("once.policy"), foreign(r.policy)],
          [t("once.life"), el("strong", { id: "life" }, t("once.life.text", { n: Math.max(1, Math.floor(r.life / 60)) }))],
          [t("review.assurance"), has(assurance) ? t(assurance) : foreign(r.assurance)]
        ),
        el("p", {}, t("once.next")),
        el("div", { class: "actions" }, this.yes, this.no),
        this.status
      );
    }
    async approve() {
      if (this.busy) return;
      if (performance.now() > this.ends) return this.owner.again();
      this.wait(t("review.passkey.wait"));
      try {
        const r = this.offer.request;
        const challenge2 = await oneTimeChallenge(r.nonce, this.offer.statement);
        const proof = await approve(this.cfg.rpId, r.creds, challenge2, Math.max(1e4, this.ends - performance.now()));
        this.owner.approved();
        await this.send(proof);
      } catch (e) {
        if (e instanceof PasskeyError && e.kind === "cancelled") return this.tell(t("once.cancelled"));
        if (e instanceof PasskeyError) return this.tell(e.kind === "unsupported" ? t("review.passkey.unsupported") : t("review.passkey.other", { detail: e.message }));
        this.owner.fail(e);
      }
    }
    /** send repeats the same bytes after a lost answer: they never make a second key. */
    async send(proof, again = false) {
      this.wait(t("once.making"));
      try {
        this.owner.made(await this.relay.oneTimeApprove(this.offer.statement, proof));
      } catch (e) {
        if (!(e instanceof RelayError)) return this.owner.fail(e);
        const said = again || e.repeated ? t("error.unsure") : sentence(e, "once.refused");
        if (e.retry === "never") return this.tell(said, button(t("common.try_again"), () => this.owner.again(), { class: "act", id: "again" }));
        this.tell(t(e.code === "network" ? "once.network" : "once.later"), button(t("once.send_again"), () => void this.send(proof, true), { class: "act", id: "send-again" }));
        this.rest(true);
      }
    }
    rest(busy) {
      this.busy = busy;
      for (const b of [this.yes, this.no]) b.setAttribute("aria-disabled", String(busy));
    }
    wait(text2) {
      this.rest(true);
      fill(this.status, el("p", { class: "working" }, text2));
      say(text2);
    }
    tell(text2, ...more2) {
      this.rest(false);
      fill(this.status, el("div", { role: "alert", class: "notice" }, el("p", {}, text2), ...more2));
    }
  };

  // ts/memory.ts
  var tokenKey = (op) => `assent-operation:${op}`;
  var onceKey = (op) => `assent-once:${op}`;
  function put(key, value) {
    try {
      sessionStorage.setItem(key, value);
    } catch {
    }
  }
  function get(key) {
    try {
      return sessionStorage.getItem(key);
    } catch {
      return null;
    }
  }
  function drop(key) {
    try {
      sessionStorage.removeItem(key);
    } catch {
    }
  }
  var rememberToken = (op, token2) => put(tokenKey(op), token2);
  var recallToken = (op) => get(tokenKey(op));
  var rememberOnce = (op, offer) => put(onceKey(op), JSON.stringify(offer));
  function recallOnce(op) {
    try {
      return exact(JSON.parse(get(onceKey(op)) ?? ""), signedShape);
    } catch {
      return void 0;
    }
  }
  function forget(op) {
    drop(tokenKey(op));
    drop(onceKey(op));
  }

  // ts/fingerprint.ts
  var svg = "http://www.w3.org/2000/svg";
  function fingerprint(digest2) {
    const text2 = hex(digest2.subarray(0, 8)).replace(/(.{4})(?=.)/g, "$1 ");
    return el("span", { class: "fingerprint", title: hex(digest2) }, bar(digest2), el("code", {}, text2));
  }
  function bar(digest2) {
    const n = 8;
    const s = document.createElementNS(svg, "svg");
    s.setAttribute("viewBox", `0 0 ${n * 10} 12`);
    s.setAttribute("class", "bar");
    s.setAttribute("aria-hidden", "true");
    for (let i = 0; i < n; i++) {
      const r = document.createElementNS(svg, "rect");
      r.setAttribute("x", String(i * 10));
      r.setAttribute("width", "10");
      r.setAttribute("height", "12");
      r.setAttribute("fill", `hsl(${Math.round(digest2[i] * 360 / 256)} 65% ${35 + digest2[i + 8] % 4 * 10}%)`);
      s.append(r);
    }
    return s;
  }

  // ts/result.ts
  var Result = class {
    constructor(cfg, relay, offer, signed, receipt) {
      this.cfg = cfg;
      this.relay = relay;
      this.offer = offer;
      this.signed = signed;
      this.receipt = receipt;
    }
    cfg;
    relay;
    offer;
    signed;
    receipt;
    status = el("p", { role: "status", id: "result-status" });
    downloads = el("div", { class: "downloads" });
    /** open shows the step; the documents may still be on their way. */
    open() {
      const docs = this.offer.documents;
      const name = this.offer.certificate.subject;
      show(
        docs.every((d) => d.parts.length > 0) ? t("result.title", { n: files(docs) }) : t("result.raw.title"),
        el("div", { class: "signed", id: "signed" }, el("p", {}, t("result.text", { name, time: moment(new Date(this.receipt.time)) })), this.status),
        this.downloads,
        el("h2", {}, t("result.three")),
        el("p", { class: "hint" }, t("result.three.explain")),
        ...docs.flatMap((d) => d.parts.length === 0 ? [this.three(d)] : d.parts.map((p, i) => this.three(d, p, i))),
        button(t("result.receipt"), () => this.saveReceipt(), { class: "act", id: "receipt" }),
        el("p", { class: "hint" }, t("result.receipt.explain")),
        el("p", { class: "hint" }, t("result.not_you", { id: this.offer.view.id })),
        onward(this.cfg, this.offer.view.return_url) ?? back(this.cfg, this.offer.view.id)
      );
      this.status.textContent = t("result.working");
    }
    /** finished offers the documents. */
    finished() {
      this.status.textContent = "";
      fill(
        this.downloads,
        ...this.offer.documents.filter((d) => d.parts.length > 0).map((d) => button(t("result.download", { name: d.item.name }), () => void this.save(d), { class: "act" }))
      );
    }
    /** note puts a sentence where progress is told. */
    note(text2) {
      this.status.textContent = text2;
    }
    /** three are the fingerprints of one data object: as shown here, as approved, and inside of what was signed. */
    three(d, p, n = 0) {
      const approved = p ? n === 0 ? d.item.doc : d.item.xades.objects.more[n - 1].doc : d.item.dtbsr;
      const row = (label3, value, kind) => el("tr", { "data-kind": kind }, el("th", { scope: "row" }, label3), el("td", {}, value));
      return el(
        "table",
        { class: "three" },
        el("caption", {}, foreign(d.item.xades?.objects ? `${d.item.name}: ${p.name}` : d.item.name)),
        el(
          "tbody",
          {},
          row(t("result.shown"), p ? fingerprint(decode(p.doc)) : t("result.not_shown"), "shown"),
          row(t("result.approved"), fingerprint(decode(approved)), "approved"),
          row(t("result.signed"), fingerprint(this.signedDigest(d, n)), "signed")
        )
      );
    }
    /**
     * signedDigest is taken from what the verified signature covers: the
     * message-digest inside the attributes (for raw items the receipt's digest),
     * not from what was shown.
     */
    signedDigest(d, n) {
      if (!d.attributes) return decode(this.receipt.items[d.item.i].dtbsr);
      if (d.item.kind === "xades") return signedDigests(d.attributes)[n] ?? new Uint8Array(0);
      const mark = new Uint8Array([42, 134, 72, 134, 247, 13, 1, 9, 4]);
      for (let i = 0; i + mark.length < d.attributes.length; i++) {
        const at2 = i + mark.length;
        if (equal(d.attributes.subarray(i, at2), mark)) return d.attributes.slice(at2 + 4, at2 + 4 + d.attributes[at2 + 3]);
      }
      return new Uint8Array(0);
    }
    /** save fetches a signed file and keeps it only if it is the approved document. */
    async save(d) {
      const name = d.item.name;
      const xml = d.item.kind === "xades";
      let file;
      try {
        file = await this.relay.result(d.item.i, (contained(d) ? 2 * d.size : xml ? this.cfg.maxDocument : d.size) + (this.longTerm() ? 64 << 20 : 1 << 20));
      } catch {
        return this.note(t("result.download.failed"));
      }
      if (xml) return this.saveXML(d, file);
      const more2 = file.length - d.size;
      const fits3 = more2 === 0 || more2 > 0 && this.longTerm();
      const value = decode(this.receipt.items[d.item.i].signature);
      const filled = d.hole && find(hexBytes(file.subarray(d.hole.start + 1, d.hole.end - 1)), value) >= 0;
      const same = d.hole && filled && fits3 && equal(await digest(this.offer.hash, covered(file.subarray(0, d.size), d.hole)), decode(d.item.doc));
      if (!same) return this.note(t("result.download.bad"));
      download(file, name.replace(/(\.pdf)?$/i, "-signed.pdf"), "application/pdf");
      this.note(more2 === 0 ? t("result.download.ok", { name }) : t("result.download.longer", { name, size: size(d.size), more: size(more2) }));
    }
    /** longTerm: the level that the signer saw adds validation data behind the signature. */
    longTerm() {
      return this.offer.view.level === "B-LT" || this.offer.view.level === "B-LTA";
    }
    /**
     * saveXML keeps a file that has the very signature that was approved in it, and the very
     * file that stands in it in base64. That the rest of XML is the document, only a reader of XML
     * can tell, which this page is not; the signature shows it to every verifier.
     */
    saveXML(d, file) {
      const name = d.item.name;
      const value = base64(xmlValue(this.offer.request.bind.alg, decode(this.receipt.items[d.item.i].signature)));
      const parts3 = [d.attributes, d.properties, utf8(`>${value}</ds:SignatureValue>`)];
      const holds = !contained(d) || holdsBase64(file, '-object">', d.parts[0].bytes, "</ds:Object>");
      const mine = holds && parts3.every((part) => find(file, part) >= 0);
      if (!mine) return this.note(t("result.download.bad"));
      download(file, d.item.xades?.form === "detached" || contained(d) ? `${name}.xades.xml` : name.replace(/(\.xml)?$/i, "-signed.xml"), "application/xml");
      this.note(t("result.download.xml", { name }));
    }
    saveReceipt() {
      download(new TextEncoder().encode(JSON.stringify(this.signed, null, 1)), `receipt-${this.offer.view.id}.json`, "application/json");
      say(t("result.receipt"));
    }
  };
  var contained = (d) => d.item.xades?.form === "enveloping-base64";
  function download(bytes, name, type) {
    const url = URL.createObjectURL(new Blob([bytes], { type }));
    el("a", { href: url, download: name.replace(/[\\/:*?"<>|]/g, "_") }).click();
    setTimeout(() => URL.revokeObjectURL(url), 6e4);
  }
  function over2(v) {
    return ["finished", "declined", "cancelled", "expired", "failed"].includes(v.state);
  }
  function receiptTerms(offer, sad, proof) {
    return {
      sad,
      proof,
      aud: offer.request.bind.aud,
      alg: offer.request.bind.alg,
      certificate: offer.certificate.der,
      spki: offer.certificate.spki,
      items: offer.documents.map((d) => ({ dtbsr: d.item.dtbsr, raw: d.item.kind === "raw", ...d.attributes ? { attributes: d.attributes } : {} }))
    };
  }

  // ts/datatype.ts
  var textTypes = ["text/plain", "text/csv", "text/xml", "application/xml", "application/json"];
  var drawn = ["application/xhtml+xml", "image/svg+xml"];
  function misfit(look, mime, bytes) {
    if (look === "octets") return "";
    if (!(look === "pdf" ? mime.toLowerCase() === "application/pdf" : isText(mime))) return "type";
    return (look === "pdf" ? onlyPDF(bytes) : onlyText(bytes)) ? "" : "both";
  }
  function isText(mime) {
    const m = /^([a-z0-9.-]+\/[a-z0-9.+-]+)(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$/.exec(mime.toLowerCase());
    return m !== null && !drawn.includes(m[1]) && (textTypes.includes(m[1]) || /\/[a-z0-9.-]+\+(?:xml|json)$/.test(m[1]));
  }
  var zipEnd = 22 + 65535;
  function onlyPDF(b) {
    const end = lastOf(b, "%%EOF", b.length);
    if (ascii(b, 0, 5) !== "%PDF-" || end < 0) return false;
    for (let p = end + 5; p < b.length; p++) if (!white(b[p])) return false;
    return lastOf(b, "PK", zipEnd) < 0;
  }
  function lastOf(b, word, n) {
    const from = Math.max(0, b.length - n);
    for (let p = b.lastIndexOf(word.charCodeAt(0)); p >= from; p = p === 0 ? -1 : b.lastIndexOf(word.charCodeAt(0), p - 1)) {
      if (ascii(b, p, word.length) === word) return p;
    }
    return -1;
  }
  function onlyText(b) {
    if (isPDF(b)) return false;
    const head = ascii(b, 0, 1024).replace(/^\xef\xbb\xbf/, "");
    if (!/^<\?xml[ \t\r\n]/.test(head)) return true;
    const end = head.indexOf("?>");
    const declared = head.slice(0, end).split("encoding").slice(1);
    return end >= 0 && declared.every((d) => /^[ \t\r\n]*=[ \t\r\n]*["']utf-8["']/i.test(d));
  }

  // ts/pdfform.ts
  var foreignKeys = ["XRefStm", "N", "First", "Extends", "Linearized"];
  var maxObject = 8388608;
  var linearizedAt = 9;
  function plainStream(pdf, at2, dict) {
    if (!/^\d{1,10} \d{1,5} obj/.test(ascii(pdf, at2, 24)) || foreignKeys.some((k) => dict.values.has(k))) return false;
    const w = integersOf(pdf, dict, "W");
    const index = dict.values.has("Index") ? integersOf(pdf, dict, "Index") : [];
    const parms = dict.values.get("DecodeParms");
    const none2 = parms && /^\[?[\0\t\n\f\r ]*null/.test(ascii(pdf, parms[0], 64));
    return w.length === 3 && w[0] <= 1 && index.length % 2 === 0 && !index.some((n, i) => i % 2 === 1 && n === 0) && !none2;
  }
  function nameable(text2) {
    return [...text2.matchAll(/(\d+)[\0\t\n\f\r ]+(\d+)[\0\t\n\f\r ]+R(?![^\0\t\n\f\r ()<>[\]{}/%])/g)].every((m) => Number(m[1]) > 0 && Number(m[1]) <= maxObject && Number(m[2]) <= 65535);
  }
  function sameBeginning(pdf, newest) {
    return beginnings.every((from) => {
      const dict = linearization(pdf, from);
      if (dict === void 0) return true;
      const length = lengthOf(pdf, dict);
      if (length === void 0) return false;
      if (length !== pdf.length) return true;
      const end = find2(pdf, "endobj", from);
      return end >= 0 && behindSpace(pdf, end + 6) === behindSpace(pdf, newest);
    });
  }
  var beginnings = [0, linearizedAt];
  function linearized(pdf) {
    return beginnings.map((from) => linearization(pdf, from)).filter((dict) => dict !== void 0 && lengthOf(pdf, dict) === pdf.length);
  }
  function lengthOf(pdf, dict) {
    const [p, end] = dict.values.get("L") ?? [0, 0];
    const text2 = dict.twice ? "" : ascii(pdf, p, Math.min(end - p, 20));
    return /^\d{1,15}$/.test(text2) ? Number(text2) : void 0;
  }
  function linearization(pdf, from) {
    const at2 = skip(pdf, from);
    const gen = /^\d{1,10}/.exec(ascii(pdf, at2, 10));
    if (!gen) return void 0;
    const word = skip(pdf, at2 + gen[0].length);
    const second = /^\d{1,10}/.exec(ascii(pdf, word, 10));
    const obj = second ? skip(pdf, word + second[0].length) : 0;
    if (!second || ascii(pdf, obj, 3) !== "obj") return void 0;
    const begin = skip(pdf, obj + 3);
    if (ascii(pdf, begin, 2) !== "<<") return void 0;
    try {
      const dict = readEntries(pdf, begin);
      return dict.values.has("Linearized") ? dict : void 0;
    } catch (e) {
      if (e instanceof UnreadError) return void 0;
      throw e;
    }
  }
  function behindSpace(pdf, p) {
    while (p < pdf.length && white(pdf[p])) p++;
    return p;
  }

  // ts/pdfcensus.ts
  var maxSections = 2048;
  var maxObjects2 = 1 << 20;
  var lastWords = 1e3;
  var maxNumber = 2 ** 21;
  var free = -1;
  var inStream = -2;
  var maxComments = 8;
  var heldBy = (container, n) => container * 2 ** 24 + n;
  var Odd = class extends Error {
  };
  async function listing(pdf) {
    try {
      const c = new Census(pdf);
      await c.sections();
      c.words();
      await c.packed();
      return c;
    } catch (e) {
      if (e instanceof Odd || e instanceof UnreadError) return void 0;
      throw e;
    }
  }
  var Census = class {
    // no object has a number as high
    constructor(pdf) {
      this.pdf = pdf;
    }
    pdf;
    root;
    places = /* @__PURE__ */ new Map();
    // object: where it is
    keywords = /* @__PURE__ */ new Set();
    // where "obj" stands of what is listed, and "trailer" of sections
    hidden = /* @__PURE__ */ new Map();
    // the same of what a section lists as free, and for newer readers as in use
    freed = /* @__PURE__ */ new Set();
    // what the section is the first to list as free
    packs = [];
    // object streams that are named
    standing = /* @__PURE__ */ new Map();
    // where it is: object
    held = /* @__PURE__ */ new Set();
    // what object streams are said to hold, see heldBy
    encrypted = false;
    unpacked = 0;
    // octets
    size = 0;
    async sections() {
      const { pdf } = this;
      const tail = ascii(pdf, Math.max(0, pdf.length - lastWords), lastWords);
      const last = /startxref[\0\t\n\f\r ]+(\d{1,15})[\0\t\n\f\r ]+%%EOF[\0\t\n\f\r ]*$/.exec(tail);
      if (!last || tail.lastIndexOf("startxref") !== last.index) throw new Odd("no end");
      const seen = /* @__PURE__ */ new Set();
      let at2 = Number(last[1]);
      if (!sameBeginning(pdf, at2)) throw new Odd("a linearized file of two beginnings");
      const table = ascii(pdf, at2, 4) === "xref";
      for (; ; ) {
        if (table !== (ascii(pdf, at2, 4) === "xref")) throw new Odd("sections of two kinds");
        if (seen.has(at2) || seen.size >= maxSections) throw new Odd("sections");
        seen.add(at2);
        this.freed.clear();
        const trailer = await this.section(at2);
        if (seen.size === 1) this.root = trailer.values.get("Root");
        this.encrypted ||= trailer.values.has("Encrypt");
        if (trailer.values.has("XRefStm")) await this.stream(integerOf(pdf, trailer, "XRefStm"));
        const prev = trailer.values.has("Prev") ? integerOf(pdf, trailer, "Prev") : 0;
        if (prev === 0) break;
        at2 = prev;
      }
      for (const [n, at3] of this.places) if (at3 !== free && n >= this.size) throw new Odd("a size that is too small");
      if (this.packs.some((n) => (this.places.get(n) ?? free) <= 0)) throw new Odd("an object stream that is not there");
    }
    place(object) {
      const at2 = this.hidden.get(object) ?? this.places.get(object) ?? free;
      if (at2 === free) return void 0;
      const held = inStream - at2;
      return at2 > free ? { at: at2 } : { container: Math.floor(held / 2 ** 24), index: held % 2 ** 24 };
    }
    objects() {
      return this.places.keys();
    }
    /** section reads one and returns its trailer. */
    async section(at2) {
      if (ascii(this.pdf, at2, 4) !== "xref") return this.stream(at2);
      const listed = /* @__PURE__ */ new Set();
      const [p, highest] = this.table(at2, listed);
      this.keywords.add(p);
      const trailer = readEntries(this.pdf, skip(this.pdf, p + 7));
      if (!/^(?:[\0\t\n\f\r ]|%[^\r\n]*[\r\n])*startxref/.test(ascii(this.pdf, trailer.end, 256))) throw new Odd("an unusual trailer");
      this.close(trailer, highest);
      return trailer;
    }
    close(trailer, highest) {
      const size2 = Math.max(integerOf(this.pdf, trailer, "Size"), trailer.values.has("Prev") ? 0 : highest + 1);
      const text2 = ascii(this.pdf, trailer.begin, trailer.end - trailer.begin).replace(/\([^()\\]*\)|<[0-9A-Fa-f\s]*>/g, "");
      if (trailer.twice || size2 <= highest || size2 > maxNumber || /\d{11}/.test(text2) || !nameable(text2)) throw new Odd("an unusual trailer");
      if (this.size === 0) this.size = size2;
    }
    /** table reads lines in their one form; it returns where the trailer begins, and the highest number. */
    table(at2, listed) {
      const { pdf } = this;
      let highest = 0;
      let line = /^xref *(?:\r\n|\r|\n)/.exec(ascii(pdf, at2, 64));
      if (!line) throw new Odd("a table");
      let p = at2 + line[0].length;
      for (; ; ) {
        let q = p;
        while (white(pdf[q])) q++;
        if (ascii(pdf, q, 7) === "trailer") return [q, highest];
        line = /^(\d{1,8}) (\d{1,8}) *(?:\r\n|\r|\n)/.exec(ascii(pdf, p, 64));
        if (!line) throw new Odd("a table");
        p += line[0].length;
        const [first, count] = [Number(line[1]), Number(line[2])];
        for (let n = first; n < first + count; n++, p += 20) {
          const m = /^(\d{10}) (\d{5}) ([nf])(?: \n| \r|\r\n)$/.exec(ascii(pdf, p, 20));
          if (!m || m[3] === "f" && n === 1 && n === first && m[2] === "65535") throw new Odd("a table");
          this.entry(n, m[3] === "n" ? Number(m[1]) : free, Number(m[2]), listed);
          highest = Math.max(highest, n);
        }
      }
    }
    /** stream reads a cross-reference stream. */
    async stream(at2) {
      const { pdf } = this;
      if (!this.header(at2)) throw new Odd("no cross-reference where one is said to be");
      const dict = readEntries(pdf, skip(pdf, find2(pdf, "obj", at2) + 3));
      const keyword = skip(pdf, dict.end);
      if (ascii(pdf, keyword, 6) !== "stream") throw new Odd("no cross-reference");
      if (!plainStream(pdf, at2, dict)) throw new Odd("a cross-reference stream of an unusual form");
      const w = integersOf(pdf, dict, "W");
      const [type, place2, rest] = w;
      if (w.length !== 3 || type > 4 || place2 < 1 || place2 > 8 || rest > 8) throw new Odd("unusual widths");
      const rows2 = await decodeBody(pdf, dict, bodyOf(pdf, { dict, keyword }));
      if ((this.unpacked += rows2.length) > maxUnpacked) throw new Odd("too many cross-reference streams");
      const index = dict.values.has("Index") ? integersOf(pdf, dict, "Index") : [0, integerOf(pdf, dict, "Size")];
      const listed = /* @__PURE__ */ new Set();
      let highest = 0;
      let p = 0;
      const field2 = (width) => {
        let n = 0;
        for (let i = 0; i < width; i++) n = n * 256 + rows2[p++];
        return n;
      };
      for (let i = 0; i < index.length; i += 2) {
        for (let n = index[i]; n < index[i] + (index[i + 1] ?? NaN); n++) {
          if (p + type + place2 + rest > rows2.length) throw new Odd("it ends early");
          const kind = type === 0 ? 1 : field2(type);
          const [a, b] = [field2(place2), field2(rest)];
          if (kind > 2 || n === 0 && kind !== 0) throw new Odd("an unusual entry");
          if (kind === 2) {
            this.packs.push(a);
            this.held.add(heldBy(a, n));
          }
          if (this.packs.length > maxObjects2) throw new Odd("too many objects");
          this.entry(n, kind === 1 ? a : kind === 2 ? inStream - heldBy(a, Math.min(b, 2 ** 24 - 1)) : free, b, listed);
          highest = Math.max(highest, n);
        }
      }
      this.close(dict, highest);
      return dict;
    }
    /** entry: an object in use stands where it says, and an older one of the number not behind it. */
    entry(n, at2, generation, listed) {
      if (listed.has(n)) throw new Odd("listed twice");
      listed.add(n);
      const newer = this.places.get(n);
      if (newer === void 0) {
        this.places.set(n, at2);
        if (at2 === free) this.freed.add(n);
      } else if (this.freed.has(n) && at2 !== free && !this.hidden.has(n)) this.hidden.set(n, at2);
      if (this.places.size > maxObjects2 || this.keywords.size > maxObjects2) throw new Odd("too many objects");
      if (at2 === free || at2 <= inStream) return;
      const h = at2 > 0 && at2 < this.pdf.length ? this.header(at2) : void 0;
      this.standing.set(at2, n);
      if (!h || n === 0 || h[0] !== n || h[1] !== generation || newer !== void 0 && newer > 0 && newer < at2) throw new Odd("an object is not in its place");
    }
    /** header reads "N G obj" and takes down where the keyword stands. */
    header(at2) {
      const m = /^(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj(?=[\0\t\n\f\r ()<>[\]{}/%]|$)/.exec(ascii(this.pdf, at2, 48));
      if (!m || /[^\0\t\n\f\r ()<>[\]{}/%]/.test(ascii(this.pdf, at2 - 1, 1))) return void 0;
      this.keywords.add(at2 + m[0].length - 3);
      return [Number(m[1]), Number(m[2])];
    }
    /** packed makes sure that object streams hold nothing that is not listed there: a search of the file finds it. */
    async packed() {
      const { pdf } = this;
      const unlock2 = await this.unlocked();
      if (!unlock2) return;
      for (const [at2, container] of this.standing) {
        const p = skip(pdf, find2(pdf, "obj", at2) + 3);
        if (ascii(pdf, p, 2) !== "<<") continue;
        const numbers = await this.numbers(p, unlock2);
        if (numbers.some((n) => !this.held.has(heldBy(container, n)))) throw new Odd("an object stream holds what is not listed");
      }
    }
    /** unlocked undoes the encryption of object streams; undefined for one that is not known, of which the signer is told that the file was not looked through. */
    async unlocked() {
      const clear = (body) => Promise.resolve(body);
      if (!this.encrypted) return clear;
      try {
        return await opener(this.pdf) ?? clear;
      } catch (e) {
        if (e instanceof UnreadError) return void 0;
        throw e;
      }
    }
    /** numbers are those of the objects in an object stream whose dictionary is at p. */
    async numbers(p, unlock2) {
      const { pdf } = this;
      let dict;
      try {
        dict = readEntries(pdf, p);
      } catch (e) {
        if (e instanceof UnreadError) return [];
        throw e;
      }
      const s = { dict, keyword: skip(pdf, dict.end) };
      if (ascii(pdf, s.keyword, 6) !== "stream" || !isPacked(pdf, s)) return [];
      const text2 = await decodeBody(pdf, dict, await unlock2(bodyOf(pdf, s)));
      if ((this.unpacked += text2.length) > maxUnpacked) throw new Odd("too many object streams");
      return readIndex(text2, integerOf(pdf, dict, "N"), integerOf(pdf, dict, "First")).map(([n]) => n);
    }
    /** words makes sure that every object and trailer that a search would find is one of those listed. */
    words() {
      const { pdf } = this;
      const ends3 = /^(?:[\0\t\n\f\r ()<>[\]{}/%]|$)/;
      for (let p = find2(pdf, "obj", 0); p >= 0; p = find2(pdf, "obj", p + 3)) {
        if (!this.keywords.has(p) && ascii(pdf, p - 3, 3) !== "end" && ends3.test(ascii(pdf, p + 3, 1)) && this.mayBegin(p)) throw new Odd("an object that is not listed");
      }
      for (let p = find2(pdf, "trailer", 0); p >= 0; p = find2(pdf, "trailer", p + 7)) {
        if (!this.keywords.has(p) && ends3.test(ascii(pdf, p + 7, 1))) throw new Odd("a trailer that is not listed");
      }
    }
    /** mayBegin tells whether readers can find two numbers in front of a keyword, over comments if need be. */
    mayBegin(keyword) {
      const { pdf } = this;
      const from = Math.max(0, keyword - 256);
      const before = ascii(pdf, from, keyword - from);
      let p = before.length - 1;
      for (let comments = 0; comments < maxComments; comments++) {
        while (p >= 0 && white(before.charCodeAt(p))) p--;
        if (p < 0) return false;
        if (digit(before.charCodeAt(p))) return true;
        if (comments === 0 && !/[\r\n]/.test(before.slice(p + 1))) return false;
        const comment = before.indexOf("%", Math.max(before.lastIndexOf("\n", p), before.lastIndexOf("\r", p)) + 1);
        if (comment < 0 || comment > p) return false;
        p = comment - 1;
      }
      return true;
    }
  };

  // ts/pdfhazards.ts
  var meanings = new Map(
    Object.entries({
      script: ["JS", "JavaScript"],
      launch: ["Launch", "GoToR", "ImportData", "SubmitForm", "Hide", "Thread"],
      attachments: ["EmbeddedFile", "EmbeddedFiles", "FileAttachment", "GoToE", "AF"],
      optional: ["OCG", "OCMD", "OCProperties", "Alternates"],
      xfa: ["XFA"],
      other: ["AdditionalStreams"],
      // of a trailer: LibreOffice opens what it leads to
      media: ["RichMedia", "Movie", "Sound", "Rendition", "Screen", "3D"],
      outside: ["FFilter", "OPI"]
    }).flatMap(([meaning, names]) => names.map((n) => [n, meaning]))
  );
  var maxDict = 12 << 10;
  async function hazards(pdf) {
    const found = /* @__PURE__ */ new Set();
    const objects = allStreams(pdf, found);
    const packed = objects.filter((o) => isPacked(pdf, o));
    const metadataAt = new Set(objects.filter(({ dict }) => !dict.twice && nameOf(pdf, dict, "Type") === "Metadata").map((o) => o.keyword));
    const encrypts2 = [];
    let at2 = 0;
    let packs = 0;
    let crypts = 0;
    let metadata = 0;
    for (const s of streams(pdf)) {
      if (s.data < at2) continue;
      const before = scan(pdf, at2, s.data, found);
      encrypts2.push(...before.encrypts);
      crypts += before.crypts;
      packs += before.packs;
      if (before.crypts === 1 && metadataAt.has(s.keyword)) metadata++;
      at2 = s.end;
      if (holdsSyntax(pdf, s.data, s.end)) encrypts2.push(...scan(pdf, s.data, s.end, found).encrypts);
    }
    const rest = scan(pdf, at2, pdf.length, found);
    encrypts2.push(...rest.encrypts);
    if (packs + rest.packs > packed.length) found.add("unread");
    const lock = await lockOf2(pdf, encrypts2, found);
    if (crypts + rest.crypts > (lock && !lock.metadata ? metadata : 0)) found.add("mixed");
    await unpack(pdf, packed, lock, found);
    return found;
  }
  function allStreams(pdf, found) {
    try {
      return streamObjects(pdf);
    } catch (e) {
      if (!(e instanceof UnreadError)) throw e;
      found.add("unread");
      return [];
    }
  }
  function* streams(pdf) {
    for (let p = find2(pdf, "stream", 0); p >= 0; p = find2(pdf, "stream", p + 6)) {
      if (ascii(pdf, p - 3, 3) === "end" || pdf[p + 6] !== 10 && pdf[p + 6] !== 13) continue;
      let q = p - 1;
      while (q > 0 && white(pdf[q])) q--;
      if (ascii(pdf, q - 1, 2) !== ">>") continue;
      const data2 = p + 6 + (pdf[p + 6] === 13 && pdf[p + 7] === 10 ? 2 : 1);
      const end = find2(pdf, "endstream", data2);
      yield { keyword: p, data: data2, end: end < 0 ? pdf.length : end };
    }
  }
  async function lockOf2(pdf, encrypts2, found) {
    if (encrypts2.length === 0) return void 0;
    try {
      const lock = await unlock(pdf, encrypts2);
      if (!lock.whole) found.add("mixed");
      return lock;
    } catch {
      found.add("unread");
      return void 0;
    }
  }
  async function unpack(pdf, packed, lock, found) {
    let unpacked = 0;
    const look = async ({ dict }, body, partly) => {
      if (unpacked > maxUnpacked) throw new UnreadError("too many object streams");
      const text2 = await decodeBody(pdf, dict, body, partly);
      unpacked += text2.length;
      if (scan(text2, 0, text2.length, found).encrypts.length > 0) found.add("unread");
      if (!partly) readIndex(text2, integerOf(pdf, dict, "N"), integerOf(pdf, dict, "First"));
    };
    for (const s of packed) {
      try {
        if (s.dict.end - s.dict.begin > maxDict) throw new UnreadError("a long dictionary");
        const body = bodyOf(pdf, s);
        if (lock?.streams) await look(s, body, true).catch(() => void 0);
        await look(s, lock?.streams ? await lock.open(trimmed(body)) : body, false);
      } catch {
        found.add("unread");
      }
    }
  }
  function scan(pdf, from, to, found) {
    const seen = { packs: 0, encrypts: [], crypts: 0 };
    for (let p = pdf.indexOf(47, from); p >= 0 && p < to; p = pdf.indexOf(47, p + 1)) {
      const [name] = readName(pdf, p);
      const meaning = meanings.get(name);
      if (meaning) found.add(meaning);
      if (name === "ObjStm") seen.packs++;
      if (name === "Crypt") seen.crypts++;
      if (name === "Encrypt") seen.encrypts.push(p);
    }
    return seen;
  }
  function holdsSyntax(pdf, from, to) {
    for (let p = find2(pdf, "obj", from); p >= 0 && p < to; p = find2(pdf, "obj", p + 3)) {
      let q = p - 1;
      while (q > from && white(pdf[q])) q--;
      if (digit(pdf[q]) || /[\n\r]/.test(ascii(pdf, Math.max(q, p - 1024), Math.min(p - q, 1024)))) return true;
    }
    const trailer = find2(pdf, "trailer", from);
    return trailer >= 0 && trailer < to;
  }

  // ts/pdfload.ts
  var maxChain = 8;
  var atOnce = 1 << 20;
  var maxKept = 64 << 20;
  function refOf({ b, from, to }) {
    const m = /^(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+R$/.exec(ascii(b, from, Math.min(to - from, 64)));
    return m ? { num: Number(m[1]), gen: Number(m[2]) } : void 0;
  }
  function textOf({ b, from, to }) {
    return to - from <= 64 ? ascii(b, from, to - from) : "";
  }
  function valueOf({ b }, dict, key) {
    const at2 = dict.values.get(key);
    return at2 && { b, from: at2[0], to: at2[1] };
  }
  function reference3(v) {
    const id = v && refOf(v);
    if (!id) throw new UnreadError("a value that is no reference");
    return id;
  }
  function isArray(v) {
    return v.b[v.from] === 91;
  }
  function isDict(v) {
    return v.b[v.from] === 60 && v.b[v.from + 1] === 60;
  }
  function* elements(v) {
    if (!v || !isArray(v)) throw new UnreadError("a value that is no array");
    const { b } = v;
    for (let p = skip(b, v.from + 1); p < v.to - 1; ) {
      const to = behindValue(b, p, 0);
      yield { b, from: p, to };
      p = skip(b, to);
    }
  }
  function nameOf2(v) {
    return v && v.b[v.from] === 47 ? readName(v.b, v.from)[0] : void 0;
  }
  function integer2(v) {
    const text2 = v ? textOf(v) : "";
    if (!/^[+-]?\d{1,15}$/.test(text2)) throw new UnreadError("a value that is no integer");
    return Number(text2);
  }
  function plainNumber(text2) {
    return /^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(text2);
  }
  function wideNumber(text2) {
    return /^[+-]?\d{10}|\.\d{65}/.test(text2);
  }
  var Loader = class {
    constructor(pdf, listed) {
      this.pdf = pdf;
      this.listed = listed;
      this.work = 16 * pdf.length + 65536;
      this.rest = this.work - atOnce;
    }
    pdf;
    listed;
    work;
    // octets that may still be read
    packs = /* @__PURE__ */ new Map();
    generations = /* @__PURE__ */ new Map();
    kept = 0;
    // octets of these
    unpacked = 0;
    rest;
    // work that is left when the signer's next click is let through
    open;
    /** load returns an object; undefined where there is none. */
    async load({ num, gen }) {
      if (this.work < this.rest) {
        this.rest = this.work - atOnce;
        await new Promise((done) => setTimeout(done, 0));
      }
      const place2 = this.listed.place(num);
      if (!place2) return void 0;
      if ("container" in place2) return gen === 0 ? this.unpack(num, place2.container, place2.index) : void 0;
      const body = find2(this.pdf, "obj", place2.at) + 3;
      if (this.generation(num) !== gen || ascii(this.pdf, skip(this.pdf, body), 6) === "endobj") return void 0;
      return this.value(this.pdf, body);
    }
    /** generation is that of an object in use. */
    generation(num) {
      const known = this.generations.get(num);
      if (known !== void 0) return known;
      const place2 = this.listed.place(num);
      if (!place2 || "container" in place2) return place2 && 0;
      const head = /^\d+[\0\t\n\f\r ]+(\d+)/.exec(ascii(this.pdf, place2.at, 48));
      this.generations.set(num, Number(head?.[1]));
      return Number(head?.[1]);
    }
    /** resolve follows a reference to its value; undefined for null and what is not there. */
    async resolve(v) {
      for (let i = 0; v && i < maxChain; i++) {
        const id = refOf(v);
        if (!id) return textOf(v) === "null" ? void 0 : v;
        v = await this.load(id);
      }
      if (v) throw new UnreadError("a chain of references");
      return void 0;
    }
    /** entries reads a dictionary. */
    entries({ b, from, to }) {
      this.spend(to - from);
      return readEntries(b, from);
    }
    /** clear decrypts a string, which is in clear within an object stream. */
    async clear({ b }, octets2) {
      const open = b === this.pdf && octets2.length > 0 ? await (this.open ??= opener(this.pdf)) : void 0;
      return open ? open(octets2) : octets2;
    }
    /** isStream tells whether data stands behind a dictionary. */
    isStream({ b, to }) {
      const at2 = skip(b, to);
      this.spend(at2 - to);
      return b === this.pdf && ascii(b, at2, 6) === "stream";
    }
    spend(octets2) {
      if ((this.work -= octets2 + 32) < 0) throw new UnreadError("the document is too entangled to be checked");
    }
    value(b, at2) {
      const from = skip(b, at2);
      const to = behindValue(b, from, 0);
      this.spend(to - at2);
      return { b, from, to };
    }
    async unpack(num, container, index) {
      const pack = this.packs.get(container) ?? await this.pack(container);
      const [number, at2] = pack.index[index] ?? [];
      if (number !== num || at2 === void 0) throw new UnreadError("an object is not in its object stream");
      return this.value(pack.text, at2);
    }
    /** pack decodes an object stream. */
    async pack(container) {
      const { pdf } = this;
      const place2 = this.listed.place(container);
      if (!place2 || "container" in place2) throw new UnreadError("an object stream that is not there");
      const v = this.value(pdf, find2(pdf, "obj", place2.at) + 3);
      const stream = { dict: this.entries(v), keyword: skip(pdf, v.to) };
      if (!this.isStream(v) || nameOf(pdf, stream.dict, "Type") !== "ObjStm") throw new UnreadError("no object stream where one is said to be");
      const body = bodyOf(pdf, stream);
      const open = await (this.open ??= opener(pdf));
      const text2 = await decodeBody(pdf, stream.dict, open ? await open(body) : body);
      if ((this.unpacked += text2.length) > maxUnpacked) throw new UnreadError("too many object streams");
      this.work += 16 * text2.length;
      this.rest += 16 * text2.length;
      if ((this.kept += text2.length) > maxKept) {
        this.packs.clear();
        this.kept = text2.length;
      }
      const pack = { text: text2, index: readIndex(text2, integerOf(pdf, stream.dict, "N"), integerOf(pdf, stream.dict, "First")) };
      this.packs.set(container, pack);
      return pack;
    }
  };

  // ts/pdfboxes.ts
  function checkSeen({ MediaBox: m, CropBox: c }) {
    if (!m) throw new UnreadError("a page without a size");
    if (c && (Math.min(m[2], c[2]) <= Math.max(m[0], c[0]) || Math.min(m[3], c[3]) <= Math.max(m[1], c[1]))) throw new UnreadError("a page of which nothing is seen");
  }
  async function checkBoxes(loader, v, dict, inherited) {
    const boxes = { ...inherited };
    for (const key of ["MediaBox", "CropBox"]) {
      if (dict.values.has(key)) boxes[key] = await box(loader, await loader.resolve(valueOf(v, dict, key)));
    }
    if (dict.values.has("Resources")) {
      const found = await loader.resolve(valueOf(v, dict, "Resources"));
      if (!found || !isDict(found)) throw new UnreadError("resources that are none");
      boxes.Resources = found;
    }
    if (dict.values.has("Rotate") && integer2(await loader.resolve(valueOf(v, dict, "Rotate"))) % 90 !== 0) throw new UnreadError("a page that is turned by part of a right angle");
    return boxes;
  }
  async function box(loader, v) {
    const n = [];
    if (v && isArray(v)) {
      for (const e of elements(v)) {
        const side = await loader.resolve(e);
        const text2 = side ? textOf(side) : "";
        if (n.length < 5 && plainNumber(text2)) n.push(Number(text2));
        else n.push(NaN);
      }
    }
    const [a, b, c, d] = n;
    if (n.length !== 4 || n.some((x) => Number.isNaN(x)) || a === c || b === d) throw new UnreadError("a box that is none");
    return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
  }

  // ts/pdflex.ts
  var LexError = class extends Error {
  };
  var delimiters = new Set([..."()<>[]{}/%"].map((c) => c.charCodeAt(0)));
  var regulars = Uint8Array.from({ length: 256 }, (_, c) => white(c) || delimiters.has(c) ? 0 : 1);
  function plain(c) {
    return c !== void 0 && regulars[c] === 1;
  }
  function numeral(c) {
    return digit(c) || c === 43 || c === 45 || c === 46;
  }
  function latin(b, from, to) {
    let s = "";
    for (let i = from; i < to; i += 8192) s += String.fromCharCode(...b.subarray(i, Math.min(i + 8192, to)));
    return s;
  }
  var Lexer = class {
    constructor(b, pos = 0) {
      this.b = b;
      this.pos = pos;
    }
    b;
    pos;
    /** skip passes white space and comments. */
    skip() {
      const { b } = this;
      for (; this.pos < b.length; this.pos++) {
        if (b[this.pos] === 37) {
          while (this.pos + 1 < b.length && b[this.pos + 1] !== 10 && b[this.pos + 1] !== 13) this.pos++;
        } else if (!white(b[this.pos])) return;
      }
    }
    next() {
      this.skip();
      const { b, pos: from } = this;
      const c = b[from];
      if (c === void 0) throw new LexError("the end");
      const kind = this.over(c);
      return { kind, from, to: this.pos };
    }
    /** over passes the token that begins with c. */
    over(c) {
      switch (c) {
        case 40:
          this.text();
          return "string";
        case 60:
        case 62:
          return this.angle(c);
        case 91:
        case 93:
          this.pos++;
          return c === 91 ? "[" : "]";
        case 41:
        case 123:
        case 125:
          throw new LexError("a bracket");
        case 47:
          this.pos++;
          this.run();
          return "name";
      }
      this.run();
      return numeral(c) ? "number" : "word";
    }
    run() {
      while (plain(this.b[this.pos])) this.pos++;
    }
    angle(c) {
      if (this.b[this.pos + 1] === c) {
        this.pos += 2;
        return c === 60 ? "{" : "}";
      }
      const end = c === 60 ? this.b.indexOf(62, this.pos) : -1;
      if (end < 0) throw new LexError("digits that do not end");
      this.pos = end + 1;
      return "hex";
    }
    text() {
      const { b } = this;
      for (let depth = 0; this.pos < b.length; this.pos++) {
        const c = b[this.pos];
        if (c === 92) this.pos++;
        else if (c === 40) depth++;
        else if (c === 41 && --depth === 0) {
          this.pos++;
          return;
        }
      }
      throw new LexError("a text that does not end");
    }
    /** value passes a whole one: an array or a dictionary with what is in it. */
    value() {
      const open = [];
      for (let first; ; ) {
        const t2 = this.next();
        first ??= t2;
        if (t2.kind === "[" || t2.kind === "{") open.push(t2.kind);
        else if (t2.kind === "]" || t2.kind === "}") {
          if (open.pop() !== (t2.kind === "]" ? "[" : "{")) throw new LexError("a bracket");
        }
        if (open.length > contentDepth) throw new LexError("too deep");
        if (open.length === 0) return { kind: first.kind, from: first.from, to: this.pos };
      }
    }
  };
  var contentDepth = 32;

  // ts/pdfend.ts
  var eiText = 15;
  var eiLexed = 75;
  var mostColours = 33;
  function searched(b, from, operators2) {
    let [last, state] = [-1, 0];
    for (let i = from; i < b.length; i++) {
      const c = b[i];
      if (state === 0 && c === 69 || state === 1 && c === 73) {
        state++;
        continue;
      }
      if (state === 2 && (c === 32 || c === 10 || c === 13)) {
        last = i - 2;
        const belief = believed(b.subarray(i + 1, i + 1 + eiLexed), operators2);
        if (belief === "ends") return last;
        if (belief === "gives up") return -1;
      }
      state = 0;
    }
    if (state !== 2) return last;
    return last >= 0 ? -1 : b.length - 2;
  }
  function believed(b, operators2) {
    if (b.length === 0) return "ends";
    const text2 = b.subarray(0, eiText);
    if (!text2.every((c, i) => c === 0 && text2[i + 1] !== 0 || c === 10 || c === 13 || c >= 32 && c <= 127)) return "goes on";
    const lexer = new Lexer(b);
    for (let args = 0; ; args++) {
      lexer.skip();
      if (lexer.pos >= b.length) return "goes on";
      if (b[lexer.pos] === 41) return "gives up";
      const t2 = token(lexer);
      if (!t2) return "goes on";
      const whole = latin(b, t2.from, t2.to);
      if (["string", "hex", "name"].includes(t2.kind)) continue;
      if (t2.kind === "number") {
        if (t2.to === b.length && /^[-+.]+$/.test(whole)) return "goes on";
        if (!plainNumber(whole)) return "gives up";
        continue;
      }
      if (t2.kind !== "word") return "goes on";
      const word = cutWord(whole, operators2);
      lexer.pos = t2.from + word.length;
      if (["true", "false", "null"].includes(word)) continue;
      const n = commands(word, operators2);
      if (n === void 0) return "goes on";
      if (args === n || n < 0 && args <= (word.toLowerCase() === "sc" ? 4 : mostColours)) return "ends";
      args = -1;
    }
  }
  function token(lexer) {
    try {
      return lexer.next();
    } catch (e) {
      if (e instanceof LexError) return void 0;
      throw e;
    }
  }
  function commands(word, operators2) {
    return word === "BI" || word === "ID" ? 0 : word === "EI" ? 1 : operators2.get(word);
  }
  var begun = /* @__PURE__ */ new Set(["BM", "BD", "true", "fa", "fal", "fals", "false", "nu", "nul", "null"]);
  function cutWord(word, operators2) {
    const known = (n2) => begun.has(word.slice(0, n2)) || commands(word.slice(0, n2), operators2) !== void 0;
    let n = 1;
    while (n < word.length && (!known(n) || known(n + 1))) n++;
    return word.slice(0, n);
  }

  // ts/pdffilters.ts
  var Out = class {
    data = new Uint8Array(4096);
    length = 0;
    room(n) {
      if (this.length + n <= this.data.length) return;
      const more2 = new Uint8Array(Math.max(2 * this.data.length, this.length + n));
      more2.set(this.data);
      this.data = more2;
    }
    push(c) {
      if (this.length === this.data.length) this.room(1);
      this.data[this.length++] = c;
    }
    /** copy repeats what stands at from. */
    copy(from, n) {
      this.room(n);
      for (let i = 0; i < n; i++) this.data[this.length++] = this.data[from + i];
    }
    done() {
      return this.data.subarray(0, this.length);
    }
  };
  var fastBits = 10;
  var order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  var lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  var lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
  var distBase = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  function code(lengths) {
    const count = new Uint16Array(16);
    for (const n of lengths) count[n]++;
    count[0] = 0;
    let left = 1;
    const words = count.reduce((a, b) => a + b, 0);
    for (let n = 1; n < 16; n++) left = 2 * left - count[n];
    if (left !== 0 && words !== 0 && !(words === 1 && count[1] === 1)) return void 0;
    const offset = new Uint16Array(16);
    const next = new Uint16Array(16);
    for (let n = 1; n < 15; n++) {
      offset[n + 1] = offset[n] + count[n];
      next[n + 1] = next[n] + count[n] << 1;
    }
    const symbols = new Uint16Array(words);
    const fast = new Uint16Array(1 << fastBits);
    lengths.forEach((n, symbol) => {
      if (n === 0) return;
      symbols[offset[n]++] = symbol;
      let word = next[n]++;
      if (n > fastBits) return;
      let reversed = 0;
      for (let i = 0; i < n; i++, word >>= 1) reversed = reversed << 1 | word & 1;
      for (let i = reversed; i < fast.length; i += 1 << n) fast[i] = symbol << 4 | n;
    });
    return { fast, count, symbols };
  }
  var fixed = code(Array.from({ length: 288 }, (_, n) => n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8));
  var fixedDist = code(Array.from({ length: 32 }, () => 5));
  var Stop2 = class extends Error {
    constructor(how) {
      super(how);
      this.how = how;
    }
    how;
  };
  var Inflater = class {
    // of held
    constructor(b, pos, most) {
      this.b = b;
      this.pos = pos;
      this.most = most;
    }
    b;
    pos;
    most;
    out = new Out();
    held = 0;
    bits = 0;
    run() {
      for (let last = false; !last; ) {
        last = this.take(1) === 1;
        const type = this.take(2);
        if (type === 0) this.stored();
        else if (type === 1) this.block(fixed, fixedDist);
        else if (type === 2) this.block(...this.codes());
        else throw new Stop2("bad");
      }
      this.align();
    }
    /** align gives back the octets that were not used. */
    align() {
      this.pos -= this.bits >> 3;
      this.held = this.bits = 0;
    }
    take(n) {
      while (this.bits < n) {
        if (this.pos >= this.b.length) throw new Stop2("cut");
        this.held |= this.b[this.pos++] << this.bits;
        this.bits += 8;
      }
      const v = this.held & (1 << n) - 1;
      this.held >>>= n;
      this.bits -= n;
      return v;
    }
    symbol({ fast, count, symbols }) {
      while (this.bits < 15 && this.pos < this.b.length) {
        this.held |= this.b[this.pos++] << this.bits;
        this.bits += 8;
      }
      const e = fast[this.held & (1 << fastBits) - 1];
      let n = e & 15;
      let symbol = e >> 4;
      if (n === 0) {
        for (let word = 0, first = 0, index = 0; ; ) {
          if (++n > 15) throw new Stop2(this.bits < 15 ? "cut" : "bad");
          word |= this.held >> n - 1 & 1;
          if (word - count[n] < first) {
            symbol = symbols[index + word - first];
            break;
          }
          index += count[n];
          first = first + count[n] << 1;
          word <<= 1;
        }
      }
      if (n > this.bits) throw new Stop2("cut");
      this.held >>>= n;
      this.bits -= n;
      return symbol;
    }
    stored() {
      this.align();
      const { b, out } = this;
      if (this.pos + 4 > b.length) throw new Stop2("cut");
      const n = b[this.pos] | b[this.pos + 1] << 8;
      if ((b[this.pos + 2] | b[this.pos + 3] << 8) !== (~n & 65535)) throw new Stop2("bad");
      this.pos += 4;
      const there = b.subarray(this.pos, this.pos + n);
      out.room(there.length);
      out.data.set(there, out.length);
      out.length += there.length;
      this.pos += there.length;
      if (there.length < n) throw new Stop2("cut");
      this.bound();
    }
    bound() {
      if (this.out.length >= this.most) throw new Stop2("large");
    }
    codes() {
      const literals = this.take(5) + 257;
      const dists = this.take(5) + 1;
      const n = this.take(4) + 4;
      if (literals > 286 || dists > 30) throw new Stop2("bad");
      const lengths = Array.from({ length: 19 }, () => 0);
      for (let i = 0; i < n; i++) lengths[order[i]] = this.take(3);
      const c = code(lengths);
      if (!c) throw new Stop2("bad");
      const all = [];
      while (all.length < literals + dists) {
        const s = this.symbol(c);
        if (s < 16) {
          all.push(s);
          continue;
        }
        if (s === 16 && all.length === 0) throw new Stop2("bad");
        const value = s === 16 ? all[all.length - 1] : 0;
        const times = s === 16 ? 3 + this.take(2) : s === 17 ? 3 + this.take(3) : 11 + this.take(7);
        if (all.length + times > literals + dists) throw new Stop2("bad");
        for (let i = 0; i < times; i++) all.push(value);
      }
      const pair = [code(all.slice(0, literals)), code(all.slice(literals))];
      if (!pair[0] || !pair[1]) throw new Stop2("bad");
      return pair;
    }
    block(literal2, dist) {
      const { out } = this;
      for (; ; ) {
        const s = this.symbol(literal2);
        if (s < 256) {
          out.push(s);
          this.bound();
          continue;
        }
        if (s === 256) return this.bound();
        if (s > 285) throw new Stop2("bad");
        const n = lengthBase[s - 257] + this.take(lengthExtra[s - 257]);
        const d = this.symbol(dist);
        if (d > 29) throw new Stop2("bad");
        const back2 = distBase[d] + this.take(d < 2 ? 0 : (d >> 1) - 1);
        if (back2 > out.length) throw new Stop2("bad");
        out.copy(out.length - back2, n);
        this.bound();
      }
    }
  };
  function zlibHead(data2) {
    const [a, b] = [data2[0] ?? 0, data2[1] ?? 0];
    return data2.length >= 2 && (a & 15) === 8 && a >> 4 <= 7 && (a * 256 + b) % 31 === 0 && (b & 32) === 0;
  }
  function inflate2(data2, from, most) {
    const z = new Inflater(data2, from, most);
    let how = "whole";
    try {
      z.run();
    } catch (e) {
      if (!(e instanceof Stop2)) throw e;
      how = e.how;
    }
    return { out: z.out.done(), end: z.pos, how };
  }
  function lzw(data2, early, most) {
    const out = new Out();
    const starts = new Int32Array(4096);
    const sizes = new Int32Array(4096);
    let [next, width, prev, held, bits, i, last, lastSize] = [258, 9, -1, 0, 0, 0, 0, 0];
    const end = (how) => ({ out: out.done(), end: i, how });
    for (; ; ) {
      while (bits < width) {
        if (i >= data2.length) return end("cut");
        held = (held << 8 | data2[i++]) & 1048575;
        bits += 8;
      }
      bits -= width;
      const word = held >> bits & (1 << width) - 1;
      if (word === 257) return end("whole");
      if (word === 256) {
        [next, width, prev] = [258, 9, -1];
        continue;
      }
      const at2 = out.length;
      if (word < 256) out.push(word);
      else if (prev >= 0 && word < next) out.copy(starts[word], sizes[word]);
      else if (prev >= 0 && word === next && next < 4096) out.copy(last, lastSize + 1);
      else return end("bad");
      if (prev >= 0 && next < 4096) {
        [starts[next], sizes[next]] = [last, lastSize + 1];
        next++;
      }
      [last, lastSize, prev] = [at2, out.length - at2, word];
      if (next + (early ? 1 : 0) >= 1 << width && width < 12) width++;
      if (out.length >= most) return end("large");
    }
  }
  function runLengthEnd(data2) {
    for (let i = 0; i < data2.length; ) {
      const n = data2[i];
      if (n === 128) return [i + 1];
      i += n < 128 ? n + 2 : 2;
    }
    return [];
  }
  function runLength(data2, most) {
    const out = new Out();
    for (let i = 0; i < data2.length && data2[i] !== 128 && out.length < most; ) {
      const n = data2[i];
      if (n < 128) for (const c of data2.subarray(i + 1, i + n + 2)) out.push(c);
      else if (i + 1 < data2.length) for (let k = 257 - n; k > 0; k--) out.push(data2[i + 1]);
      i += n < 128 ? n + 2 : 2;
    }
    return out.done();
  }
  function hexadecimal(data2) {
    const end = data2.indexOf(62);
    const out = new Out();
    let half = -1;
    for (const c of end < 0 ? data2 : data2.subarray(0, end)) {
      if (white(c)) continue;
      const n = c >= 48 && c <= 57 ? c - 48 : (c | 32) >= 97 && (c | 32) <= 102 ? (c | 32) - 87 : -1;
      if (n < 0) throw new UnreadError("digits that are none");
      if (half >= 0) out.push(half << 4 | n);
      half = half < 0 ? n : -1;
    }
    if (half >= 0) out.push(half << 4);
    return out.done();
  }
  function base85(data2) {
    const out = new Out();
    const tilde = data2.indexOf(126);
    const group = [];
    const flush = (n) => {
      const v = group.reduce((a, c) => (a * 85 + c) % 2 ** 32, 0);
      for (let i = 0; i < n; i++) out.push(v >>> 24 - 8 * i & 255);
      group.length = 0;
    };
    for (const c of data2.subarray(0, tilde < 0 ? data2.length : tilde)) {
      if (white(c)) continue;
      if (c === 122 && group.length === 0) {
        group.push(0, 0, 0, 0, 0);
      } else {
        if (c < 33 || c > 117) throw new UnreadError("digits that are none");
        group.push(c - 33);
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

  // ts/pdfimage.ts
  var keys = { BPC: "BitsPerComponent", CS: "ColorSpace", D: "Decode", DP: "DecodeParms", F: "Filter", H: "Height", IM: "ImageMask", I: "Interpolate", L: "Length", W: "Width" };
  var filters2 = { AHx: "ASCIIHexDecode", A85: "ASCII85Decode", LZW: "LZWDecode", Fl: "FlateDecode", RL: "RunLengthDecode", CCF: "CCITTFaxDecode", DCT: "DCTDecode" };
  var components = new Map(
    Object.entries({ 1: "DeviceGray G [DeviceGray [G [CalGray [I [Indexed", 3: "DeviceRGB RGB [DeviceRGB [RGB [CalRGB", 4: "DeviceCMYK CMYK [DeviceCMYK [CMYK" }).flatMap(
      ([n, names]) => names.split(" ").map((name) => [name, Number(n)])
    )
  );
  var maxImage = 16 << 20;
  var reckoned = ["DCTDecode", "ASCII85Decode", "ASCIIHexDecode"];
  function behindImage(b, from, operators2) {
    const lexer = new Lexer(b, from);
    const head = readHead(lexer);
    const at2 = lexer.pos;
    if (!white(b[at2])) throw new UnreadError("no blank behind ID");
    const space = head.space === "" || head.space.startsWith("[") || components.has(head.space) ? "" : head.space;
    const starts = b[at2] === 13 && b[at2 + 1] === 10 ? [at2 + 1, at2 + 2] : [at2 + 1];
    for (const start of starts) {
      for (const end of ends2(head, b.subarray(start), operators2)) {
        let p = start + end;
        while (white(b[p])) p++;
        if (b[p] !== 69 || b[p + 1] !== 73 || p + 2 < b.length && !white(b[p + 2])) continue;
        if (reckoned.includes(head.filter) || searched(b, at2 + 1, operators2) === p) return { end: p + 2, space };
      }
    }
    throw new UnreadError("an inline image that ends in two places");
  }
  function readHead(lexer) {
    const head = { width: -1, height: -1, bits: 1, mask: false, space: "", filter: "", early: true, parms: "" };
    const seen = /* @__PURE__ */ new Set();
    for (; ; ) {
      const t2 = lexer.next();
      if (t2.kind === "word" && latin(lexer.b, t2.from, t2.to) === "ID") break;
      if (t2.kind !== "name") throw new UnreadError("an inline image of an unusual form");
      const name = decoded(lexer.b, t2);
      const key = Object.hasOwn(keys, name) ? keys[name] : name;
      const v = lexer.value();
      const usual = v.kind !== "word" || ["true", "false", "null"].includes(latin(lexer.b, v.from, v.to));
      if (seen.has(key) || !usual || !enter(head, key, lexer.b, v)) throw new UnreadError("an inline image of an unusual form");
      seen.add(key);
    }
    const sizes = [head.width, head.height];
    if (sizes.some((n) => n < 0 || n > 1 << 20)) throw new UnreadError("an inline image without a size");
    return head;
  }
  function decoded(b, { from, to }) {
    return to - from < 150 ? readName(b.subarray(0, to), from)[0] : "";
  }
  function enter(head, key, b, v) {
    const text2 = v.to - v.from <= 64 ? latin(b, v.from, v.to) : "";
    const number = /^\+?\d{1,9}$/.test(text2) ? Number(text2) : -1;
    switch (key) {
      case "Width":
        head.width = number;
        return number >= 0;
      case "Height":
        head.height = number;
        return number >= 0;
      case "BitsPerComponent":
        head.bits = number;
        return number >= 0 && number <= 16;
      case "ImageMask":
        head.mask = text2 === "true";
        return head.mask || text2 === "false";
      case "ColorSpace":
      case "Filter": {
        const first = firstName(b, v);
        if (first === void 0) return false;
        if (key === "ColorSpace") head.space = v.kind === "[" ? `[${first}` : first;
        else head.filter = Object.hasOwn(filters2, first) ? filters2[first] : first;
        return true;
      }
      case "DecodeParms":
        head.parms = latin(b, v.from, v.to);
        head.early = !head.parms.includes("/EarlyChange 0");
    }
    return true;
  }
  function firstName(b, v) {
    if (v.kind === "name") return decoded(b, v) || void 0;
    if (v.kind !== "[") return void 0;
    const t2 = new Lexer(b, v.from + 1).next();
    return t2.kind === "]" ? "" : t2.kind === "name" ? decoded(b, t2) || void 0 : void 0;
  }
  function ends2(head, data2, operators2) {
    switch (head.filter) {
      case "":
        return plainEnds(head, data2.length);
      case "FlateDecode": {
        if (!zlibHead(data2)) return [];
        const { end, how } = inflate2(data2, 2, maxImage);
        return how === "whole" ? [4, 0, 3, 2, 1].map((n) => Math.min(end + n, data2.length)) : [];
      }
      case "LZWDecode": {
        if (!plainParms(head.parms)) return [];
        const { end, how } = lzw(data2, head.early, maxImage);
        return how === "whole" ? [end] : [];
      }
      case "RunLengthDecode":
        return runLengthEnd(data2);
      case "ASCII85Decode":
        return within(data2, find2(data2, "~>", 0), 2, (c) => c >= 33 && c <= 117 || c === 122 || white(c));
      case "ASCIIHexDecode":
        return within(data2, data2.indexOf(62), 1, (c) => white(c) || /[0-9A-Fa-f]/.test(String.fromCharCode(c)));
      case "DCTDecode":
        return jpegEnd(data2);
      case "CCITTFaxDecode":
        return [searched(data2, 0, operators2)].filter((at2) => at2 >= 0);
    }
    return [];
  }
  function within(data2, end, mark, good) {
    return end >= 0 && data2.subarray(0, end).every(good) ? [end + mark] : [];
  }
  function plainEnds({ mask, space, bits, width, height }, room) {
    const known = components.get(space) ?? 0;
    const usual = !mask || bits === 1 && (known === 1 || space === "");
    const n = !usual ? 0 : mask ? 1 : known;
    const size2 = height * Math.floor((width * bits * n + 7) / 8);
    return n > 0 && size2 <= room ? [size2] : [];
  }
  function plainParms(parms) {
    if (/[#[%(]/.test(parms)) return false;
    const n = parms.split("EarlyChange").length - 1;
    return n === 0 || n === 1 && /^<<[^#<]*\/EarlyChange [01][\t\n\f\r />]/.test(parms);
  }
  function jpegEnd(b) {
    for (let i = 0; i + 1 < b.length; i++) {
      if (b[i] !== 255) continue;
      const m = b[i + 1];
      if (m === 217) return [i + 2];
      if (m === 255) continue;
      if (m >= 192 && m <= 207 && m !== 200 || m >= 218 && m <= 239 || m === 254) {
        if (i + 3 >= b.length) return [];
        const n = b[i + 2] * 256 + b[i + 3];
        i += n > 2 ? 1 + n : 1;
      } else i++;
    }
    return [];
  }

  // ts/pdfkinds.ts
  var kindsOf = new Map(
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
      nns: '"'
    }).flatMap(([kinds2, words]) => words.split(" ").map((w) => [w, kinds2]))
  );
  var forms2 = { a: /a/, t: /[at]/, p: /[Nd]/, n: /n/, N: /N/, s: /s/ };
  function fits2(op, args) {
    const kinds2 = kindsOf.get(op);
    if (kinds2 === void 0) return (op.toLowerCase() === "scn" ? /^n*[nN]$/ : /^n+$/).test(args);
    const last = args.slice(args.length - kinds2.length);
    return [...kinds2].every((k, i) => forms2[k].test(last[i]));
  }
  var Container = class {
    constructor(kind) {
      this.kind = kind;
    }
    kind;
    n = 0;
    // what stands in it
    texts = false;
    // of an array
    others = false;
    /** take enters a kind of value. */
    take(kind) {
      this.n++;
      this.texts ||= kind === "s";
      this.others ||= kind !== "s" && kind !== "n";
      if (this.kind === "{" && this.n % 2 === 1 && kind !== "N") throw new UnreadError("a key that is no name");
    }
    /** close gives the kind of what is closed. */
    close() {
      if (this.kind === "[") return this.others ? "x" : this.texts ? "t" : "a";
      if (this.n % 2 === 1) throw new UnreadError("a key without a value");
      return "d";
    }
  };

  // ts/pdftext.ts
  var escapes2 = { n: 10, r: 13, t: 9, b: 8, f: 12 };
  function octetsOf(b, from, to) {
    return b[from] === 60 ? hexadecimal2(b, from + 1, to - 1) : literal(b, from + 1, to - 1);
  }
  function hexadecimal2(b, from, to) {
    let digits = "";
    for (let i = from; i < to; i++) if (!white(b[i])) digits += String.fromCharCode(b[i]);
    if (digits.length % 2 === 1) digits += "0";
    const out = new Uint8Array(digits.length / 2);
    for (let i = 0; i < out.length; i++) out[i] = parseInt(digits.slice(2 * i, 2 * i + 2), 16);
    return out;
  }
  function literal(b, from, to) {
    const out = new Uint8Array(Math.max(0, to - from));
    let n = 0;
    for (let i = from; i < to; i++) {
      const c = b[i];
      if (c === 13) {
        if (b[i + 1] === 10) i++;
        out[n++] = 10;
      } else if (c !== 92) {
        out[n++] = c;
      } else if (++i < to) {
        const escape = escapes2[String.fromCharCode(b[i])];
        if (escape !== void 0) out[n++] = escape;
        else if (octal(b[i])) {
          let code3 = 0;
          const begin = i;
          for (; i < to && i < begin + 3 && octal(b[i]); i++) code3 = code3 * 8 + b[i] - 48;
          i--;
          out[n++] = code3;
        } else if (b[i] === 13 && b[i + 1] === 10) i++;
        else if (b[i] !== 13 && b[i] !== 10) out[n++] = b[i];
      }
    }
    return out.subarray(0, n);
  }
  function octal(c) {
    return digit(c) && c < 56;
  }
  var high = "•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž�€";
  function characters(b) {
    if (b[0] === 254 && b[1] === 255) return utf16(b.subarray(2));
    if (b[0] === 239 && b[1] === 187 && b[2] === 191) return new TextDecoder().decode(b);
    let out = "";
    for (const c of b) out += c >= 128 && c < 128 + high.length ? high[c - 128] : String.fromCharCode(c);
    return out;
  }
  function utf16(b) {
    let out = "";
    for (let i = 0; i + 1 < b.length; i += 2) out += String.fromCharCode(b[i] << 8 | b[i + 1]);
    return out;
  }
  function isString(v) {
    return v.b[v.from] === 40 || v.b[v.from] === 60 && !isDict(v);
  }
  async function textString(loader, v) {
    if (!v || isArray(v) || !isString(v)) return "";
    loader.spend(v.to - v.from);
    return characters(await loader.clear(v, octetsOf(v.b, v.from, v.to)));
  }
  function squeezed(text2) {
    return text2.replace(/[\s\p{Cc}\u00ad\u0085]/gu, "").replace(/\ufeff/g, "");
  }

  // ts/pdfuses.ts
  var mostNames = 1e4;
  var mostSaved = 1e3;
  var mostTexts = 1 << 16;
  var longest = 199;
  var Uses = class {
    /** names are those of each part of the resources (ISO 32000-2, table 34). */
    names = /* @__PURE__ */ new Map();
    /** codes are the octets of the texts that are shown in a font. */
    codes = /* @__PURE__ */ new Map();
    count = 0;
    other = false;
    // something is drawn beside texts that are seen
    name(part, name) {
      const names = this.names.get(part) ?? /* @__PURE__ */ new Set();
      this.names.set(part, names);
      if (names.has(name)) return;
      names.add(name);
      if (++this.count > mostNames) throw new UnreadError("too many names of resources");
    }
    show(font, text2) {
      this.name("Font", font);
      const codes = this.codes.get(font) ?? /* @__PURE__ */ new Set();
      this.codes.set(font, codes);
      for (const c of text2) codes.add(c);
    }
  };
  var parts2 = /* @__PURE__ */ new Map([["Do", "XObject"], ["gs", "ExtGState"], ["sh", "Shading"], ["CS", "ColorSpace"], ["cs", "ColorSpace"]]);
  var device = ["DeviceGray", "DeviceRGB", "DeviceCMYK", "Pattern"];
  var paths = new Set("m l c v y h re S s f F f* B B* b b* n W W*".split(" "));
  var another = /* @__PURE__ */ Symbol("a font of a state");
  var DrawnState = class {
    // all in front of it
    constructor(b, shown) {
      this.b = b;
      this.shown = shown;
    }
    b;
    shown;
    uses = new Uses();
    inText = false;
    font;
    saved = [];
    // the fonts of q without Q
    nameAt;
    // the last ones in front of the present token
    numberAt;
    texts = [];
    /** operand notes one; those in arrays count as far as they are texts. */
    operand(t2, alone) {
      if (t2.kind === "string" || t2.kind === "hex") {
        if (this.texts.push(t2) > mostTexts) throw new UnreadError("too many texts at once");
      } else if (alone && t2.kind === "name") this.nameAt = t2;
      else if (alone && t2.kind === "number") this.numberAt = t2;
    }
    forget() {
      this.nameAt = this.numberAt = void 0;
      if (this.texts.length > 0) this.texts = [];
    }
    /** operator judges one that has its operands. */
    operator(op, args) {
      const part = parts2.get(op);
      if (part) {
        const name = this.lastName();
        if (part !== "ColorSpace" || !device.includes(name)) this.uses.name(part, name);
      }
      switch (op) {
        case "SCN":
        case "scn":
          if (args.endsWith("N")) this.uses.name("Pattern", this.lastName());
          break;
        case "gs":
          this.font = another;
          break;
        case "Tf":
          this.font = this.lastName();
          break;
        case "Tj":
        case "TJ":
        case "'":
        case '"':
          this.show();
          break;
        case "Tr": {
          const mode = this.numberAt ? latin(this.b, this.numberAt.from, this.numberAt.to) : "";
          if (!/^[0-7]$/.test(mode)) throw new UnreadError("a text that is to be drawn in a way that does not exist");
          if (mode > "2") this.uses.other = true;
        }
      }
      this.nest(op);
    }
    end() {
      if (this.inText) throw new UnreadError("a text object that does not end");
    }
    lastName() {
      const t2 = this.nameAt;
      if (!t2 || t2.to - t2.from > longest) throw new UnreadError("a long name");
      return readName(this.b.subarray(0, t2.to), t2.from)[0];
    }
    show() {
      if (this.font === void 0) throw new UnreadError("a text without a font");
      for (const t2 of this.texts) {
        const octets2 = octetsOf(this.b, t2.from, t2.to);
        if (this.font === another) this.uses.other = true;
        else {
          this.uses.show(this.font, octets2);
          this.shown?.(this.font, octets2);
        }
      }
      if (this.font !== another) this.uses.name("Font", this.font);
    }
    /** nest refuses what stands where it may not: readers do not draw a text object at one place then. */
    nest(op) {
      if (op === "BT" || op === "ET") {
        if (this.inText === (op === "BT")) throw new UnreadError("text objects that are not one behind another");
        this.inText = op === "BT";
        return;
      }
      if (this.inText && (op === "q" || op === "Q" || paths.has(op))) throw new UnreadError("a state or a path within a text object");
      if (op === "q" && this.saved.push(this.font) > mostSaved) throw new UnreadError("states that are saved too deep");
      if (op === "Q") {
        if (this.saved.length === 0) throw new UnreadError("a state that was not saved");
        this.font = this.saved.pop();
      }
    }
  };

  // ts/pdfcontent.ts
  var operators = new Map([...kindsOf].map(([word, kinds2]) => [word, kinds2.length]).concat(["SC", "sc", "SCN", "scn"].map((word) => [word, -1])));
  function checkContent(content, joints = [], shown) {
    try {
      return new Walk2(content, joints, shown).check();
    } catch (e) {
      throw e instanceof LexError ? new UnreadError(`a content with ${e.message}`) : e;
    }
  }
  var Walk2 = class {
    constructor(b, joints, shown) {
      this.b = b;
      this.joints = joints;
      this.lexer = new Lexer(b);
      this.drawn = new DrawnState(b, shown);
    }
    b;
    joints;
    lexer;
    open = [];
    joint = 0;
    // how many of the joints are passed
    args = "";
    // the operands in front of the present token
    drawn;
    check() {
      const { b, lexer } = this;
      for (this.blank(); lexer.pos < b.length; this.blank()) {
        const t2 = lexer.next();
        if (this.cut(t2)) throw new UnreadError("a word that is cut between two streams");
        this.token(t2);
      }
      if (this.open.length > 0) throw new UnreadError("an array that does not end");
      this.drawn.end();
      return this.drawn.uses;
    }
    /** blank passes white space and comments; some readers go on with a comment in the next stream. */
    blank() {
      const { b, lexer } = this;
      for (; lexer.pos < b.length; lexer.pos++) {
        if (b[lexer.pos] === 37) {
          while (lexer.pos < b.length && b[lexer.pos] !== 10 && b[lexer.pos] !== 13) lexer.pos++;
          if (this.next(lexer.pos) === lexer.pos) throw new UnreadError("a comment that goes on in the next stream");
        } else if (!white(b[lexer.pos])) return;
      }
    }
    /** next is the first joint from a place on; places grow. */
    next(from) {
      while ((this.joints[this.joint] ?? Infinity) < from) this.joint++;
      return this.joints[this.joint] ?? Infinity;
    }
    /** cut tells whether a joint is within a token, or behind a number or a name that could go on in the next stream. */
    cut(t2) {
      const at2 = this.next(t2.from);
      if (at2 > t2.to || at2 === t2.from) return false;
      return at2 < t2.to || (t2.kind === "number" || t2.kind === "name") && plain(this.b[t2.to + 1]);
    }
    token(t2) {
      const { b, open } = this;
      let kind = "s";
      switch (t2.kind) {
        case "[":
        case "{":
          if (open.length >= contentDepth) throw new UnreadError("arrays that are too deep");
          open.push(new Container(t2.kind));
          return;
        case "]":
        case "}": {
          const closed = open.pop();
          if (closed?.kind !== (t2.kind === "]" ? "[" : "{")) throw new UnreadError("a bracket that nothing opens");
          kind = closed.close();
          break;
        }
        case "number": {
          const text2 = latin(b, t2.from, t2.to);
          kind = "n";
          if (!plainNumber(text2) || wideNumber(text2)) throw new UnreadError("a number that is none");
          break;
        }
        case "hex":
          if (!/^<[0-9A-Fa-f\0\t\n\f\r ]*>$/.test(latin(b, t2.from, t2.to))) throw new UnreadError("a text of other digits");
          break;
        case "name":
          kind = "N";
          break;
        case "word": {
          kind = "x";
          const word = latin(b, t2.from, t2.to);
          if (open.length === 0) return this.operator(word);
          if (!["true", "false", "null"].includes(word)) throw new UnreadError("an operator within an array");
        }
      }
      this.drawn.operand(t2, open.length === 0);
      const within2 = open[open.length - 1];
      if (within2) return within2.take(kind);
      if ((this.args += kind).length > 33) throw new UnreadError("too many operands");
    }
    operator(word) {
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
      if (n === void 0) throw new UnreadError("a word that is no operator");
      if (args.length < n || n < 0 && args === "") throw new UnreadError("fewer operands than an operator has");
      if (!fits2(word, args)) throw new UnreadError("an operand of another kind");
      this.drawn.operator(word, args);
      this.drawn.forget();
    }
  };

  // ts/pdfencoding.ts
  var latinNames = "space exclam quotedbl numbersign dollar percent ampersand quotesingle parenleft parenright asterisk plus comma hyphen period slash zero one two three four five six seven eight nine colon semicolon less equal greater question at bracketleft backslash bracketright asciicircum underscore grave braceleft bar braceright asciitilde exclamdown cent sterling currency yen brokenbar section dieresis copyright ordfeminine guillemotleft logicalnot registered macron degree plusminus twosuperior threesuperior acute mu paragraph periodcentered cedilla onesuperior ordmasculine guillemotright onequarter onehalf threequarters questiondown Agrave Aacute Acircumflex Atilde Adieresis Aring AE Ccedilla Egrave Eacute Ecircumflex Edieresis Igrave Iacute Icircumflex Idieresis Eth Ntilde Ograve Oacute Ocircumflex Otilde Odieresis multiply Oslash Ugrave Uacute Ucircumflex Udieresis Yacute Thorn germandbls agrave aacute acircumflex atilde adieresis aring ae ccedilla egrave eacute ecircumflex edieresis igrave iacute icircumflex idieresis eth ntilde ograve oacute ocircumflex otilde odieresis divide oslash ugrave uacute ucircumflex udieresis yacute thorn ydieresis dotlessi Lslash lslash OE oe Scaron scaron Ydieresis Zcaron zcaron florin circumflex caron breve dotaccent ring ogonek tilde hungarumlaut endash emdash quoteleft quoteright quotesinglbase quotedblleft quotedblright quotedblbase dagger daggerdbl bullet ellipsis perthousand guilsinglleft guilsinglright fraction Euro trademark minus fi fl".split(" ");
  var latinCharacters = " !\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿıŁłŒœŠšŸŽžƒˆˇ˘˙˚˛˜˝–—‘’‚“”„†‡•…‰‹›⁄€™−ﬁﬂ";
  var latin2 = new Map([...latinCharacters].map((c, i) => [latinNames[i], c]).concat([..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"].map((c) => [c, c])));
  var tables = {
    WinAnsiEncoding: "€•‚ƒ„…†‡ˆ‰Š‹Œ•Ž••‘’“”•–—˜™š›œ•žŸ" + String.fromCharCode(...Array.from({ length: 96 }, (_, i) => 160 + i)),
    MacRomanEncoding: "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨\0ÆØ\0±\0\0¥µ\0\0\0\0\0ªº\0æø¿¡¬\0ƒ\0\0«»… ÀÃÕŒœ–—“”‘’÷\0ÿŸ⁄¤‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\0ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ"
  };
  var Encoding = class _Encoding {
    base;
    // octets from 0x80; undefined for another, of which all agree in ASCII
    expert = false;
    // not even that
    differ = /* @__PURE__ */ new Map();
    /** of reads /Encoding. */
    static async of(loader, v) {
      const e = new _Encoding();
      if (!v || !isDict(v)) {
        e.named(v && nameOf2(v));
        return e;
      }
      const dict = loader.entries(v);
      const base = await loader.resolve(valueOf(v, dict, "BaseEncoding"));
      e.named(base && nameOf2(base));
      const list = await loader.resolve(valueOf(v, dict, "Differences"));
      if (!list || !isArray(list)) return e;
      loader.spend(list.to - list.from);
      let code3 = 0;
      for (const x of elements(list)) {
        const found = await loader.resolve(x);
        const text2 = found ? textOf(found) : "";
        if (/^[+-]?\d+$/.test(text2)) code3 = Number(text2);
        else e.differ.set(code3++, (found && nameOf2(found)) ?? "");
      }
      return e;
    }
    named(name) {
      if (name !== void 0 && Object.hasOwn(tables, name)) this.base = tables[name];
      this.expert = name === "MacExpertEncoding";
    }
    /** character is what an octet means, undefined if that is not known; what is below a space is drawn by nobody. */
    character(code3) {
      const name = this.differ.get(code3);
      if (name !== void 0) return latin2.get(name);
      if (this.expert) return void 0;
      if (code3 < 32) return " ";
      if (code3 < 127) return String.fromCharCode(code3);
      if (code3 === 127) return this.base === tables["WinAnsiEncoding"] ? "•" : void 0;
      const c = this.base?.[code3 - 128];
      return c === "\0" ? void 0 : c;
    }
  };

  // ts/pdffonts.ts
  var maxChain2 = 8;
  var any = () => true;
  var simple = ["Type1", "MMType1", "TrueType"];
  var cmaps = /^(?:Identity|GB-EUC|GBpc-EUC|GBK-EUC|GBKp-EUC|GBK2K|UniGB-UCS2|UniGB-UTF16|B5pc|HKscs-B5|ETen-B5|ETenms-B5|CNS-EUC|UniCNS-UCS2|UniCNS-UTF16|83pv-RKSJ|90ms-RKSJ|90msp-RKSJ|90pv-RKSJ|Add-RKSJ|EUC|Ext-RKSJ|UniJIS-UCS2|UniJIS-UCS2-HW|UniJIS-UTF16|KSC-EUC|KSCms-UHC|KSCms-UHC-HW|KSCpc-EUC|UniKS-UCS2|UniKS-UTF16)-[HV]$|^[HV]$/;
  var collections = ["GB1", "CNS1", "Japan1", "Korea1", "KR"];
  var pictures = /symbol|dingbat|wingding|webding|marlett/i;
  var symbolic = 1 << 2;
  var Fonts = class {
    constructor(loader) {
      this.loader = loader;
    }
    loader;
    faces = /* @__PURE__ */ new Map();
    /** check refuses a font in which readers show another text, of the codes that are shown. */
    async check(named2, codes, glyphs) {
      const { loader } = this;
      const num = refOf(named2)?.num;
      let face = num === void 0 ? void 0 : this.faces.get(num);
      if (!face) {
        const v = await loader.resolve(named2);
        if (!v || !isDict(v)) throw new UnreadError("a font that is none");
        face = await this.face(v, loader.entries(v), glyphs);
        if (num !== void 0) this.faces.set(num, face);
      }
      if (face === any) return;
      for (const c of codes) if (!face(c)) throw new UnreadError("a font that is not in the file, with characters that not all readers know");
    }
    async face(v, dict, glyphs) {
      const key = (name2) => this.loader.resolve(valueOf(v, dict, name2));
      const kind = await this.name(await key("Subtype"));
      if (kind === "Type3") {
        await glyphs(v, dict);
        return any;
      }
      const name = await this.name(await key("BaseFont"));
      if (name === "") throw new UnreadError("a font without a name");
      if (kind === "Type0") return this.composite(await key("Encoding"), await key("DescendantFonts"));
      if (!simple.includes(kind)) throw new UnreadError("a font of no kind");
      const flags = await this.described(await key("FontDescriptor"));
      return flags === "embedded" ? any : this.simple(name.replace(/^[A-Z]{6}\+/, ""), flags, await key("Encoding"));
    }
    async name(v) {
      return (v && nameOf2(v)) ?? "";
    }
    /** described reads the flags of a descriptor that does not bring the font. */
    async described(v) {
      if (!v || !isDict(v)) return 0;
      const dict = this.loader.entries(v);
      for (const key of ["FontFile", "FontFile2", "FontFile3"]) {
        const file = await this.loader.resolve(valueOf(v, dict, key));
        if (file && isDict(file) && this.loader.isStream(file)) return "embedded";
      }
      const flags = await this.loader.resolve(valueOf(v, dict, "Flags"));
      return flags && /^[+-]?\d{1,15}$/.test(textOf(flags)) ? integer2(flags) : 0;
    }
    async composite(encoding, below) {
      const { loader } = this;
      const list = below && isArray(below) ? [...elements(below)] : [];
      const font = list.length === 1 ? await loader.resolve(list[0]) : void 0;
      if (!font || !isDict(font)) throw new UnreadError("a font without the one that it is made of");
      if (!encoding || !(isDict(encoding) || cmaps.test(nameOf2(encoding) ?? ""))) throw new UnreadError("a font with an unknown encoding");
      const dict = loader.entries(font);
      if (await this.described(await loader.resolve(valueOf(font, dict, "FontDescriptor"))) === "embedded") return any;
      const info = await loader.resolve(valueOf(font, dict, "CIDSystemInfo"));
      const order2 = info && isDict(info) ? await loader.resolve(valueOf(info, loader.entries(info), "Ordering")) : void 0;
      if (!collections.includes(await textString(loader, order2))) throw new UnreadError("a font that is not in the file, with texts in numbers of its glyphs");
      return any;
    }
    async simple(name, flags, encoding) {
      if (name === "Symbol" || name === "ZapfDingbats") {
        if (encoding && !(isDict(encoding) && !await this.differs(encoding))) throw new UnreadError("an encoding of a font that has its own");
        return (c) => c < 127 || c >= 161 && c <= 254 && c !== 240 || name === "ZapfDingbats" && c >= 128 && c <= 141;
      }
      if (pictures.test(name)) throw new UnreadError("a font of pictures that is not in the file");
      const e = await Encoding.of(this.loader, encoding);
      if ((flags & symbolic) !== 0) e.base = void 0;
      return (c) => e.character(c) !== void 0;
    }
    async differs(encoding) {
      const { values } = this.loader.entries(encoding);
      const there = ([from, to]) => textOf({ b: encoding.b, from, to }) !== "null";
      return ["Differences", "BaseEncoding"].some((key) => values.has(key) && there(values.get(key)));
    }
  };
  async function resolved(loader, v) {
    let at2 = v;
    let num;
    for (let i = 0; at2 && i < maxChain2; i++) {
      const id = refOf(at2);
      if (!id) return { v: textOf(at2) === "null" ? void 0 : at2, num };
      num = id.num;
      at2 = await loader.load(id);
    }
    if (at2) throw new UnreadError("a chain of references");
    return { v: void 0, num };
  }

  // ts/pdfnames.ts
  var deepest = 8;
  var nameCost = 64;
  var every = Array.from({ length: 256 }, (_, c) => c);
  var Names = class {
    constructor(loader, looks) {
      this.loader = loader;
      this.looks = looks;
      this.fonts = new Fonts(loader);
    }
    loader;
    looks;
    fonts;
    /** check throws an UnreadError for what a content uses and the resources do not have, or readers draw in different ways. */
    async check(uses, resources) {
      await new Check(this.loader, this.looks, this.fonts, resources).uses(uses, 0);
    }
    /**
     * own is check for what is drawn by itself. Without resources, what it uses is judged where a form is
     * drawn; a pattern, a glyph and a look have nothing to take it from.
     */
    async own(v, dict, uses, needed) {
      const found = await this.loader.resolve(valueOf(v, dict, "Resources"));
      if (found && isDict(found)) return this.check(uses, found);
      if (found || needed && uses.count > 0) throw new UnreadError("something drawn without resources");
    }
  };
  var Check = class {
    // without resources of their own, that were looked at
    constructor(loader, looks, fonts, resources) {
      this.loader = loader;
      this.looks = looks;
      this.fonts = fonts;
      this.resources = resources;
    }
    loader;
    looks;
    fonts;
    resources;
    parts = /* @__PURE__ */ new Map();
    forms = /* @__PURE__ */ new Set();
    async uses(uses, depth) {
      this.loader.spend(nameCost * uses.count);
      for (const [part, names] of uses.names) {
        const found = await this.part(part);
        for (const name of names) {
          const at2 = found?.dict.values.get(name);
          if (!found || !at2) throw new UnreadError(`a name that the resources do not have: ${part} /${name}`);
          await this.one(part, { b: found.v.b, from: at2[0], to: at2[1] }, uses.codes.get(name) ?? [], depth);
        }
      }
    }
    async part(name) {
      if (this.parts.has(name)) return this.parts.get(name);
      const { loader, resources } = this;
      const v = resources && await loader.resolve(valueOf(resources, loader.entries(resources), name));
      const part = v && isDict(v) ? { v, dict: loader.entries(v) } : void 0;
      this.parts.set(name, part);
      return part;
    }
    async one(part, named2, codes, depth) {
      if (part === "Font") return this.fonts.check(named2, codes, (v2, dict) => this.looks.glyphs(v2, dict));
      const { v, num } = await resolved(this.loader, named2);
      const sound = v && (part === "ColorSpace" ? nameOf2(v) !== void 0 || isArray(v) : isDict(v));
      if (!sound) throw new UnreadError(`a name of a resource that is none: ${part}`);
      if (part === "XObject") await this.drawn(v, num, depth);
      if (part === "ExtGState") await this.state(v, depth);
    }
    /** drawn judges what Do draws. A form without resources takes those of what draws it. */
    async drawn(v, num, depth) {
      const { loader } = this;
      if (num === void 0 || !loader.isStream(v)) throw new UnreadError("something to draw that is no stream");
      const dict = loader.entries(v);
      const kind = nameOf2(valueOf(v, dict, "Subtype"));
      if (kind === "Image") return;
      if (kind !== "Form") throw new UnreadError("something to draw of no kind");
      const own = await loader.resolve(valueOf(v, dict, "Resources"));
      if (own && isDict(own) || this.forms.has(num)) return;
      this.forms.add(num);
      if (depth > deepest) throw new UnreadError("forms that are too deep");
      await this.uses(await this.looks.uses(num, v, dict), depth + 1);
    }
    /** state judges what a state brings: a mask that is drawn as a form, and a font, which any text may be in. */
    async state(v, depth) {
      const pair = await this.loader.resolve(valueOf(v, this.loader.entries(v), "Font"));
      const mask = await this.loader.resolve(valueOf(v, this.loader.entries(v), "SMask"));
      const group = mask && isDict(mask) ? valueOf(mask, this.loader.entries(mask), "G") : void 0;
      if (mask && isDict(mask)) {
        const { v: form2, num } = group ? await resolved(this.loader, group) : { v: void 0, num: void 0 };
        if (!form2 || !isDict(form2)) throw new UnreadError("a mask that is none");
        await this.drawn(form2, num, depth);
      }
      if (!pair) return;
      const [font] = isArray(pair) ? [...elements(pair)] : [];
      if (!font) throw new UnreadError("a font of a state that is none");
      await this.fonts.check(font, every, (f, dict) => this.looks.glyphs(f, dict));
    }
  };

  // ts/pdfcontents.ts
  var maxDrawn = 32 << 20;
  var maxWork = 512 << 20;
  var mostNames2 = 1 << 18;
  var atOnce2 = 1 << 20;
  var Contents = class {
    constructor(pdf, loader) {
      this.pdf = pdf;
      this.loader = loader;
      this.names = new Names(loader, this);
    }
    pdf;
    loader;
    drawn = 0;
    // octets that were decoded
    named = 0;
    // names of resources, of all contents
    work = maxWork;
    // octets that filters may still make
    rest = atOnce2;
    // octets until the signer's next click is let through
    looked = /* @__PURE__ */ new Map();
    names;
    open;
    /** page looks through the contents of a page, which are one, and holds them against its resources. */
    async page(ids, resources) {
      await this.names.check(await this.joined(ids), resources);
    }
    async joined(ids) {
      const key = ids.map((id) => `${id.num} `).join("");
      const known = this.looked.get(key);
      return known ?? this.keep(key, await this.join(ids));
    }
    keep(key, uses) {
      this.looked.set(key, uses);
      if ((this.named += uses.count) > mostNames2) throw new UnreadError("too many names of resources");
      return uses;
    }
    async join(ids) {
      const parts3 = [];
      const joints = [];
      const known = /* @__PURE__ */ new Map();
      let at2 = 0;
      for (const id of ids) {
        if (parts3.length > 0) {
          joints.push(at2);
          parts3.push(Uint8Array.of(10));
          at2++;
        }
        const data2 = known.get(id.num) ?? await this.load(id);
        known.set(id.num, data2);
        this.spend(data2.length);
        parts3.push(data2);
        at2 += data2.length;
      }
      return checkContent(parts3.length === 1 ? parts3[0] : concat(...parts3), joints);
    }
    /** stream looks through what is drawn by itself, and holds it against its resources. */
    async stream(num, v, dict) {
      const uses = await this.uses(num, v, dict);
      const pattern = valueOf(v, dict, "PatternType");
      await this.names.own(v, dict, uses, pattern !== void 0 && textOf(pattern) !== "null");
    }
    /** look refuses what an annotation looks like if it uses resources and has none: some readers take the form's or the page's. */
    async look(num, v, dict) {
      await this.names.own(v, dict, await this.uses(num, v, dict), true);
    }
    /** uses is what a stream that is drawn by itself uses. */
    async uses(num, v, dict) {
      const known = this.looked.get(`${num} `);
      if (known) return known;
      const data2 = await this.data(v, dict);
      this.spend(data2.length);
      return this.keep(`${num} `, checkContent(data2));
    }
    /** decoded is the data of a stream. */
    async decoded(v, dict) {
      const data2 = await this.data(v, dict);
      this.spend(data2.length);
      return data2;
    }
    async load(id) {
      const v = await this.loader.load(id);
      if (!v) throw new UnreadError("a content that is missing");
      return this.data(v, this.loader.entries(v));
    }
    spend(octets2) {
      if ((this.drawn += octets2) >= maxDrawn) throw new UnreadError("contents that are too large");
    }
    /** glyphs looks through those of a Type 3 font. */
    async glyphs(v, dict) {
      const procs = await this.loader.resolve(valueOf(v, dict, "CharProcs"));
      if (!procs || !isDict(procs)) return;
      for (const [from, to] of this.loader.entries(procs).values.values()) {
        const id = /^(\d{1,10})[\0\t\n\f\r ]/.exec(String.fromCharCode(...procs.b.subarray(from, Math.min(to, from + 12))));
        const glyph = id ? await this.loader.resolve({ b: procs.b, from, to }) : void 0;
        if (glyph && isDict(glyph) && this.loader.isStream(glyph)) await this.glyph(v, dict, Number(id[1]), glyph);
      }
    }
    /** glyph is drawn with the resources of its font. */
    async glyph(font, dict, num, v) {
      const uses = await this.uses(num, v, this.loader.entries(v));
      if (uses.count > 0) await this.names.own(font, dict, uses, true);
    }
    async data(v, dict) {
      const { pdf, loader } = this;
      const keyword = find2(pdf, "stream", v.to);
      const from = keyword + 6 + (pdf[keyword + 6] === 13 && pdf[keyword + 7] === 10 ? 2 : 1);
      const length = integer2(await loader.resolve(valueOf(v, dict, "Length")));
      if (length < 0 || from + length > pdf.length) throw new UnreadError("a stream of another length");
      if (length >= maxDrawn) throw new UnreadError("a content that is too large");
      let data2 = pdf.subarray(from, from + length);
      const open = await (this.open ??= opener(pdf));
      if (open) data2 = await open(data2);
      const names = await this.all(valueOf(v, dict, "Filter"));
      const parms = await this.all(valueOf(v, dict, "DecodeParms"));
      for (const [i, f] of names.entries()) {
        const before = data2.length;
        data2 = await this.undo((f && nameOf2(f)) ?? "", parms[i], data2);
        this.made(before + data2.length);
      }
      if (this.rest < 0) {
        this.rest = atOnce2;
        await new Promise((done) => setTimeout(done, 0));
      }
      return data2;
    }
    made(octets2) {
      this.rest -= octets2;
      if ((this.work -= octets2) < 0) throw new UnreadError("contents that come to too much");
    }
    /** all are the elements of an array, resolved, or the one value that is none. */
    async all(value) {
      const v = await this.loader.resolve(value);
      if (!v || !isArray(v)) return [v].filter((e) => e);
      const out = [];
      this.loader.spend(v.to - v.from);
      for (const e of elements(v)) out.push(await this.loader.resolve(e));
      return out;
    }
    /** undo decodes one filter. */
    async undo(filter, parms, data2) {
      const most = maxDrawn - this.drawn;
      const number = await this.numbers(parms);
      let out;
      switch (filter) {
        case "FlateDecode":
          out = inflated(data2, most);
          break;
        case "LZWDecode": {
          const undone = lzw(data2, number("EarlyChange", 1) === 1, most);
          if (undone.how === "bad") throw new UnreadError("a content that is damaged");
          out = undone.out;
          break;
        }
        case "RunLengthDecode":
          return this.bounded(runLength(data2, most));
        case "ASCIIHexDecode":
          return this.bounded(hexadecimal(data2));
        case "ASCII85Decode":
          return this.bounded(base85(data2));
        default:
          throw new UnreadError("a content of another filter");
      }
      this.bounded(out);
      const predictor = number("Predictor", 1);
      if (predictor === 1) return out;
      const columns = number("Columns", 1);
      if (predictor < 10 || number("Colors", 1) !== 1 || number("BitsPerComponent", 8) !== 8 || columns < 1 || columns > 4096) throw new UnreadError("a content of an unusual form");
      return unpredict(out, columns, false);
    }
    bounded(data2) {
      if (data2.length >= maxDrawn - this.drawn) throw new UnreadError("contents that are too large");
      return data2;
    }
    async numbers(parms) {
      const found = /* @__PURE__ */ new Map();
      if (parms && isDict(parms)) {
        const dict = this.loader.entries(parms);
        for (const key of ["Predictor", "Columns", "Colors", "BitsPerComponent", "EarlyChange"]) {
          const v = await this.loader.resolve(valueOf(parms, dict, key));
          if (v) found.set(key, integer2(v));
        }
      }
      return (key, otherwise) => found.get(key) ?? otherwise;
    }
  };
  function inflated(data2, most) {
    if (data2.every((c) => white(c))) return data2.subarray(0, 0);
    if (!zlibHead(data2)) throw new UnreadError("a content that is damaged");
    const { out, how } = inflate2(data2, 2, most);
    if (how !== "whole") throw new UnreadError("a content that is damaged, cut off or too large");
    return out;
  }

  // ts/pdftokens.ts
  function checkTokens(v, generation) {
    new Tokens(v, generation).check();
  }
  var Tokens = class {
    // and the last one
    constructor(v, generation) {
      this.v = v;
      this.generation = generation;
    }
    v;
    generation;
    open = [];
    first = -1;
    // where the last but one of the numbers in front of the present token begins, -1 if there are not so many
    second = -1;
    check() {
      const { b, to } = this.v;
      let behind = this.v.from;
      for (let p = skip(b, behind); p < to; p = skip(b, behind)) {
        const top = this.open[this.open.length - 1];
        const c = b[p];
        const close = (c === 62 || c === 93) && top;
        if (top?.values && top.key !== void 0 && (close || c === 47 && skip(b, top.from) < p)) this.value(top, behind);
        behind = this.token(p, c, top);
      }
    }
    /** token returns the place behind the one at p. */
    token(p, c, top) {
      const { b } = this.v;
      const numeral2 = digit(c) || c === 43 || c === 45 || c === 46;
      if (!numeral2 && c !== 82) this.first = this.second = -1;
      switch (c) {
        case 47: {
          const [name, end] = readName(b, p);
          if (top?.values && top.key === void 0) [top.key, top.from] = [name, end];
          return end;
        }
        case 40:
          return behindString(b, p);
        case 91:
          this.open.push({ values: void 0, key: void 0, from: 0 });
          return p + 1;
        case 93:
          this.open.pop();
          return p + 1;
        case 60:
          if (b[p + 1] !== 60) return b.indexOf(62, p) + 1;
          this.open.push({ values: /* @__PURE__ */ new Map(), key: void 0, from: 0 });
          return p + 2;
        case 62:
          this.open.pop();
          return p + 2;
      }
      return this.word(p, numeral2);
    }
    word(p, numeral2) {
      const { b, to } = this.v;
      let end = p;
      while (end < to && regular(b[end])) end++;
      if (numeral2) {
        if (!plainNumber(ascii(b, p, Math.min(end - p, 64)))) throw new UnreadError("a number that is none");
        [this.first, this.second] = [this.second, p];
        return end;
      }
      const word = ascii(b, p, Math.min(end - p, 8));
      if (word === "R") this.reference(p);
      else if (!["true", "false", "null"].includes(word)) throw new UnreadError("a word that is none");
      this.first = this.second = -1;
      return end;
    }
    reference(end) {
      const from = this.first < 0 ? end : this.first;
      const m = /^(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+$/.exec(ascii(this.v.b, from, Math.min(end - from, 64)));
      const num = Number(m?.[1]);
      if (!m || num === 0 || num > 8388607 || Number(m[2]) > 65535) throw new UnreadError("a reference that is none");
      if ((this.generation(num) ?? Number(m[2])) !== Number(m[2])) throw new UnreadError("a reference of another generation");
    }
    /** value takes down what the key of an open dictionary has; cairo writes one resource several times. */
    value(top, end) {
      const { b } = this.v;
      let from = top.from;
      while (white(b[from])) from++;
      const was = top.values.get(top.key);
      if (was && !sameOctets(b.subarray(...was), b.subarray(from, end))) throw new UnreadError("a key that stands there twice");
      top.values.set(top.key, [from, end]);
      top.key = void 0;
    }
  };
  function sameOctets(a, b) {
    return a.length === b.length && a.every((c, i) => c === b[i]);
  }

  // ts/pdfdrawn.ts
  var maxNumbers = 1e3;
  var drawable = ["FlateDecode", "LZWDecode", "ASCIIHexDecode", "ASCII85Decode", "RunLengthDecode"];
  var pictured = ["DCTDecode", "CCITTFaxDecode", "JBIG2Decode", "JPXDecode"];
  var otherNames = ["F", "DP", "FFilter", "FDecodeParms"];
  var groupSpaces = ["DeviceGray", "DeviceRGB", "DeviceCMYK"];
  var parameters = [
    ["Predictor", (n) => n === 1 || n === 2 || n >= 10 && n <= 15],
    ["Colors", (n) => n >= 1 && n <= 32],
    ["BitsPerComponent", (n) => [1, 2, 4, 8, 16].includes(n)],
    ["Columns", (n) => n >= 1 && n <= 1 << 24],
    ["EarlyChange", (n) => n === 0 || n === 1]
  ];
  var Drawn = class {
    constructor(pdf, listed, loader, looks, marks) {
      this.pdf = pdf;
      this.listed = listed;
      this.loader = loader;
      this.looks = looks;
      this.marks = marks;
    }
    pdf;
    listed;
    loader;
    looks;
    marks;
    /** scan throws an UnreadError for the first object that readers take for different ones. */
    async scan() {
      for (const num of this.listed.objects()) {
        const gen = this.loader.generation(num);
        const v = gen === void 0 ? void 0 : await this.loader.load({ num, gen });
        if (!v) continue;
        if (refOf(v)) throw new UnreadError("a reference to a reference");
        this.loader.spend(v.to - v.from);
        checkTokens(v, (num2) => this.loader.generation(num2));
        if (!isDict(v)) continue;
        const dict = this.loader.entries(v);
        if (this.loader.isStream(v)) await this.stream(num, v, dict);
        else {
          await this.marks.check(v, dict);
          await this.looks.glyphs(v, dict);
        }
      }
    }
    async stream(num, v, dict) {
      const { pdf, loader } = this;
      let p = v.to;
      while (white(pdf[p])) p++;
      const head = /^stream(?:\r\n|\n|\r)/.exec(ascii(pdf, p, 8));
      const length = integer2(await loader.resolve(valueOf(v, dict, "Length")));
      if (!head || length < 0) throw new UnreadError("a stream that begins in an unusual way");
      const end = p + head[0].length + length;
      const close = find2(pdf, "endstream", p + head[0].length);
      loader.spend(length);
      if (close < end || close - end > 7 || !/^[\0\t\n\f\r ]*$/.test(ascii(pdf, end, close - end))) throw new UnreadError("a stream of another length");
      const kind = nameOf2(valueOf(v, dict, "Subtype"));
      if (kind !== "Image") await this.form(v, dict, kind === "Form");
      await this.filters(v, dict, kind === "Form");
      const bounds = kind === "Image" ? void 0 : valueOf(v, dict, "BBox");
      if (bounds && textOf(bounds) !== "null") await this.looks.stream(num, v, dict);
    }
    /**
     * form makes sure that all readers draw it: Ghostscript draws an /XObject of no kind, Poppler no form
     * without a box, pdf.js alone one whose box or matrix is not of numbers, and MuPDF takes one with a
     * second kind for PostScript.
     */
    async form(v, dict, form2) {
      const second = valueOf(v, dict, "Subtype2");
      const some = form2 ? second && textOf(second) !== "null" : nameOf2(valueOf(v, dict, "Type")) === "XObject";
      const box2 = await this.numbers(valueOf(v, dict, "BBox"), 4);
      if (some || form2 && !box2) throw new UnreadError("something that is drawn to some only");
      await this.numbers(valueOf(v, dict, "Matrix"), 6);
      await this.group(valueOf(v, dict, "Group"));
    }
    /** group refuses one of an unusual form: Ghostscript leaves out one whose colours or flags it does not take, and pdf.js one that is no dictionary. */
    async group(value) {
      const { loader } = this;
      const v = await loader.resolve(value);
      if (!v) return;
      if (!isDict(v)) throw new UnreadError("a group that is none");
      const dict = loader.entries(v);
      for (const flag of ["I", "K"]) {
        const on = await loader.resolve(valueOf(v, dict, flag));
        if (on && !["true", "false"].includes(textOf(on))) throw new UnreadError("a group of an unusual form");
      }
      const space = await loader.resolve(valueOf(v, dict, "CS"));
      if (space && !await this.groupSpace(space)) throw new UnreadError("a group of an unusual form");
    }
    async groupSpace(v) {
      if (!isArray(v)) return groupSpaces.includes(nameOf2(v) ?? "");
      const [first, second] = await this.all(v);
      const name = nameOf2(first) ?? "";
      if (!second) return groupSpaces.includes(name);
      return isDict(second) && (name === "CalGray" || name === "CalRGB" || name === "ICCBased" && this.loader.entries(second).values.has("N"));
    }
    /** numbers tells whether there is a value, which has to be an array of so many numbers then. */
    async numbers(value, n) {
      const v = await this.loader.resolve(value);
      if (!v || textOf(v) === "null") return false;
      if (!isArray(v) || v.to - v.from > maxNumbers) throw new UnreadError("numbers that are none");
      const list = (await this.all(v)).map((e) => e ? textOf(e) : "");
      if (list.length !== n || list.some((e) => !plainNumber(e) || wideNumber(e))) throw new UnreadError("numbers that are none");
      return true;
    }
    async filters(v, dict, form2) {
      if (otherNames.some((k) => dict.values.has(k))) throw new UnreadError("a filter under another name");
      const filter = await this.loader.resolve(valueOf(v, dict, "Filter"));
      const parms = await this.loader.resolve(valueOf(v, dict, "DecodeParms"));
      if (parms && (isArray(parms) !== !!(filter && isArray(filter)) || !(isArray(parms) || isDict(parms)))) throw new UnreadError("parameters beside their filter");
      const names = await this.all(filter);
      const params = await this.all(parms);
      if (parms && isArray(parms) && params.length !== names.length) throw new UnreadError("parameters of no filter");
      for (const [i, f] of names.entries()) {
        const name = nameOf2(f) ?? "";
        const known = drawable.includes(name) || name === "Crypt" && this.listed.encrypted || !form2 && pictured.includes(name);
        if (!known) throw new UnreadError("an unknown filter");
        const p = params[i];
        if (p) await this.parameters(name, p);
      }
    }
    async parameters(filter, p) {
      if (!isDict(p)) throw new UnreadError("parameters that are none");
      if (filter !== "FlateDecode" && filter !== "LZWDecode") return;
      const dict = this.loader.entries(p);
      for (const [key, ok] of parameters) {
        const n = await this.loader.resolve(valueOf(p, dict, key));
        if (n && !ok(integer2(n))) throw new UnreadError("an unusual parameter");
      }
    }
    /** all are the elements of an array, resolved, or the one value that is none. */
    async all(v) {
      if (!v || !isArray(v)) return v ? [v] : [];
      const out = [];
      this.loader.spend(v.to - v.from);
      for (const e of elements(v)) out.push(await this.loader.resolve(e));
      return out;
    }
  };

  // ts/pdffieldtext.ts
  var maxLook = 1 << 20;
  var mostMapped = 1 << 16;
  async function seenText(loader, looks, v, dict) {
    const resources = await loader.resolve(valueOf(v, dict, "Resources"));
    const fonts = resources && isDict(resources) ? await loader.resolve(valueOf(resources, loader.entries(resources), "Font")) : void 0;
    const data2 = await looks.decoded(v, dict);
    if (data2.length > maxLook) return void 0;
    const texts2 = [];
    const uses = checkContent(data2, [], (font, text2) => texts2.push([font, text2]));
    if (uses.other || ["XObject", "Shading", "Pattern"].some((part) => uses.names.has(part))) return void 0;
    const readers = /* @__PURE__ */ new Map();
    let out = "";
    for (const [font, text2] of texts2) {
      const read2 = readers.get(font) ?? await readerOf(loader, looks, fonts, font);
      readers.set(font, read2);
      const part = read2(text2);
      if (part === void 0) return void 0;
      out += part;
    }
    return squeezed(out);
  }
  var unknown = () => void 0;
  async function readerOf(loader, looks, fonts, name) {
    const font = fonts && isDict(fonts) ? await loader.resolve(valueOf(fonts, loader.entries(fonts), name)) : void 0;
    if (!font || !isDict(font)) return unknown;
    const dict = loader.entries(font);
    const kind = nameOf2(valueOf(font, dict, "Subtype"));
    const encoding = await loader.resolve(valueOf(font, dict, "Encoding"));
    const map = valueOf(font, dict, "ToUnicode");
    if (kind === "Type3") return unknown;
    if (kind === "Type0" || !encoding && map) {
      const v = await loader.resolve(map);
      if (!v || !isDict(v) || !loader.isStream(v)) return unknown;
      const mapped = readMap(await looks.decoded(v, loader.entries(v)));
      return mapped ? (text2) => translated(mapped, text2, kind === "Type0" ? 2 : 1) : unknown;
    }
    const e = await Encoding.of(loader, encoding);
    return (text2) => {
      let out = "";
      for (const c of text2) {
        const character = e.character(c);
        if (character === void 0) return void 0;
        out += character;
      }
      return out;
    };
  }
  function translated(map, text2, width) {
    let out = "";
    for (let i = 0; i < text2.length; i += width) {
      const part = i + width <= text2.length ? map.get(code2(text2.subarray(i, i + width))) : void 0;
      if (part === void 0) return void 0;
      out += part;
    }
    return out;
  }
  function code2(b) {
    return b.subarray(0, 4).reduce((n, c) => n * 256 + c, 0);
  }
  function readMap(b) {
    const map = /* @__PURE__ */ new Map();
    const lexer = new Lexer(b);
    let items = [];
    let list;
    try {
      for (lexer.skip(); lexer.pos < b.length; lexer.skip()) {
        const t2 = lexer.next();
        if (t2.kind === "hex") (list ?? items).push(octetsOf(b, t2.from, t2.to));
        else if (t2.kind === "[") items.push(list = []);
        else if (t2.kind === "]") list = void 0;
        else if (t2.kind === "word") {
          if (!take(map, latin(b, t2.from, t2.to), items)) return void 0;
          items = [];
          list = void 0;
        }
        if (items.length > mostMapped) return void 0;
      }
    } catch (e) {
      if (e instanceof LexError) return void 0;
      throw e;
    }
    return map;
  }
  function take(map, op, items) {
    const octets2 = (i) => Array.isArray(i) ? new Uint8Array() : i;
    if (op === "endbfchar") for (let i = 0; i + 1 < items.length; i += 2) map.set(code2(octets2(items[i])), utf16(octets2(items[i + 1])));
    if (op === "endbfrange") {
      for (let i = 0; i + 2 < items.length; i += 3) {
        const [from, to, text2] = [code2(octets2(items[i])), code2(octets2(items[i + 1])), items[i + 2]];
        for (let k = 0; from + k <= to; k++) {
          if (k > mostMapped || map.size > mostMapped) return false;
          if (Array.isArray(text2)) {
            const one = text2[k];
            if (one) map.set(from + k, utf16(one));
          } else if (text2.length >= 2) {
            const whole = utf16(text2);
            map.set(from + k, whole.slice(0, -1) + String.fromCharCode(whole.charCodeAt(whole.length - 1) + k & 65535));
          }
        }
      }
    }
    return map.size <= mostMapped;
  }

  // ts/pdffields.ts
  var drawnAnyway = ["FreeText", "Line", "Square", "Circle", "Polygon", "PolyLine", "Highlight", "Underline", "Squiggly", "StrikeOut", "Stamp", "Caret", "Ink"];
  var maxInherited = 32;
  var push = 1 << 16;
  var combo = 1 << 17;
  var characterOf = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  var unseen2 = "a field with a value and without a look";
  var other = "a field whose value is another than what it looks like";
  var anew = "a field whose value is to be drawn anew";
  var Marks = class {
    constructor(loader, looks, root2) {
      this.loader = loader;
      this.looks = looks;
      this.root = root2;
    }
    loader;
    looks;
    root;
    needed;
    /** check throws an UnreadError if a dictionary is an annotation that readers draw in different ways. */
    async check(v, dict) {
      const kind = nameOf2(valueOf(v, dict, "Subtype"));
      if (kind === void 0 || !(dict.values.has("AP") || kind === "Widget" || drawnAnyway.includes(kind))) return;
      const look = await this.look(v, dict);
      if (dict.values.has("Rect") && drawnAnyway.includes(kind) && !look.stream && !look.states) throw new UnreadError("an annotation without a look");
      if (kind !== "Widget") {
        const state = await this.loader.resolve(valueOf(v, dict, "AS"));
        const at2 = look.states && state && nameOf2(state) !== void 0 ? look.states.dict.values.has(nameOf2(state)) : false;
        if (look.states && !at2) throw new UnreadError("looks of which none is chosen");
        return;
      }
      const field2 = await this.field(v, dict, look);
      if (field2.kind === "Tx" || field2.kind === "Ch") await this.text(field2);
      if (field2.kind === "Btn") await this.button(field2);
    }
    async look(v, dict) {
      const { loader, looks } = this;
      const ap = await loader.resolve(valueOf(v, dict, "AP"));
      const normal = ap && isDict(ap) ? valueOf(ap, loader.entries(ap), "N") : void 0;
      const { v: n, num } = normal ? await resolved(loader, normal) : { v: void 0, num: void 0 };
      if (!n || !isDict(n)) return {};
      const found = { v: n, dict: loader.entries(n) };
      if (num !== void 0 && loader.isStream(n)) {
        await looks.look(num, n, found.dict);
        return { stream: found };
      }
      for (const [from, to] of found.dict.values.values()) {
        const one = await resolved(loader, { b: n.b, from, to });
        if (one.num !== void 0 && one.v && isDict(one.v) && loader.isStream(one.v)) await looks.look(one.num, one.v, loader.entries(one.v));
      }
      return { states: found };
    }
    /** field reads what a widget has, or its field. */
    async field(widget, dict, look) {
      const { loader } = this;
      const found = /* @__PURE__ */ new Map();
      let at2 = widget;
      for (let i = 0; at2 && isDict(at2) && i < maxInherited; i++) {
        const entries = loader.entries(at2);
        for (const key of ["FT", "V", "Ff", "Opt", "RV"]) {
          const v = found.has(key) ? void 0 : await loader.resolve(valueOf(at2, entries, key));
          if (v) found.set(key, v);
        }
        at2 = await loader.resolve(valueOf(at2, entries, "Parent"));
      }
      if (at2 && isDict(at2)) throw new UnreadError("a field below too many others");
      const flags = found.get("Ff");
      const kind = found.get("FT") && nameOf2(found.get("FT"));
      const options = kind === "Ch" ? await this.options(found.get("Opt")) : [];
      return { widget, dict, look, kind, held: found.get("V"), rich: found.get("RV"), flags: flags && /^[+-]?\d{1,15}$/.test(textOf(flags)) ? integer2(flags) : 0, options };
    }
    async options(list) {
      const { loader } = this;
      if (!list || !isArray(list)) return [];
      loader.spend(list.to - list.from);
      const out = [];
      for (const e of elements(list)) {
        const one = await loader.resolve(e);
        const pair = one && isArray(one) ? [...elements(one)] : [one, one];
        if (pair.length !== 2) return [];
        const [value, shown] = [await textString(loader, await loader.resolve(pair[0])), await textString(loader, await loader.resolve(pair[1]))];
        out.push({ value, shown: squeezed(shown) });
      }
      return out;
    }
    /** held are the values of a field as they would be shown, without spaces. */
    async held({ kind, held, options }) {
      if (!held) return [];
      if (!isString(held) && !(kind === "Ch" && isArray(held))) throw new UnreadError("a field whose value is no text");
      const out = [];
      for (const e of isArray(held) ? elements(held) : [held]) {
        const text2 = await textString(this.loader, await this.loader.resolve(e));
        out.push(squeezed(options.find((o) => o.value === text2)?.shown ?? text2));
      }
      return out;
    }
    /** text judges a field of text or of choices. */
    async text(field2) {
      const held = await this.held(field2);
      const { stream, states } = field2.look;
      if (!stream) {
        if (states || held.join("") !== "" || await this.painted(field2)) throw new UnreadError(unseen2);
        return;
      }
      if (!await this.sameRich(field2, held.join(""))) throw new UnreadError("a field whose value is another than its value with a format");
      if (held.join("") !== "" && await this.need()) throw new UnreadError(anew);
      const seen = await seenText(this.loader, this.looks, stream.v, stream.dict);
      if (seen === held.join("")) return;
      const all = field2.options.map((o) => o.shown).join("");
      const list = field2.kind === "Ch" && (field2.flags & combo) === 0;
      if (seen === void 0 || !list || !all.includes(seen) || !held.every((text2) => seen.includes(text2))) throw new UnreadError(other);
    }
    /** sameRich tells whether a value with a format, by which some programs draw a field anew, has the same text. */
    async sameRich({ rich }, held) {
      if (!rich) return true;
      const text2 = (await textString(this.loader, rich)).replace(/<[^>]*>/g, "").replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => characterOf[name]);
      return isString(rich) && squeezed(text2) === held;
    }
    /** painted tells whether those who draw a field without a look paint over what is behind it. */
    async painted(field2) {
      const style = await this.style(field2);
      const ground = style && await this.loader.resolve(valueOf(style.v, style.dict, "BG"));
      return !!ground && isArray(ground) && !elements(ground).next().done;
    }
    async style({ widget, dict }) {
      const v = await this.loader.resolve(valueOf(widget, dict, "MK"));
      return v && isDict(v) ? { v, dict: this.loader.entries(v) } : void 0;
    }
    /** button judges a push button by its caption, and another one by its state. */
    async button(field2) {
      if ((field2.flags & push) !== 0) return this.caption(field2);
      const { states } = field2.look;
      const state = await this.loader.resolve(valueOf(field2.widget, field2.dict, "AS"));
      const on = (state && nameOf2(state)) ?? "";
      const held = field2.held && (nameOf2(field2.held) ?? await textString(this.loader, field2.held)) || "Off";
      if (!states) {
        if (on !== "" && on !== "Off" || held !== "Off" || await this.painted(field2)) throw new UnreadError(unseen2);
        return;
      }
      const at2 = states.dict.values.get(held);
      const there = at2 && textOf({ b: states.v.b, from: at2[0], to: at2[1] }) !== "null";
      if (on !== (there ? held : "Off")) throw new UnreadError("a field whose state is another than its value");
      if (there && held !== "Off" && await this.need()) throw new UnreadError(anew);
    }
    /** caption judges a push button: those who draw it anew write its caption. */
    async caption(field2) {
      const { stream } = field2.look;
      if (stream && !await this.need()) return;
      const style = await this.style(field2);
      const text2 = style ? squeezed(await textString(this.loader, await this.loader.resolve(valueOf(style.v, style.dict, "CA")))) : "";
      if (!stream && (text2 !== "" || await this.painted(field2))) throw new UnreadError(unseen2);
      if (stream && text2 !== "") throw new UnreadError(anew);
    }
    /** need tells whether the form asks readers to draw its fields anew. */
    async need() {
      if (this.needed !== void 0) return this.needed;
      const form2 = await this.form();
      const need = form2 && await this.loader.resolve(valueOf(form2, this.loader.entries(form2), "NeedAppearances"));
      return this.needed = !!need && textOf(need) === "true";
    }
    async form() {
      const { loader } = this;
      const catalog = await loader.resolve(this.root);
      const form2 = catalog && isDict(catalog) ? await loader.resolve(valueOf(catalog, loader.entries(catalog), "AcroForm")) : void 0;
      return form2 && isDict(form2) ? form2 : void 0;
    }
  };

  // ts/pdfpages.ts
  var maxDepth5 = 200;
  async function twofaced(pdf, listed) {
    try {
      const loader = new Loader(pdf, listed);
      const drawn2 = new Contents(pdf, loader);
      const root2 = listed.root && { b: pdf, from: listed.root[0], to: listed.root[1] };
      const marks = new Marks(loader, drawn2, root2);
      await new Pages(pdf, loader, drawn2, marks).scan(root2);
      await new Drawn(pdf, listed, loader, drawn2, marks).scan();
      return false;
    } catch (e) {
      if (e instanceof UnreadError) return true;
      throw e;
    }
  }
  var Pages = class {
    constructor(pdf, loader, looks, marks) {
      this.pdf = pdf;
      this.loader = loader;
      this.looks = looks;
      this.marks = marks;
    }
    pdf;
    loader;
    looks;
    marks;
    seen = /* @__PURE__ */ new Set();
    // nodes of the page tree
    drawn = /* @__PURE__ */ new Set();
    // contents that were looked at
    checked = /* @__PURE__ */ new Map();
    // arrays of contents, with what they were held against
    pages = [];
    async scan(root2) {
      const catalog = await this.loader.load(reference3(root2));
      const dict = catalog && this.once(catalog);
      if (!catalog || !dict) throw new UnreadError("no catalog");
      const type = await this.key(catalog, dict, "Type");
      if (type && nameOf2(type) !== "Catalog") throw new UnreadError("another catalog");
      await this.node(reference3(valueOf(catalog, dict, "Pages")), void 0, {}, 0);
      for (const first of linearized(this.pdf)) await this.begins(first);
    }
    /** begins makes sure that the first object of a linearized file names the page that the tree has there, and so many: pdf.js shows that page. */
    async begins(first) {
      const v = { b: this.pdf, from: first.begin, to: first.end };
      const at2 = first.values.has("P") ? integer2(await this.key(v, first, "P")) : 0;
      if (integer2(await this.key(v, first, "N")) !== this.pages.length || integer2(await this.key(v, first, "O")) !== this.pages[at2]?.num) {
        throw new UnreadError("a linearized file that begins with another page");
      }
    }
    /** node returns how many pages are at or below a node of the page tree; above is the node that lists it. */
    async node(id, above, inherited, depth) {
      if (this.seen.has(id.num) || depth > maxDepth5) throw new UnreadError("a page that stands there twice, or too deep");
      this.seen.add(id.num);
      const v = await this.loader.load(id);
      if (!v) throw new UnreadError("a page that is missing");
      const dict = this.once(v);
      const inner = dict.values.has("Kids");
      if (nameOf2(await this.key(v, dict, "Type")) !== (inner ? "Pages" : "Page")) throw new UnreadError("a page of another type");
      this.parent(valueOf(v, dict, "Parent"), above);
      const boxes = await checkBoxes(this.loader, v, dict, inherited);
      if (!inner) {
        checkSeen(boxes);
        this.pages.push(id);
        await this.contents(valueOf(v, dict, "Contents"), boxes.Resources);
        await this.annotations(await this.key(v, dict, "Annots"));
        return 1;
      }
      let pages = 0;
      for (const kid of elements(await this.key(v, dict, "Kids"))) pages += await this.node(reference3(kid), id, boxes, depth + 1);
      if (integer2(await this.key(v, dict, "Count")) !== pages) throw new UnreadError("another count of pages");
      return pages;
    }
    parent(up, above) {
      const same = above ? named(reference3(up)) === named(above) : !up || textOf(up) === "null";
      if (!same) throw new UnreadError("another parent");
    }
    /** contents looks at the streams that a page is drawn from. */
    async contents(v, resources) {
      const id = v && refOf(v);
      const checked = id && this.checked.get(named(id));
      if (!v || textOf(v) === "null" || checked && checked.resources === resources) return;
      if (id && this.drawn.has(named(id))) return this.looks.page([id], resources);
      const found = id ? await this.loader.resolve(v) : v;
      if (!found || !isArray(found)) {
        await this.content(v);
        return this.looks.page([reference3(v)], resources);
      }
      this.loader.spend(found.to - found.from);
      const all = [];
      for (const e of elements(found)) {
        await this.content(e);
        all.push(reference3(e));
      }
      await this.looks.page(all, resources);
      if (id) this.checked.set(named(id), { resources });
    }
    /** annotations looks at those that are no objects by themselves, which are not come upon otherwise. */
    async annotations(list) {
      if (!list || !isArray(list)) return;
      this.loader.spend(list.to - list.from);
      for (const e of elements(list)) if (isDict(e)) await this.marks.check(e, this.loader.entries(e));
    }
    /** content makes sure that a content is a stream that is drawn as it is; its form is judged with that of all objects. */
    async content(e) {
      const id = reference3(e);
      if (this.drawn.has(named(id))) return;
      const v = await this.loader.load(id);
      if (!v || !this.loader.isStream(v)) throw new UnreadError("a content that is no stream");
      const filter = await this.key(v, this.once(v), "Filter");
      for (const f of filter && isArray(filter) ? elements(filter) : filter ? [filter] : []) {
        if (pictured.includes(nameOf2(await this.loader.resolve(f)) ?? "")) throw new UnreadError("a content of another filter");
      }
      this.drawn.add(named(id));
    }
    /** key is the value of a key, not a reference to it. */
    key(v, dict, name) {
      return this.loader.resolve(valueOf(v, dict, name));
    }
    /** once reads a dictionary in which each key stands once. */
    once(v) {
      const dict = this.loader.entries(v);
      if (dict.twice) throw new UnreadError("a key that stands there twice");
      return dict;
    }
  };
  function named({ num, gen }) {
    return `${num} ${gen}`;
  }

  // ts/viewerframe.ts
  var patience = 3e4;
  var knownWarnings = /* @__PURE__ */ new Set(["script", "attachments", "layers", "xfa"]);
  var dataFile = /^[A-Za-z0-9_-]{1,64}\.(?:bcmap|pfb|ttf|wasm)$/;
  var dataFolder = { cMapUrl: "cmaps", standardFontDataUrl: "standard_fonts", wasmUrl: "wasm" };
  function openFrame(host, title, bytes, draw = true) {
    const element3 = el("iframe", { sandbox: "allow-scripts", allow: "", referrerpolicy: "no-referrer", title, src: "/viewer.html" });
    if (!draw) {
      element3.className = "counting";
      element3.tabIndex = -1;
      element3.setAttribute("aria-hidden", "true");
    }
    const channel = new MessageChannel();
    const port = channel.port1;
    let missing = (_lost) => void 0;
    const incomplete = new Promise((resolve) => missing = resolve);
    const drawn2 = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no answer")), patience);
      port.onmessage = (e) => {
        const m = e.data;
        if (m?.t === "drawn") {
          clearTimeout(timer);
          resolve(readDrawn(m));
        } else if (m?.t === "failed") {
          clearTimeout(timer);
          missing(false);
          reject(new Error(String(m["code"]).slice(0, 40)));
        } else if (m?.t === "data") {
          sendData(port, m).catch((e2) => {
            clearTimeout(timer);
            missing(true);
            reject(e2);
          });
        }
      };
    });
    element3.addEventListener(
      "load",
      () => {
        element3.contentWindow?.postMessage("assent-viewer", "*", [channel.port2]);
        port.postMessage({ t: "open", pdf: bytes.buffer, draw });
      },
      { once: true }
    );
    host.append(element3);
    drawn2.catch(() => void 0);
    return {
      element: element3,
      drawn: drawn2,
      incomplete,
      close() {
        port.close();
        element3.remove();
      }
    };
  }
  function readDrawn(m) {
    const pages = Number.isSafeInteger(m["pages"]) ? Number(m["pages"]) : 0;
    const w = Array.isArray(m["warnings"]) ? m["warnings"].filter((x) => typeof x === "string" && knownWarnings.has(x)) : [];
    return { pages, warnings: [...new Set(w)] };
  }
  async function sendData(port, m) {
    const folder = typeof m["kind"] === "string" && Object.hasOwn(dataFolder, m["kind"]) ? dataFolder[m["kind"]] : void 0;
    const name = m["name"];
    let data2 = null;
    if (folder && typeof name === "string" && dataFile.test(name)) {
      data2 = await Promise.race([ownFile(`/pdfjs/${folder}/${name}`), new Promise((late) => setTimeout(late, patience))]) ?? null;
      if (!data2) throw new Error(`no ${name}`);
    }
    port.postMessage({ t: "data", n: m["n"], data: data2 });
  }

  // ts/review.ts
  function label2(p) {
    if (p.look === "octets") return "review.octets";
    if (p.look !== "text") return "review.document";
    return p.d.item.xades?.form === "detached" || p.d.item.xades?.form === "enveloping-base64" ? "review.text" : "review.xml";
  }
  var countAhead = 20;
  var Review = class {
    constructor(cfg, offer, decisions) {
      this.cfg = cfg;
      this.offer = offer;
      this.decisions = decisions;
      this.cred = offer.request.creds[0];
      for (const d of offer.documents) {
        for (const part of d.parts) {
          const title = d.item.xades?.form === "internally-detached" ? t("review.element", { id: part.name, name: d.item.name }) : part.name;
          this.panes.push({ ...part, k: this.panes.length, d, title, misfit: part.mime === void 0 ? "" : misfit(part.look, part.mime, part.bytes) });
        }
      }
      this.sign = button(this.signText(), () => this.press(), { class: "act", id: "sign" });
      this.no = button(t("review.decline"), () => this.askDecline(), { class: "act", id: "decline" });
    }
    cfg;
    offer;
    decisions;
    status = el("div", { class: "status" });
    time = el("p", {});
    warnings = el("div", {});
    note = el("p", { class: "hint" });
    stage = el("div", { class: "stage" });
    counter = el("div", { class: "counter" });
    unopened = el("p", { class: "hint" });
    sign;
    no;
    actions = el("div", { class: "actions" });
    rows = /* @__PURE__ */ new Map();
    opened = /* @__PURE__ */ new Set();
    failed = /* @__PURE__ */ new Set();
    hazards = /* @__PURE__ */ new Map();
    // of PDFs that were looked through
    panes = [];
    frame;
    waiting = 0;
    // documents being drawn
    busy = false;
    over = false;
    last = false;
    // the sender's time ends before the request does: there is no more
    cred;
    timer;
    ends = 0;
    // by performance.now()
    warned = false;
    /** open shows the step. */
    open() {
      const docs = this.offer.documents;
      const raw = docs.filter((d) => d.item.kind === "raw");
      const title = raw.length === 0 ? t("review.title", { n: files(docs) }) : raw.length === docs.length ? t("review.raw.title", { n: docs.length }) : t("review.mixed.title", { n: docs.length });
      const shown = this.panes;
      show(
        title,
        el("div", { class: shown.length > 0 ? "review" : "review narrow" }, this.asking(raw.length > 0), shown.length > 0 && this.documentSection(), this.signing(), this.deciding())
      );
      this.ready();
      const first = shown[0];
      if (first) void this.display(first).then(() => this.countOthers());
    }
    /** close stops clocks and frames. */
    close() {
      clearInterval(this.timer);
      this.frame?.close();
      fill(this.counter);
    }
    /** renewed is called when the SAM gave more time. */
    renewed(offer) {
      this.offer.request = offer.request;
      this.over = false;
      this.startClock();
      this.idle(t(this.last ? "review.time.left" : "review.time.renewed", { time: this.deadline() }));
    }
    /** wait says what is being waited for; the buttons rest meanwhile. */
    wait(text2) {
      this.busy = true;
      this.ready();
      fill(this.status, el("p", { class: "working" }, text2));
      say(text2);
    }
    /** hold keeps the buttons at rest and offers one way on. */
    hold(text2, ...more2) {
      this.idle(text2, ...more2);
      this.busy = true;
      this.ready();
    }
    /** idle ends waiting and leaves a message. */
    idle(text2, ...more2) {
      this.busy = false;
      this.ready();
      fill(this.status, el("div", { role: "alert", class: "notice" }, el("p", {}, text2), ...more2));
    }
    asking(raw) {
      const v = this.offer.view;
      const list = el("ul", { class: "files" }, ...this.offer.documents.map((d) => this.file(d)));
      return el(
        "section",
        { class: "asking" },
        facts(
          [t("review.who"), el("strong", {}, foreign(v.asker))],
          [t("review.why"), v.purpose === "" ? t("review.no_purpose") : foreign(v.purpose)]
        ),
        el("h2", {}, t("review.files")),
        raw && el("p", { class: "warning" }, t("review.raw")),
        list
      );
    }
    file(d) {
      const panes = this.panes.filter((p) => p.d === d);
      const several = panes.length > 1 || d.item.xades?.form === "internally-detached";
      const together = panes.length > 1 && d.item.xades?.form === "detached";
      return el(
        "li",
        {},
        el("div", { class: "name" }, el("strong", {}, together ? t("review.together", { n: panes.length }) : foreign(d.item.name))),
        panes.length === 0 && el("div", { class: "hint" }, el("span", { class: "state" }, t("review.raw.short"))),
        panes.length === 0 && el("div", { class: "hint" }, `${t("review.fingerprint")}: `, fingerprint(decode(d.item.dtbsr))),
        d.item.xades && properties(d.item.xades, d.item.name),
        ...panes.map((p) => this.row(p, several)),
        d.hole?.terms.certifies && el("p", { class: "warning" }, t(`review.certifies.${d.hole.terms.certifies}`)),
        d.hole?.terms.locks && el("p", { class: "warning" }, t("review.locks"))
      );
    }
    /** row tells of one data object, with its name where an item has several. */
    row(p, named2) {
      const state = el("span", { class: "state" }, `${p.look === "pdf" ? t("review.pages.unknown") : t(label2(p))}, ${t("review.not_opened")}`);
      const open = button(t("review.open", { name: p.title }), () => void this.display(p), { class: "quiet" });
      this.rows.set(p.k, { state, open });
      return el(
        "div",
        { class: named2 ? "part among" : "part" },
        named2 && el("div", { class: "name" }, foreign(p.title)),
        el("div", { class: "hint" }, `${size(p.bytes.length)}, `, state),
        el("div", { class: "hint" }, `${t("review.fingerprint")}: `, fingerprint(decode(p.doc))),
        p.misfit !== "" && el("p", { class: "warning" }, t(`review.misfit.${p.misfit}`, { name: p.title, mime: p.mime })),
        p.look === "octets" && el("p", { class: "warning" }, t("review.octets.warning")),
        this.panes.length > 1 && open
      );
    }
    documentSection() {
      return el(
        "section",
        { class: "document", "aria-labelledby": "document-heading" },
        el("h2", { id: "document-heading" }, t("review.document.heading")),
        this.note,
        this.warnings,
        this.stage,
        this.counter
      );
    }
    signing() {
      const { certificate: c, view: v, request: r } = this.offer;
      const now = Date.now();
      const valid = now >= c.notBefore.getTime() && now <= c.notAfter.getTime();
      const level = `review.level.${v.level}`;
      const assurance = `review.assurance.${r.assurance}`;
      return el(
        "section",
        { class: "signing" },
        el("h2", {}, t("review.signature")),
        facts(
          [t("review.holder"), el("strong", {}, foreign(c.subject))],
          [t("review.issuer"), foreign(c.issuer)],
          [t("review.validity"), t(valid ? "review.validity.range" : "review.validity.expired", { from: day(c.notBefore), to: day(c.notAfter) })],
          [t("review.level"), has(level) ? t(level) : t("review.level.other", { level: v.level })],
          [t("review.assurance"), has(assurance) ? t(assurance) : foreign(r.assurance)],
          [t("review.use"), el("strong", {}, t("review.use.text", { n: r.bind.n }))]
        ),
        this.passkeys()
      );
    }
    /** passkeys lets a signer with several passkeys choose the one at hand. */
    passkeys() {
      const creds = this.offer.request.creds;
      if (creds.length < 2) return void 0;
      const select = el("select", { id: "passkey", onchange: () => this.cred = creds[select.selectedIndex] });
      creds.forEach((c, i) => select.append(el("option", { value: String(i) }, t("review.passkey.n", { i: i + 1, end: c.slice(-4) }))));
      return el("p", {}, el("label", { for: "passkey" }, t("review.passkey")), " ", select);
    }
    deciding() {
      fill(this.actions, this.sign, this.no);
      return el("section", { class: "deciding" }, el("h2", {}, t("review.decide")), this.unopened, this.time, this.actions, this.status);
    }
    signText() {
      const docs = this.offer.documents;
      const raw = docs.filter((d) => d.item.kind === "raw").length;
      const elements2 = docs.filter((d) => d.item.xades?.form === "internally-detached").length;
      const n = raw > 0 ? docs.length : docs.reduce((sum, d) => sum + d.parts.length, 0);
      const all = elements2 === 0 ? "review.sign" : docs.length === 1 ? "review.sign.elements" : "review.sign.parts";
      const key = raw === 0 ? all : raw === docs.length ? "review.sign.raw" : "review.sign.mixed";
      return t(key, { n, name: this.offer.certificate.subject });
    }
    async display(p) {
      this.frame?.close();
      fill(this.warnings);
      this.note.textContent = t(`${label2(p)}.note`);
      if (p.look !== "pdf") return this.displayText(p);
      if (!this.cfg.viewer) {
        this.failed.add(p.k);
        fill(this.stage, el("p", { class: "warning" }, t("review.no_viewer")));
        return this.ready();
      }
      fill(this.stage);
      const frame = openFrame(this.stage, t("review.document", { name: p.title }), p.bytes);
      this.frame = frame;
      void frame.incomplete.then((lost) => {
        if (this.frame !== frame) return;
        if (!lost) return this.cannotShow(p);
        this.cannotShow(p, t("review.incomplete", { name: p.title }), button(t("common.try_again"), () => void this.display(p), { class: "act", id: "show-again" }));
      });
      say(t("review.loading_document"));
      this.waiting++;
      this.ready();
      try {
        const drawn2 = await frame.drawn;
        const found = await this.look(p, drawn2.warnings);
        if (this.frame !== frame) return;
        this.shown(p, t("review.pages", { n: drawn2.pages }));
        fill(this.warnings, ...[...found].map((w) => el("p", { class: "warning" }, t(`review.warn.${w}`))));
      } catch {
        if (this.frame === frame) this.cannotShow(p);
      } finally {
        this.waiting--;
        this.ready();
      }
    }
    /** displayText shows the octets that were hashed as text, or by their numbers. */
    displayText(p) {
      this.frame = void 0;
      try {
        (p.look === "text" ? openText : openOctets)(this.stage, t("review.document", { name: p.title }), p.bytes);
        this.shown(p, t(label2(p)));
      } catch {
        this.cannotShow(p);
      }
      this.ready();
    }
    /** whole: nothing is known that could not be shown. */
    get whole() {
      return this.failed.size === 0;
    }
    /** shown marks a document as the one on the screen. */
    shown(p, what) {
      this.opened.add(p.k);
      this.failed.delete(p.k);
      this.rows.get(p.k).state.textContent = `${what}, ${t("review.shown_now")}`;
      for (const [k, other2] of this.rows) if (k !== p.k) other2.state.textContent = other2.state.textContent.replace(`, ${t("review.shown_now")}`, "");
    }
    cannotShow(p, text2 = t("review.blocked", { name: p.title }), ...more2) {
      this.failed.add(p.k);
      this.opened.delete(p.k);
      this.rows.get(p.k).state.textContent = t("review.cannot_show");
      this.frame?.close();
      this.frame = void 0;
      fill(this.stage, el("div", { class: "warning", role: "alert" }, el("p", {}, text2), ...more2));
      this.ready();
    }
    /** countOthers opens the other documents out of sight, one by one; all of them where each is looked through. */
    async countOthers() {
      for (const p of this.panes.slice(0, this.strict() ? void 0 : countAhead)) {
        if (p.look !== "pdf" || this.opened.has(p.k) || this.failed.has(p.k)) continue;
        const frame = openFrame(this.counter, "", p.bytes, false);
        try {
          const { pages, warnings } = await frame.drawn;
          await this.look(p, warnings);
          if (!this.opened.has(p.k)) this.rows.get(p.k).state.textContent = `${t("review.pages", { n: pages })}, ${t("review.not_opened")}`;
        } catch {
          this.failed.add(p.k);
          this.rows.get(p.k).state.textContent = t("review.cannot_show");
          this.ready();
        } finally {
          frame.close();
          this.ready();
        }
      }
    }
    /** look finds what the picture of a PDF does not show. What a frame says adds to it and takes nothing away. */
    async look(p, told) {
      const found = this.hazards.get(p.k) ?? await hazards(p.bytes);
      if (!this.hazards.has(p.k)) {
        const listed = await listing(p.bytes);
        if (!listed) found.add("damaged");
        else if (!found.has("unread") && await twofaced(p.bytes, listed)) found.add("faces");
      }
      for (const w of told) found.add(w);
      this.hazards.set(p.k, found);
      return found;
    }
    /**
     * strict tells whether the signature can be a qualified one, by the policy or by what
     * the SAM says of the key: then no document is signed which may show something else
     * than the signer saw, or does something by itself. The policy is the service's choice.
     */
    strict() {
      return this.offer.request.bind.policy === "qualified" || this.offer.request.assurance === "SCAL2-QSCD";
    }
    /** hazard tells why the policy keeps the documents from being signed; "" for nothing. */
    hazard() {
      if (!this.strict()) return "";
      const unread = this.panes.find((p) => p.look === "octets");
      if (unread) return t("review.octets.strict", { name: unread.title });
      const other2 = this.panes.find((p) => p.misfit !== "");
      if (other2) return t("review.misfit.strict", { name: other2.title });
      const pdfs = this.panes.filter((p) => p.look === "pdf");
      const bad = pdfs.find((p) => (this.hazards.get(p.k)?.size ?? 0) > 0);
      if (bad) return t("review.hazard", { name: bad.title });
      if (pdfs.some((p) => !this.hazards.has(p.k))) return t("review.wait.looking");
      const unseen3 = this.panes.filter((p) => p.d.parts.length > 1 && !this.opened.has(p.k)).length;
      return unseen3 > 0 ? t("review.unopened.strict", { n: unseen3 }) : "";
    }
    /**
     * ready sets the buttons. Signing needs that the document was drawn and that
     * none is known to be impossible to show; saying no is always possible. A
     * button that rests keeps its place and the focus (aria-disabled).
     */
    ready() {
      const missing = this.panes.filter((p) => !this.opened.has(p.k) && !this.failed.has(p.k)).length;
      const blocked = this.panes.find((p) => this.failed.has(p.k));
      this.sign.setAttribute("aria-disabled", String(this.why() !== ""));
      this.no.setAttribute("aria-disabled", String(this.busy));
      const hazard = this.waiting === 0 ? this.hazard() : "";
      this.unopened.textContent = blocked ? t("review.blocked", { name: blocked.title }) : hazard ? hazard : this.panes.length > 1 && missing > 0 && this.opened.size > 0 ? t("review.unopened", { n: missing }) : "";
    }
    /** why tells what keeps the signer from signing now; "" for nothing. */
    why() {
      const blocked = this.panes.find((p) => this.failed.has(p.k));
      if (blocked) return this.cfg.viewer ? t("review.blocked", { name: blocked.title }) : t("review.no_viewer");
      if (this.over) return t(this.last ? "review.time.ended" : "review.time.over");
      if (this.waiting > 0) return t("review.wait.drawing");
      const hazard = this.hazard();
      if (hazard) return hazard;
      return this.busy ? " " : "";
    }
    press() {
      const why = this.why();
      if (why.trim() !== "" && !this.busy) return this.idle(why, this.over && this.more());
      if (why === "") this.decisions.approve(this.cred);
    }
    askDecline() {
      if (this.busy) return;
      const reason = el("input", { id: "reason", type: "text", maxlength: "300", autocomplete: "off" });
      const back2 = () => {
        fill(this.actions, this.sign, this.no);
        this.no.focus();
      };
      fill(
        this.actions,
        el(
          "form",
          { class: "decline", onsubmit: (e) => (e.preventDefault(), this.decisions.decline(reason.value.trim())) },
          el("h3", {}, t("decline.title")),
          el("label", { for: "reason" }, t("decline.reason")),
          reason,
          el("div", { class: "actions" }, button(t("decline.confirm"), () => this.decisions.decline(reason.value.trim()), { class: "act", id: "confirm-decline" }), button(t("common.back"), back2, { class: "act" }))
        )
      );
      reason.focus();
    }
    /**
     * startClock counts the SAM's own span from now, so that a wrong clock on this
     * device neither shortens nor lengthens it.
     */
    startClock() {
      const b = this.offer.request.bind;
      this.last = this.offer.view.expires <= b.exp;
      this.ends = performance.now() + (Math.min(b.exp, this.offer.view.expires) - b.iat) * 1e3 - 2e3;
      this.warned = false;
      this.time.textContent = t("review.time.left", { time: this.deadline() });
      clearInterval(this.timer);
      this.timer = setInterval(() => this.tick(), 1e3);
    }
    /** left is the time in ms until the request ends. */
    left() {
      return this.ends - performance.now();
    }
    deadline() {
      return clock(new Date(Date.now() + this.left()));
    }
    /** more asks for more time; where there is none, for how the request ended. */
    more() {
      return button(t(this.last ? "common.continue" : "review.time.more"), () => this.decisions.moreTime(), { class: "act", id: "more-time" });
    }
    tick() {
      const left = this.left();
      if (left <= 0 && !this.over) {
        this.over = true;
        this.time.textContent = "";
        if (!this.busy) this.idle(t(this.last ? "review.time.ended" : "review.time.over"), this.more());
        this.ready();
      } else if (left > 0 && left < 6e4 && !this.warned && !this.busy) {
        this.warned = true;
        const n = Math.max(20, Math.ceil(left / 1e3));
        this.idle(t(this.last ? "review.time.last" : "review.time.soon", { n }), !this.last && this.more());
      }
    }
  };
  function properties(x, name) {
    const several = further(x).length > 0;
    const rows2 = [
      [t("xades.form"), form(several && x.form === "detached" ? "files" : x.form)],
      [t("xades.time"), moment(new Date(x.time * 1e3))],
      [several ? t("xades.more", { name: x.objects?.part || name }) : t("xades.mime"), foreign(x.mime)]
    ];
    if (x.description !== "") rows2.push([t("xades.description"), foreign(x.description)]);
    for (const o of further(x)) {
      rows2.push([t("xades.more", { name: o.name }), foreign(o.mime)]);
      if (o.description !== "") rows2.push([t("xades.description"), foreign(o.description)]);
    }
    for (const c of x.commitments) rows2.push([t("xades.commitment"), commitment2(c)]);
    for (const r of x.roles) rows2.push([t("xades.role"), foreign(r)]);
    for (const part of ["street", "postal", "city", "state", "country"]) {
      if (x.place[part] !== "") rows2.push([t(`xades.place.${part}`), foreign(x.place[part])]);
    }
    if (x.policy.id !== "") rows2.push([t("xades.policy"), foreign(`${x.policy.id} (${x.policy.hash} ${x.policy.digest})`)]);
    return facts(...rows2);
  }
  function form(name) {
    const key = `xades.form.${name}`;
    return has(key) ? t(key) : foreign(name);
  }
  var etsi = "http://uri.etsi.org/01903/v1.2.2#";
  function commitment2(uri) {
    const key = `xades.commitment.${uri.slice(etsi.length)}`;
    return uri.startsWith(etsi) && has(key) ? t(key) : foreign(uri);
  }

  // ts/sign.ts
  var pollEvery = 1e3;
  var pollAtMost = 600;
  var Signing = class {
    constructor(cfg, op, ticket) {
      this.cfg = cfg;
      this.op = op;
      this.ticket = ticket;
      this.relay = new Relay(cfg.api, ticket ? "" : recallToken(op) ?? "", op);
    }
    cfg;
    op;
    ticket;
    relay;
    review;
    offer;
    /** start runs until the signer has to decide. */
    async start() {
      show(t("load.title"), el("p", { id: "progress", class: "working" }, t("load.session")));
      try {
        const view = await this.open();
        if (view.id !== this.op) throw new Stop("view", "another operation");
        if (!["prepared", "shown"].includes(view.state)) return this.end(view);
        await (view.one_time ? this.askKey(view) : this.resume(view).catch((e) => this.keyEnded(e)));
      } catch (e) {
        this.fail(e, () => void this.start());
      }
    }
    /** keyEnded: a one-time key that is no more is asked for anew; everything else fails as it did. */
    async keyEnded(cause) {
      if (!(cause instanceof RelayError) || cause.retry !== "never") throw cause;
      const view = await this.relay.view();
      if (!view.one_time) throw cause;
      await this.askKey(view);
    }
    /**
     * resume goes on with a key that is there. A one-time key is the one that was approved in
     * this tab, also after a reload; what was approved elsewhere, or forgotten, cannot be
     * compared: that key is destroyed and the signer approves another.
     */
    async resume(view) {
      const kept = recallOnce(view.id);
      if (kept) return this.load(view, await checkOneTime(this.cfg, view, kept));
      if (!isOneTime(view.key)) return this.load(view);
      const v = await this.relay.oneTimeEnd();
      if (v.id !== view.id || !v.one_time) throw new Stop("view", "the one-time key did not end");
      await this.askKey(v);
    }
    /** load fetches and checks what is to be signed and shows it. */
    async load(view, once) {
      const n = view.items.length;
      this.offer = await fetchOffer(this.cfg, this.relay, view, (what, i) => this.progress(t(`load.${what}`, { i: i + 1, n })));
      sameKey(once, this.offer);
      this.review = new Review(this.cfg, this.offer, {
        approve: (cred) => void this.approve(cred),
        decline: (reason) => void this.decline(reason),
        moreTime: () => void this.moreTime()
      });
      this.review.open();
      this.review.startClock();
    }
    /** askKey has the signer approve that a one-time key is made, and goes on with it. */
    async askKey(view) {
      this.progress(t("load.request"));
      const signed = await this.relay.oneTime();
      const once = await checkOneTime(this.cfg, view, signed);
      const again = () => void this.start();
      new OnceStep(this.cfg, this.relay, view, once, {
        approved: () => rememberOnce(view.id, signed),
        made: (v) => {
          show(t("load.title"), el("p", { id: "progress", class: "working" }, t("load.request")));
          const go2 = v.id === view.id && !v.one_time ? this.load(v, once) : Promise.reject(new Stop("view", "no key, or another operation"));
          go2.catch((e) => this.fail(e, again));
        },
        decline: () => void this.decline(""),
        again,
        fail: (e) => this.fail(e, again)
      }).open();
    }
    /** open trades the ticket once; afterwards this tab remembers the token. */
    async open() {
      if (!this.ticket) {
        if (!this.relay.open) throw new RelayError("link_invalid", 0, "never", "");
        return this.relay.view();
      }
      const { token: token2, view } = await this.relay.session(this.ticket);
      this.ticket = "";
      rememberToken(this.op, token2);
      return view;
    }
    progress(text2) {
      const p = document.getElementById("progress");
      if (p) p.textContent = text2;
      say(text2);
    }
    async approve(cred) {
      const { offer, review } = this;
      if (!offer || !review) return;
      const v = offer.view;
      review.wait(t("review.passkey.wait"));
      try {
        const ctx = { op: v.id, asker: v.asker, purpose: v.purpose, level: v.level };
        const made = await composeSAD(offer.request, cred, ctx, offer.documents.map((d) => d.item));
        const proof = await approve(this.cfg.rpId, cred, made.challenge, Math.max(1e4, review.left()));
        if (!review.whole) return review.idle(t("review.incomplete.approved"));
        await this.redeem(made.bytes, proof);
      } catch (e) {
        if (e instanceof PasskeyError) return review.idle(passkeySentence(e, offer.certificate.subject));
        this.fail(e);
      }
    }
    /**
     * redeem sends an approval. After a lost connection the same bytes are sent
     * again, by itself and then by hand: the module answers a repetition with the
     * stored result and never uses the key twice for it.
     */
    async redeem(sad, proof, again = false) {
      const review = this.review;
      review.wait(t("review.redeem.wait"));
      try {
        const { receipt } = await this.relay.redeem(sad, proof);
        await this.finish(sad, proof, receipt);
      } catch (e) {
        if (e instanceof RelayError && e.retry !== "never") {
          const repeat = button(t("review.redeem.again"), () => void this.redeem(sad, proof, true), { class: "act", id: "send-again" });
          return review.hold(t(e.code === "network" ? "review.redeem.network" : "review.redeem.later"), repeat);
        }
        if (e instanceof RelayError && (again || e.repeated) && linkErrors.has(e.code)) return this.lookAgain(e, t("error.login.unsure"));
        const text2 = e instanceof RelayError ? sentence(e, "error.refused.approval") : "";
        if (e instanceof RelayError) return this.lookAgain(e, text2, again || e.repeated ? t("error.unsure") : text2);
        this.fail(e);
      }
    }
    async finish(sad, proof, signed) {
      const offer = this.offer;
      let receipt;
      try {
        receipt = await this.cfg.sam.open(signed.key, (k) => openReceipt(k, signed), (v) => v.time);
        await compareReceipt(receipt, receiptTerms(offer, sad, proof));
      } catch (e) {
        if (e instanceof RelayError && e.code === "network") throw e;
        throw new Stop("receipt", String(e));
      }
      this.close();
      const result = new Result(this.cfg, this.relay, offer, signed, receipt);
      result.open();
      await this.follow(result);
    }
    /** follow waits for the documents to be completed. */
    async follow(result) {
      for (let i = 0; i < pollAtMost; i++) {
        try {
          const v = await this.relay.view();
          if (v.state === "finished") {
            say(t("result.title", { n: v.items.length }));
            return result.finished();
          }
          if (over2(v)) return result.note(t("result.failed"));
        } catch (e) {
          if (e instanceof RelayError && e.retry === "never") return result.note(t("result.waiting_long"));
        }
        if (i === 30) result.note(t("result.waiting_long"));
        await new Promise((r) => setTimeout(r, pollEvery));
      }
    }
    async decline(reason) {
      try {
        this.review?.wait(t("decline.title"));
        const v = await this.relay.decline(reason);
        this.close();
        ended(this.cfg, v);
      } catch (e) {
        if (e instanceof RelayError && e.retry !== "never") return this.review?.idle(sentence(e));
        if (e instanceof RelayError) return this.lookAgain(e, sentence(e));
        this.fail(e);
      }
    }
    /** moreTime replaces the activation request; everything else is kept. */
    async moreTime() {
      const { offer, review } = this;
      if (!offer || !review) return;
      try {
        review.wait(t("load.request"));
        const request = await checkRequest(this.cfg, offer.view, offer.certificate, await this.relay.request());
        if (!sameTerms(offer.request, request)) throw new Stop("binding", "the renewed request has other terms");
        review.renewed({ ...offer, request });
      } catch (e) {
        if (e instanceof RelayError && e.retry !== "never") {
          return review.idle(sentence(e), button(t("review.time.more"), () => void this.moreTime(), { class: "act" }));
        }
        if (e instanceof RelayError) return this.lookAgain(e, sentence(e));
        this.fail(e);
      }
    }
    /**
     * lookAgain finds out whether the operation ended meanwhile; if it still
     * waits, the signer may begin anew. blind is said where that was not found out.
     */
    async lookAgain(cause, text2, blind = text2) {
      this.close();
      let again;
      try {
        const v = await this.relay.view();
        if (!["prepared", "shown"].includes(v.state)) return this.end(v);
        again = () => void this.start();
      } catch {
        text2 = blind;
      }
      broken(cause, this.op, again, text2, again ? void 0 : back(this.cfg, this.op));
    }
    end(v) {
      if (over2(v)) forget(this.op);
      ended(this.cfg, v);
    }
    close() {
      this.review?.close();
      this.review = void 0;
    }
    fail(e, again) {
      this.close();
      if (e instanceof Stop) return this.stop(e);
      if (e instanceof RelayError && e.retry !== "never") return broken(e, this.op, again, opening(e));
      if (e instanceof RelayError) return broken(e, this.op, void 0, linkErrors.has(e.code) ? t("error.link") : opening(e), back(this.cfg, this.op));
      this.stop(new Stop("view", String(e)));
    }
    /** stop ends everything here. Sender and operator are told the reason; one that lies hides it, and the page does not wait for it. */
    stop(s) {
      stopped(s, this.op);
      this.relay.stopped(s.code).catch(() => void 0);
    }
  };
  var linkErrors = /* @__PURE__ */ new Set(["login_required", "token_required", "link_invalid", "not_found"]);
  function passkeySentence(e, name) {
    if (e.kind === "cancelled") return t("review.passkey.cancelled", { name });
    if (e.kind === "unsupported") return t("review.passkey.unsupported");
    return t("review.passkey.other", { detail: e.message });
  }

  // ts/main.ts
  async function main() {
    if (window.top !== window.self) return show(t("error.framed"));
    const params = new URLSearchParams(location.hash.slice(1));
    const op = params.get("op") ?? "";
    const enrolling = location.pathname === "/enrol";
    const keys2 = location.pathname === "/passkeys";
    history.replaceState(null, "", enrolling ? "/enrol" : keys2 ? "/passkeys" : op && validID(op) ? `/#op=${encodeURIComponent(op)}` : "/");
    await go(params, op, enrolling, keys2);
  }
  async function go(params, op, enrolling, keys2) {
    let cfg;
    try {
      cfg = await loadConfig();
    } catch (e) {
      if (e instanceof RelayError) return broken(e, "", () => void go(params, op, enrolling, keys2), opening(e));
      return broken(void 0, "", void 0, t("error.config"));
    }
    if (cfg.profile === "demo") ribbon();
    if (keys2) return passkeys(cfg);
    if (enrolling && params.get("halves") === "1") return halves(cfg, params.get("id") ?? "");
    if (enrolling) return enrol(cfg, params.get("id") ?? "", params.get("code") ?? "");
    if (!op) return show(t("home.title"), el("p", {}, t("home.text")), back(cfg));
    if (!validID(op)) return broken(void 0, "", void 0, t("error.link"), back(cfg));
    addEventListener("hashchange", () => location.reload());
    return new Signing(cfg, op, params.get("ticket") ?? "").start();
  }
  function ribbon() {
    const r = document.getElementById("ribbon");
    if (!r) return;
    r.textContent = t("ribbon.demo");
    r.hidden = false;
  }
  void main();
})();
