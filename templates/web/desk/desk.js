/* The desk's shortcuts. Every action has a button or a link of its own, so the pages work without this. */

const status = () => document.querySelector(".status [role=status]");
const typing = "input, textarea, select, dialog[open], [contenteditable]";

/** Say in the status line, which is a live region, what has happened. */
export const say = (text) => {
  const line = status();
  if (line) line.textContent = text;
};

/** Press the control of the current story, or of the page, that is marked with data-key="x". */
const press = (key) => {
  const here = document.querySelector("[aria-current=true]");
  const control = [here, document].map((place) => place?.querySelector(`[data-key="${CSS.escape(key)}"]`)).find(Boolean);
  control?.click();
  return Boolean(control);
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest(typing)) return;
  if (document.documentElement.dataset.keys !== "off" && press(event.key)) event.preventDefault();
});

// A select or a checkbox that is marked so sends its form at once; without scripts, the form has a button.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});
