/* Selects the reader's time zone, and solves the proof of work while the reader fills in the form.
   Without this script, the form works with one more page. MIT licence, like the whole project. */

import { able, solve } from "./proof.js";

for (const form of document.querySelectorAll("form[data-challenge]")) {
  const zone = form.querySelector("select[name=zone]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !zone.value && [...zone.options].some((option) => option.value === here)) zone.value = here;
  if (!able) continue;

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
