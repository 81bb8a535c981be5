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
  const marked = [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)];
  const control = marked.find((each) => each.closest(".story[aria-current]")) ?? marked.find((each) => !each.closest(".story"));
  if (!control) {
    if (marked.length) say("No story is chosen. Press j to choose one.");
  } else if (control.disabled) say(control.dataset.idle);
  else if (control.matches("input")) control.select();
  else control.click();
  return marked.length > 0;
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target.closest(typing)) return;
  if (document.documentElement.dataset.keys !== "off" && press(event.key)) event.preventDefault();
});

// A select or a checkbox that is marked so sends its form at once; without scripts, the form has a button.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

// Tick all posts of a list at once, and say how many are ticked.
document.addEventListener("change", (event) => {
  const form = event.target.form;
  const name = event.target.dataset.all ?? event.target.name;
  const line = form?.querySelector(`[data-count="${CSS.escape(name ?? "")}"]`);
  if (!line) return;
  const boxes = [...form.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`)];
  if (event.target.dataset.all) for (const box of boxes) box.checked = event.target.checked;
  line.textContent = `${boxes.filter((box) => box.checked).length} selected`;
});

/** Show what works only with scripts, and fill in what only the browser knows. */
const enhance = () => {
  for (const box of document.querySelectorAll("[data-all]")) box.hidden = false;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const place of document.querySelectorAll("[data-zone]")) {
    if (place.matches("input")) place.value = zone;
    else place.textContent = `${zone.split("/").pop().replaceAll("_", " ")} time`;
  }
};
enhance();
document.addEventListener("htmx:after:swap", enhance);

// A link that leads to a field puts the cursor there.
const aim = document.getElementById(location.hash.slice(1));
if (aim?.matches("input, textarea")) aim.focus();
