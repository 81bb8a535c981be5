/* Solves the proof of work of a form: ALTCHA, version 2, with PBKDF2 from the browser's own cryptography.
   MIT licence, like the whole project. */

const bytes = (hex) => Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
const hex = (buffer) => [...buffer].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** True if this browser can do the work. It cannot on a page loaded without encryption. */
export const able = Boolean(globalThis.crypto?.subtle);

/** Return the solution of a challenge as text, after about half a second. */
export async function solve(challenge) {
  const { salt, nonce, cost, keyLength, keyPrefix } = challenge.parameters;
  const algorithm = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: cost };
  const start = bytes(nonce);
  const password = new Uint8Array(start.length + 4);
  password.set(start);
  for (let counter = 0; ; counter += 1) {
    new DataView(password.buffer).setUint32(start.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const derivedKey = hex(new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, keyLength * 8)));
    if (derivedKey.startsWith(keyPrefix)) {
      return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
    }
  }
}
