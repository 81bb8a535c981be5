/* The desk's page of one edition: live, by keyboard, by drag, and no text is lost. Every action is a link or a form of the page, so all of this is an extra. */

const find = (selector, place = document) => place.querySelector(selector);
const all = (selector, place = document) => [...place.querySelectorAll(selector)];
const page = () => find("#edition");
const say = (text) => { find("#said").textContent = text; };
const asked = () => find("#question");
const swap = { target: "#edition", select: "#edition", swap: "outerMorph" };

/* ── the current story ─────────────────────────────────────────────────────────────────── */

let current = "";
let next = ""; // the story that becomes the current one if the current one goes
const stories = () => all(".story", page());
const here = () => find(".story[aria-current=true]");

function mark(story) {
  if (!story) return;
  here()?.removeAttribute("aria-current");
  story.setAttribute("aria-current", "true");
  const list = stories();
  const at = list.indexOf(story);
  current = story.dataset.story;
  next = (list[at + 1] ?? list[at - 1])?.dataset.story ?? "";
  remember();
}

function go(story, focus = true) {
  if (!story) return;
  mark(story);
  if (focus) story.focus({ preventScroll: true });
  story.scrollIntoView({ block: "nearest" });
  told = "";
}

function step(by) {
  const list = stories();
  const at = list.indexOf(here());
  if (!list.length) say("There are no stories.");
  else if (at >= 0 && !list[at + by]) say(by > 0 ? "This is the last story." : "This is the first story.");
  go(at < 0 ? list[0] : list[at + by]);
}

/** Keep the current story for the way back from another page of the desk. */
function remember() {
  try {
    sessionStorage.setItem(`desk ${page().dataset.path} story`, current);
  } catch { /* then the way back leads to the top */ }
}

function recall() {
  const named = location.hash.startsWith("#s-") ? location.hash.slice(3) : "";
  const [way] = performance.getEntriesByType("navigation");
  if (named || !["back_forward", "reload"].includes(way?.type)) return named;
  try {
    return sessionStorage.getItem(`desk ${page().dataset.path} story`) ?? "";
  } catch { return ""; }
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
  if (event.ctrlKey || event.metaKey || find("dialog[open]")) return;
  const menu = find(".menu:popover-open");
  if (menu && /^Arrow(Up|Down)$/.test(event.key) && !event.altKey) return done(event, along(menu, event.key === "ArrowDown" ? 1 : -1));
  if (off()) return;
  if (acting) return wait(event);
  if (asked()) return answer(event);
  if (event.altKey) return event.repeat ? undefined : move(event);
  if (menu && /^[1-9]$/.test(event.key)) return done(event, press(`[data-digit="${event.key}"]`, menu));
  if (keys[event.key]) done(event, keys[event.key](event) !== false);
}, true);

/* A key that is pressed before the last one has its answer waits for it: "x x" drops two stories. */
const waiting = [];

function wait(event) {
  if (event.repeat || !/^([^ ]|Enter|Arrow(Up|Down))$/.test(event.key)) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const { key, altKey } = event;
  if (waiting.length < 20) waiting.push({ key, altKey });
  done(event, true);
}

function replay() {
  while (waiting.length && !acting) {
    const field = document.activeElement.closest(typing);
    if (field && !field.matches("textarea, input:not([type])")) waiting.length = 0;
    else if (field) { // these keys were meant for the field that has just opened
      const text = waiting.splice(0).map(({ key }) => key).filter((key) => key.length === 1).join("");
      field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
      field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    } else document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { ...waiting.shift(), bubbles: true, cancelable: true }));
  }
}

/** Go to the next control of a menu. */
function along(menu, by) {
  const controls = all("a, button:not([disabled]), input:not([type=hidden])", menu).filter((each) => each.checkVisibility());
  const at = controls.indexOf(document.activeElement);
  controls.at(at < 0 ? 0 : (at + by) % controls.length)?.focus();
  return true;
}

document.addEventListener("toggle", ({ target, newState }) => {
  if (newState === "open" && target.matches(".menu") && !target.contains(document.activeElement)) along(target, 1);
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
  if (here().matches(".leads")) say("This is the lead. Press l to put it back under its topic.");
  else if (!press(`[data-step="${way}"]:not([disabled])`, here())) say(`It is ${way === "up" ? "first" : "last"} under its topic. Press m to move it to another.`);
  done(event, true);
}

function answer(event) {
  if (["Tab", "Enter", " "].includes(event.key)) return;
  press(`[data-answer="${CSS.escape(event.key)}"]`, asked());
  done(event, true);
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
  const form = event.target.closest("form") ?? find("form.edit");
  const close = find("[data-close]", asked() ?? form ?? document);
  if (close && !asked() && form?.matches("[data-draft]") && changed(form)) aside = "The form is closed. Your text is kept, and is not saved yet.";
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

let turned = false; // another tab was chosen
let aside = ""; // what is said after the next swap
let acting = 0; // the requests of this person that are not answered yet
let sent = null; // the form whose answer is awaited
let turn = 0; // counts the requests of this person; an older answer must not undo a newer one
let flying = 0;
const isRefresh = (ctx) => ctx.sourceElement === page() && ctx.request.method === "GET";
const isPart = (ctx) => ctx?.sourceElement?.matches("[data-part]"); // its answer is a part of the page
let opener = ""; // the address of the link that opened the question

document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  flying += 1;
  ctx.mine = !isRefresh(ctx) && !isPart(ctx); // the source of a request may be gone when its answer is there
  if (!ctx.mine) return;
  turn += 1;
  acting += 1;
  const story = ctx.request.form?.elements.story?.value;
  if (story) current = story;
  turned = ctx.sourceElement.matches(".tabs a");
  if (turned || ctx.sourceElement.matches(".proof [role=group] a")) aside = `The page shows: ${ctx.sourceElement.firstChild.textContent.trim()}.`;
  sent = ctx.request.form?.matches("[data-draft]") ? ctx.request.form : null;
  if (ctx.sourceElement.matches("a:not([data-close])") && !asked()) opener = ctx.sourceElement.id || ctx.sourceElement.dataset.key || "";
  for (const open of all(":popover-open")) open.hidePopover();
});

document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  flying -= 1;
  if (!ctx.mine) return;
  acting -= 1;
  replay();
});

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

document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => { if (!isPart(ctx)) shown(ctx.mine); });

/** Follow a swap: the current story stays, and the focus goes where a person would look next.
 * What others do moves neither the focus nor the page. */
function shown(mine = true) {
  if (!page()) return;
  const same = find(`.story[data-story="${CSS.escape(current)}"]`) ?? find(`.story[data-story="${CSS.escape(next)}"]`);
  const focused = document.activeElement && document.activeElement !== document.body;
  for (const form of all("[data-draft]")) restore(form);
  ready();
  count();
  if (asked()) return question();
  for (const part of all("header.top, .skip")) part.inert = false;
  if (!mine) return mark(same);
  history.replaceState(null, "", `${page().dataset.path}${page().dataset.query}`);
  if (aside) say(aside);
  aside = "";
  if (turned && find(".split").getBoundingClientRect().top < 0 && matchMedia("(max-width: 64rem)").matches) find(".split").scrollIntoView();
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
  } else if (!focused && turn) {
    ((opener && find(`#${CSS.escape(opener)}, [data-key="${CSS.escape(opener)}"]`)) || find("#outlook")).focus();
  }
}

/** Keep the focus within a question. */
function question() {
  for (const part of all("header.top, .skip")) part.inert = true;
  if (asked().contains(document.activeElement)) return;
  find("button:not([disabled]), [data-answer], a", asked())?.focus();
}

let findings = ""; // the number beside the name of the tab with the checks
let counting = 0;

/** Show how much the checks have found. It may take a second to find out, so the last number stays meanwhile. */
function count() {
  if (!find("#findings")) return;
  find("#findings").innerHTML = findings;
  clearTimeout(counting);
  counting = setTimeout(async () => {
    const before = turn;
    const answer = await fetch(`${page().dataset.path}/findings`, { redirect: "manual" }).catch(() => null);
    if (!answer?.ok || before !== turn) return; // the page is made again, and asks again then
    findings = await answer.text();
    if (find("#findings")) find("#findings").innerHTML = findings;
  }, 500);
}

// The tabs stay below the bar, which is higher if its sentence takes two lines.
const height = new ResizeObserver(([{ target }]) => document.documentElement.style.setProperty("--bar", `${target.offsetHeight}px`));

/** Show the parts that work only with this script. */
function ready() {
  for (const part of all("#help")) part.hidden = false;
  for (const line of all(".story[data-topic]")) line.draggable = !find("form.edit", line) && matchMedia("(pointer: fine)").matches;
  height.observe(find("#bar"));
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
  waiting.length = 0;
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

function listen() {
  const source = new EventSource(`${page().dataset.path}/live`);
  source.addEventListener("message", hear);
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return; // the browser asks again by itself
    document.dispatchEvent(new Event("session:ask")); // perhaps it has ended
    setTimeout(listen, 10000);
  });
}

function hear(event) {
  const { beat, at } = JSON.parse(event.data);
  heard = Date.now();
  clock = at;
  for (const part of all("[data-live=live]")) part.hidden = false;
  if (find("#not-live").dataset.live === "lost" && find("#not-live").textContent.startsWith("Not live")) find("#not-live").hidden = true;
  if (beat !== page().dataset.beat && beat !== behind) {
    behind = beat;
    refresh();
  } else if (behind && beat !== page().dataset.beat) refresh();
}

listen();
setInterval(() => {
  const over = find("#session[data-over]"); // this notice says that the session has ended
  if (heard && (over || Date.now() - heard > 8000)) {
    for (const part of all("[data-live=live]")) part.hidden = true;
    if (!over) lost(`Not live; last known ${clock}. What you do is still saved.`);
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

current = recall();
shown();
