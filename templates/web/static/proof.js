/* Does the proof of work a form asks for: ALTCHA, second version, PBKDF2 in the browser's own cryptography.
   MIT licence, as the whole project. */

const bytes = (hex) => Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
const hex = (buffer) => [...buffer].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Whether this browser can do the work: it cannot on a page that came without encryption. */
export const able = Boolean(globalThis.crypto?.subtle);

/** Return, after about half a second, the text that solves a challenge. */
export async function solve(challenge) {
  const { salt, nonce, cost, keyLength, keyPrefix } = challenge.parameters;
  const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: cost };
  const start = bytes(nonce);
  const password = new Uint8Array(start.length + 4);
  password.set(start);
  for (let counter = 0; ; counter += 1) {
    new DataView(password.buffer).setUint32(start.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const derivedKey = hex(new Uint8Array(await crypto.subtle.deriveBits(how, key, keyLength * 8)));
    if (derivedKey.startsWith(keyPrefix)) {
      return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
    }
  }
}
