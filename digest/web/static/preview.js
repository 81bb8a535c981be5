// The live preview: asks whether a file has changed, and shows the new board without losing the place.
"use strict";

const PAUSE = 100; // milliseconds between two questions
const WINDOW = 980; // the height of a frame on the overview, in its own pixels
const GAP = 20;
const find = (id) => document.getElementById(id);
const digest = encodeURIComponent(new URLSearchParams(location.search).get("digest") || "");
let seen = "";
let board = null;
let waiting = []; // frames with the pages that they are to load

function make(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// ── the parts of the page ──────────────────────────────────────────────────────────────────

function chosen() {
  const name = location.hash.slice(1);
  return board.rows.some((row) => row.name === name) ? name : "";
}

function showLinks() {
  const links = board.digests.length < 2 ? [] : board.digests.map(([slug, title]) =>
    make("a", title, { href: `?digest=${slug}`, ...(slug === board.digest && { "aria-current": "page" }) }));
  find("digests").replaceChildren(...links);
  const views = [["", "Overview"], ...board.rows.map((row) => [row.name, row.title.split(":")[0]])];
  find("rows").replaceChildren(...views.map(([name, title]) =>
    make("a", title, { href: `#${name}`, ...(name === chosen() && { "aria-current": "true" }) })));
}

function showFaults(faults) {
  find("faults").replaceChildren(...faults.map((fault) => {
    const box = make("div", undefined, { class: "fault" });
    if (fault.place) box.append(make("h2", fault.place));
    box.append(make("p", fault.message));
    if (fault.around.length) {
      const lines = fault.around.map(([number, text]) =>
        make("span", `${String(number).padStart(4)}  ${text}`, number === fault.line ? { class: "here" } : {}));
      const source = make("pre");
      source.append(...lines);
      box.append(source);
    }
    return box;
  }));
  find("board").classList.toggle("stale", faults.length > 0);
}

function showNote(note) {
  find("note").textContent = note;
  find("note").hidden = !note;
}

// ── the board: frames stay in the page, so that a reload of one does not move the others ────

function scaleFor(frames) {
  const width = frames.reduce((sum, frame) => sum + frame.width, 0);
  const room = find("board").clientWidth - GAP * (frames.length - 1);
  return Math.min(1, room / width);
}

function fit(sheet, frame, scale) {
  const whole = chosen() !== "";
  const inside = sheet.firstChild;
  const inner = inside.contentDocument && inside.contentDocument.documentElement;
  if (whole && inner) inside.style.height = "200px"; // a page is at least as high as its window
  const height = whole && inner ? Math.max(200, inner.scrollHeight) : WINDOW;
  inside.style.width = `${frame.width}px`;
  inside.style.height = `${height}px`;
  inside.style.transform = `scale(${scale})`;
  sheet.style.width = `${frame.width * scale}px`;
  sheet.style.height = `${height * scale}px`;
}

function figureFor(frame, scale) {
  const figure = make("figure");
  const sheet = make("div", undefined, { class: "sheet" });
  // Without scripts; of our own origin only so that its height can be measured.
  const inside = make("iframe", undefined, { sandbox: "allow-same-origin", title: frame.title });
  inside.addEventListener("load", () => fit(sheet, frame, scale));
  sheet.append(inside);
  figure.append(make("figcaption", frame.title), sheet);
  fit(sheet, frame, scale);
  inside.src = address(frame);
  return figure;
}

function address(frame) {
  return `/page/${frame.page}?digest=${digest}&images=${frame.images ? "on" : "off"}&stamp=${seen}`;
}

function headFor(row) {
  const head = make("div", undefined, { class: "head" });
  const title = make("h2");
  title.append(make("a", row.title, { href: chosen() ? "#" : `#${row.name}` }));
  head.append(title);
  if (row.size) head.append(make("p", `${(row.size / 1024).toFixed(1)} KB in the message`, { class: "facts" }));
  if (row.subject) {
    const lines = make("p", undefined, { class: "lines", dir: "auto" });
    lines.append(make("b", row.subject), " ", make("span", row.preheader));
    head.append(lines);
  }
  if (row.findings.length) {
    const list = make("ul", undefined, { class: "findings" });
    list.append(...row.findings.map((finding) => make("li", finding)));
    head.append(list);
  }
  return head;
}

function sectionFor(row) {
  const section = make("section", undefined, { id: `row-${row.name}` });
  const frames = make("div", undefined, { class: "frames" });
  const scale = scaleFor(row.frames);
  frames.append(...row.frames.map((frame) => figureFor(frame, scale)));
  section.append(headFor(row), frames);
  return section;
}

function build() {
  if (!board || !board.rows.length) return;
  showLinks();
  const rows = board.rows.filter((row) => !chosen() || row.name === chosen());
  find("board").replaceChildren(...rows.map(sectionFor));
}

/** Show a new board in the frames that are there, so that nothing on the page moves. */
function refresh(before) {
  const shape = (each) => JSON.stringify(each && each.rows.map((row) => [row.name, row.title, row.frames]));
  if (shape(before) !== shape(board)) return build();
  showLinks();
  waiting = [];
  for (const row of board.rows) {
    const section = find(`row-${row.name}`);
    if (!section) continue;
    section.querySelector(".head").replaceWith(headFor(row));
    const insides = section.querySelectorAll("iframe");
    row.frames.forEach((frame, place) => waiting.push([insides[place], address(frame)]));
  }
  loadNext();
}

/** Load the frames that can be seen, all at once; the others follow one by one. */
function loadNext() {
  const seen = waiting.filter(([inside]) => isSeen(inside));
  const next = seen.length ? seen : waiting.slice(0, 1);
  waiting = waiting.filter((each) => !next.includes(each));
  let missing = next.length;
  for (const [inside, source] of next) {
    inside.addEventListener("load", () => { missing -= 1; if (!missing) loadNext(); }, { once: true });
    inside.src = source;
  }
}

function isSeen(inside) {
  const { top, bottom } = inside.getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}

// ── following the changes ──────────────────────────────────────────────────────────────────

function say(text, kind = "") {
  find("status").textContent = text;
  find("status").className = kind;
}

function show(state) {
  seen = state.stamp;
  showFaults(state.faults);
  const time = new Date().toLocaleTimeString();
  if (state.faults.length) return say(`${time}: cannot be rendered`, "wrong");
  const before = board;
  board = state;
  document.title = `Live preview: ${state.title}`;
  showNote(state.note);
  refresh(before);
  say(`up to date, ${time}`);
}

let lost = false;

async function follow() {
  try {
    const answer = await fetch(`/state?digest=${digest}&seen=${seen}`);
    if (answer.status === 200) show(await answer.json());
    else if (answer.status !== 204) say(`the program failed (${answer.status}); see its terminal`, "wrong");
    else if (lost) say("connected again");
    lost = false;
  } catch {
    lost = true;
    say("digest preview has ended", "lost");
  }
  setTimeout(follow, lost ? 10 * PAUSE : PAUSE);
}

addEventListener("hashchange", () => { build(); scrollTo(0, 0); });
let resized = 0;
addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(build, 200); });
follow();
