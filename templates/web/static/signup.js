/* Fills in the reader's time zone and does the proof of work (ALTCHA v2) while the form is filled in.
   Without this script the form works all the same, with one page more. MIT licence, as the whole project. */
"use strict";

(() => {
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
  const hex = (buffer) => [...buffer].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  async function derive(parameters, salt, nonce, counter) {
    const password = new Uint8Array(nonce.length + 4);
    password.set(nonce);
    new DataView(password.buffer).setUint32(nonce.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: parameters.cost };
    return new Uint8Array(await crypto.subtle.deriveBits(how, key, parameters.keyLength * 8));
  }

  async function solve(challenge) {
    const { parameters } = challenge;
    const salt = bytes(parameters.salt);
    const nonce = bytes(parameters.nonce);
    for (let counter = 0; ; counter += 1) {
      const derived = hex(await derive(parameters, salt, nonce, counter));
      if (derived.startsWith(parameters.keyPrefix)) {
        return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey: derived } }));
      }
    }
  }

  for (const form of document.querySelectorAll("form[data-challenge]")) {
    const zone = form.querySelector("select[name=zone]");
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && !zone.value && [...zone.options].some((option) => option.value === here)) zone.value = here;
    if (!window.crypto || !crypto.subtle) continue;

    const proof = form.querySelector("input[name=proof]");
    const button = form.querySelector("button[type=submit]");
    let work;
    const begin = () => (work ||= solve(JSON.parse(form.dataset.challenge)).then((text) => { proof.value = text; }));
    form.addEventListener("focusin", begin, { once: true });
    form.addEventListener("submit", (event) => {
      if (proof.value) return;
      event.preventDefault();
      button.disabled = true;
      begin().catch(() => {}).finally(() => { button.disabled = false; form.submit(); });
    });
    window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }
})();
