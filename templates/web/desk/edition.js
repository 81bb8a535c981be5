/* The desk's page of one edition: live, by keyboard, by drag, and no text is lost. Every action is a link or a form of the page, so all of this is an extra. */

const find = (selector, place = document) => place.querySelector(selector);
const all = (selector, place = document) => [...place.querySelectorAll(selector)];
const page = () => find("#edition");
const asked = () => find("#question");
const swap = { target: "#edition", select: "#edition", swap: "outerMorph" };

/* ── the current story ─────────────────────────────────────────────────────────────────── */

let current = "";
let next = ""; // the story that becomes the current one if the current one goes
const stories = () => all(".story", page());
const here = () => find(".story[aria-current=true]");

function go(story, focus = true) {
  if (!story) return;
  here()?.removeAttribute("aria-current");
  story.setAttribute("aria-current", "true");
  const list = stories();
  const at = list.indexOf(story);
  current = story.dataset.story;
  next = (list[at + 1] ?? list[at - 1])?.dataset.story ?? "";
  if (focus) story.focus({ preventScroll: true });
  story.scrollIntoView({ block: "nearest" });
  told = "";
}

function step(by) {
  const list = stories();
  const at = list.indexOf(here());
  go(at < 0 ? list[0] : list[at + by]);
}

document.addEventListener("click", (event) => {
  const story = event.target.closest(".story");
  if (story && story !== here()) go(story, false);
});

/* ── keys ──────────────────────────────────────────────────────────────────────────────── */

const typing = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
const off = () => document.documentElement.dataset.keys === "off";
const press = (selector, place = document) => {
  const control = place && find(selector, place);
  control?.click();
  return Boolean(control);
};

const keys = {
  j: () => step(1),
  k: () => step(-1),
  Enter: (event) => (event.target.closest("a, button, summary") ? false : press("[data-edit]", here())),
  "?": () => find("#keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return leave(event);
  if (event.target.closest(typing)) return save(event);
  if (off() || event.ctrlKey || event.metaKey || find("dialog[open]")) return;
  if (asked()) return answer(event);
  if (event.altKey) return move(event);
  const moves = find(".moves:popover-open");
  if (moves && /^[1-9]$/.test(event.key)) return done(event, press(`[data-digit="${event.key}"]`, moves));
  if (keys[event.key]) done(event, keys[event.key](event) !== false);
}, true);

/** Keep other listeners from handling a key that was used. */
function done(event, used) {
  if (!used) return;
  event.preventDefault();
  event.stopPropagation();
}

function move(event) {
  const way = { ArrowUp: "up", ArrowDown: "down" }[event.key];
  if (!way || !here()) return;
  if (here().matches(".leads")) find("#said").textContent = "The lead stands at the top; l puts it back under its topic.";
  else if (!press(`[data-step="${way}"]:not([disabled])`, here())) find("#said").textContent = "This is its end of the topic; m moves it to another.";
  done(event, true);
}

function answer(event) {
  done(event, true && (event.key === "Tab" || event.key === "Enter" || event.key === " " ? false : press(`[data-answer="${CSS.escape(event.key)}"]`, asked()) || true));
}

/** Enter saves a headline, and Ctrl Enter any text. */
function save(event) {
  const field = event.target;
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !field.matches("textarea")) return;
  if (field.matches("[data-line]") || event.ctrlKey || event.metaKey) {
    event.preventDefault();
    field.form.requestSubmit(find("button.main", field.form));
  }
}

/** Leave a field, a form or a question; the text is kept. */
function leave(event) {
  if (find(":popover-open") || find("dialog[open]")) return;
  const close = find("[data-close]", asked() ?? event.target.closest("form") ?? find("form.edit") ?? document);
  if (close) done(event, (close.click(), true));
  else if (event.target.closest(typing)) event.target.blur();
}

function useKeys(use) {
  if (use) delete document.documentElement.dataset.keys;
  else document.documentElement.dataset.keys = "off";
}

const box = find("#use-keys");
try {
  box.checked = localStorage.getItem("desk keys") !== "off";
} catch { /* the browser keeps nothing for us */ }
useKeys(box.checked);
box.addEventListener("change", () => {
  useKeys(box.checked);
  keep("desk keys", box.checked ? null : "off");
});

/* ── texts that are not saved yet ──────────────────────────────────────────────────────── */

function keep(name, text) {
  try {
    if (text === null) localStorage.removeItem(name);
    else localStorage.setItem(name, text);
  } catch { /* then only the page keeps it */ }
}

const draftOf = (form) => `desk ${page().dataset.path} ${form.dataset.draft}`;
const fields = (form) => all("textarea, input:not([type=hidden])", form);
const changed = (form) => fields(form).some((field) => field.value !== field.defaultValue);

document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-draft]");
  const count = event.target.parentElement?.querySelector("[data-count]");
  if (count) count.textContent = `${event.target.value.length} characters; phones show about 38`;
  if (!form) return;
  const values = Object.fromEntries(fields(form).map((field) => [field.name, field.value]));
  keep(draftOf(form), changed(form) ? JSON.stringify(values) : null);
  if (!form.matches(".edit")) form.toggleAttribute("hx-morph-skip", changed(form)); // until it is saved
});

/** Put a text that was left earlier back into its form. */
function restore(form) {
  let kept;
  try {
    kept = JSON.parse(localStorage.getItem(draftOf(form)));
  } catch { return; }
  if (!kept || form.dataset.restored) return;
  form.dataset.restored = "yes";
  for (const field of fields(form)) field.value = kept[field.name] ?? field.value;
  if (changed(form)) note(form, "This is your text from before. It is not saved yet.");
}

function note(form, text) {
  const line = document.createElement("p");
  line.className = "hint";
  line.textContent = text;
  find(".acts", form).append(line);
}

/* ── requests ──────────────────────────────────────────────────────────────────────────── */

let sent = null; // the form whose answer is awaited
let turn = 0; // counts the requests of this person; an older answer must not undo a newer one
let flying = 0;
const isRefresh = (ctx) => ctx.sourceElement === page() && ctx.request.method === "GET";
const isPart = (ctx) => ctx?.sourceElement?.matches("[data-part]"); // its answer is a part of the page
let opener = ""; // the address of the link that opened the question

document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  flying += 1;
  if (isRefresh(ctx) || isPart(ctx)) return;
  turn += 1;
  sent = ctx.request.form?.matches("[data-draft]") ? ctx.request.form : null;
  if (ctx.sourceElement.matches("a:not([data-close])") && !asked()) opener = ctx.sourceElement.id || ctx.sourceElement.dataset.key || "";
  for (const open of all(":popover-open")) open.hidePopover();
});

document.addEventListener("htmx:finally:request", () => { flying -= 1; });

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  const { response, text } = ctx;
  if (isPart(ctx)) return response.status < 400 ? undefined : event.preventDefault();
  if (isRefresh(ctx) && (turn !== asking || busy())) return event.preventDefault();
  if (response.status < 500 && text.includes('id="edition"')) {
    if (sent && response.raw.redirected) {
      keep(draftOf(sent), null);
      sent.removeAttribute("hx-morph-skip");
    }
    const forgets = ctx.sourceElement.closest("[data-forget]")?.dataset.forget;
    if (forgets && !text.includes('id="question"')) keep(`desk ${page().dataset.path} ${forgets}`, null);
    return;
  }
  event.preventDefault(); // the page, and every text in it, stays as it is
  const out = response.status === 401 || response.raw.url.includes("/login");
  lost(out ? "You have been signed out. Your text is safe on this page." : "This was not done. Your text is safe on this page; please try again.", out);
});

document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx?.sourceElement) lost("The server cannot be reached. Your text is safe on this page; please try again.");
});

document.addEventListener("htmx:after:swap", (event) => { if (!isPart(event.detail?.ctx)) shown(); });

/** Follow a swap: the current story stays, and the focus goes where a person would look next. */
function shown() {
  if (!page()) return;
  const same = find(`.story[data-story="${CSS.escape(current)}"]`) ?? find(`.story[data-story="${CSS.escape(next)}"]`);
  const focused = document.activeElement && document.activeElement !== document.body;
  for (const form of all("[data-draft]")) restore(form);
  ready();
  if (asked()) return question();
  for (const part of all("header.top, .skip")) part.inert = false;
  const field = find("form [data-focus]");
  if (field && !field.closest("form").dataset.focused) {
    field.closest("form").dataset.focused = "yes";
    if (field.closest(".story") ?? same) go(field.closest(".story") ?? same, false);
    field.focus();
  } else if (find("#refusal") && !find("#refusal").dataset.focused) {
    find("#refusal").dataset.focused = "yes";
    find("#refusal").focus();
  } else if (same) {
    go(same, !focused || Boolean(document.activeElement.closest(".story")));
  } else if (!focused && opener) {
    find(`#${CSS.escape(opener)}, [data-key="${CSS.escape(opener)}"]`)?.focus();
  }
}

/** Keep the focus within a question. */
function question() {
  for (const part of all("header.top, .skip")) part.inert = true;
  if (asked().contains(document.activeElement)) return;
  find("button:not([disabled]), [data-answer], a", asked())?.focus();
}

/** Show the parts that work only with this script. */
function ready() {
  for (const part of all("#help")) part.hidden = false;
  for (const line of all(".story[data-topic]")) line.draggable = !find("form.edit", line) && matchMedia("(pointer: fine)").matches;
  page().toggleAttribute("data-scripted", true);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#help")) find("#keys").showModal();
});

/* ── live ──────────────────────────────────────────────────────────────────────────────── */

let heard = 0;
let clock = "";
let told = ""; // the place that the server knows
let behind = false;
let asking = 0; // the turn in which the page is made again

function lost(text, out = false) {
  const line = find("#not-live");
  line.textContent = text;
  if (out) {
    const link = Object.assign(document.createElement("a"), { href: `${page().dataset.root}/login`, target: "_blank", rel: "noopener", textContent: "Sign in in a new tab" });
    line.append(" ", link, ", and then do this again.");
  }
  line.hidden = false;
}

const busy = () => flying > 1 || asked() || find(":popover-open") || find("dialog[open]") || find(".dragged");

/** Make the page again if it does not show what is there now. A form that is open keeps its text. */
function refresh() {
  if (flying || busy()) return;
  behind = false;
  const { path, query } = page().dataset;
  asking = turn;
  htmx.ajax("GET", `${path}${query}`, { ...swap, source: page() });
}

const source = new EventSource(`${page().dataset.path}/live`);
source.addEventListener("message", (event) => {
  const { beat, at } = JSON.parse(event.data);
  heard = Date.now();
  clock = at;
  for (const part of all("[data-live=live]")) part.hidden = false;
  if (find("#not-live").dataset.live === "lost" && find("#not-live").textContent.startsWith("Not live")) find("#not-live").hidden = true;
  if (beat !== page().dataset.beat && beat !== behind) {
    behind = beat;
    refresh();
  } else if (behind && beat !== page().dataset.beat) refresh();
});

setInterval(() => {
  if (heard && Date.now() - heard > 8000) {
    for (const part of all("[data-live=live]")) part.hidden = true;
    lost(`Not live; last known ${clock}. What you do is still saved.`);
    heard = 0;
  }
}, 1000);

/** Tell the server where this person is: at once after a change of place, and every twenty seconds. */
function tell() {
  const story = here();
  const place = story?.dataset.topic ?? story?.dataset.story ?? "";
  const unsaved = all("[data-draft]").some(changed) ? "1" : "";
  const what = `${place} ${unsaved}`;
  if (document.hidden || (what === told && Date.now() - toldAt < 20000)) return;
  told = what;
  toldAt = Date.now();
  fetch(`${page().dataset.path}/here`, { method: "POST", body: new URLSearchParams({ place, unsaved }) }).catch(() => { told = ""; });
}

let toldAt = 0;
setInterval(tell, 2000);

/* ── drag: an extra over the same form as the buttons ──────────────────────────────────── */

const clear = () => all(".before, .into").forEach((part) => part.classList.remove("before", "into"));

function place(event) {
  const topic = event.target.closest("[data-drop]");
  if (!topic) return null;
  const before = all(".story:not(.dragged)", topic).find((story) => {
    const { top, height } = story.getBoundingClientRect();
    return event.clientY < top + height / 2;
  });
  return { topic, before };
}

document.addEventListener("dragstart", (event) => {
  const story = event.target.closest?.(".story[data-topic]");
  if (!story) return;
  story.classList.add("dragged");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", find("h3", story)?.textContent ?? "");
});

document.addEventListener("dragover", (event) => {
  if (!find(".dragged")) return;
  const found = place(event);
  clear();
  if (!found) return;
  event.preventDefault();
  (found.before ?? found.topic).classList.add(found.before ? "before" : "into");
});

document.addEventListener("dragend", () => {
  clear();
  find(".dragged")?.classList.remove("dragged");
});

document.addEventListener("drop", (event) => {
  const story = find(".dragged");
  const found = story && place(event);
  if (!found) return;
  event.preventDefault();
  story.classList.remove("dragged");
  clear();
  const values = { do: "move", story: story.dataset.story, topic: found.topic.dataset.drop, seen: page().dataset.seen };
  if (found.before) values.before = found.before.dataset.story;
  current = story.dataset.story;
  htmx.ajax("POST", `${page().dataset.path}/edit`, { ...swap, source: page(), values });
});

shown();
