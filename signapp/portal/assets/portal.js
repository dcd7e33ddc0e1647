// Login and registration with a passkey at the app origin. The page's markup
// says what to do (data-ceremony, data-begin, data-finish); nothing from the
// server becomes markup.
"use strict";

(() => {
  const decode = (text) => {
    const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(raw, (c) => c.charCodeAt(0));
  };
  const encode = (buffer) => {
    let raw = "";
    for (const b of new Uint8Array(buffer)) raw += String.fromCharCode(b);
    return btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  const post = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const value = await answer.json();
    if (!answer.ok) throw new Error(value.error || "The service did not answer as expected.");
    return value;
  };

  const withIds = (list) => (list || []).map((c) => ({ ...c, id: decode(c.id) }));

  const register = async (options) => {
    const pk = options.publicKey;
    pk.challenge = decode(pk.challenge);
    pk.user.id = decode(pk.user.id);
    pk.excludeCredentials = withIds(pk.excludeCredentials);
    const c = await navigator.credentials.create({ publicKey: pk });
    return {
      id: c.id, rawId: encode(c.rawId), type: c.type, clientExtensionResults: {},
      response: {
        clientDataJSON: encode(c.response.clientDataJSON),
        attestationObject: encode(c.response.attestationObject),
        transports: c.response.getTransports ? c.response.getTransports() : [],
      },
    };
  };

  const assert = async (options) => {
    const pk = options.publicKey;
    pk.challenge = decode(pk.challenge);
    pk.allowCredentials = withIds(pk.allowCredentials);
    const c = await navigator.credentials.get({ publicKey: pk });
    return {
      id: c.id, rawId: encode(c.rawId), type: c.type, clientExtensionResults: {},
      response: {
        clientDataJSON: encode(c.response.clientDataJSON),
        authenticatorData: encode(c.response.authenticatorData),
        signature: encode(c.response.signature),
        userHandle: c.response.userHandle ? encode(c.response.userHandle) : "",
      },
    };
  };

  const say = (text, bad) => {
    const status = document.getElementById(bad ? "problem" : "status");
    document.getElementById(bad ? "status" : "problem").textContent = "";
    status.textContent = text;
  };

  const words = (err) => {
    if (err.name === "NotAllowedError") return "Nothing was done: the passkey dialog was closed or its time ran out. You can try again.";
    if (err.name === "InvalidStateError") return "This device holds a login passkey for you already. Log in with it.";
    return err.message;
  };

  const button = document.querySelector("[data-ceremony]");
  if (!button) return;
  if (!window.PublicKeyCredential) {
    button.disabled = true;
    say("This browser cannot use passkeys. Use a current browser.", true);
    return;
  }
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      say("Waiting for your passkey…", false);
      const options = await post(button.dataset.begin);
      const answer = button.dataset.ceremony === "join" ? await register(options) : await assert(options);
      const done = await post(button.dataset.finish, answer);
      say("Done. One moment…", false);
      location.assign(done.next);
    } catch (err) {
      say(words(err), true);
      button.disabled = false;
      button.focus();
    }
  });
})();
