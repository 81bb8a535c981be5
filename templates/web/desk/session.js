/* Say some minutes before that the session ends, and offer to stay signed in. Only the button prolongs the session; the question how long it lasts does not. Other tabs may have prolonged it, so the server is asked before anything is said. */

const box = document.getElementById("session");
const line = box.querySelector("[role=alert]");
const stay = box.querySelector("button");
const signIn = box.querySelector("a");
const WARNED = 5 * 60; // seconds before the end
const AGAIN = 15; // seconds until the server is asked again while the notice is there

let ends = 0;
let isFinal = false;
let timer = 0;
let from = null; // where the focus was before the notice got it
let led = false; // the focus has been in the notice since it appeared
const left = () => (ends - Date.now()) / 1000;
const wait = (seconds) => {
  clearTimeout(timer);
  timer = setTimeout(ask, Math.max(1, seconds) * 1000);
};

/** Ask the server how long the session lasts, or to prolong it; tell whether it has answered. */
async function ask(how = "left") {
  let answered = false;
  try {
    const answer = await fetch(`${box.dataset.path}/${how}`, { method: how === "stay" ? "POST" : "GET" });
    if (answer.ok) {
      know(await answer.json());
      answered = true;
    }
  } catch { /* the server cannot be reached, and our own clock goes on */ }
  show();
  return answered;
}

function know({ seconds, isFinal: final }) {
  ends = Date.now() + seconds * 1000;
  isFinal = final;
}

function show() {
  const seconds = left();
  if (seconds > WARNED) {
    hide();
    return wait(seconds - WARNED);
  }
  const over = seconds <= 0;
  if (over !== box.hasAttribute("data-over")) led = false;
  stay.hidden = over || isFinal;
  signIn.hidden = !over;
  box.toggleAttribute("data-over", over);
  say(over ? "Your session has ended. What you have written is still on this page: sign in in a new tab, and go on here." : warning(seconds));
  if (over) clearTimeout(timer); // it is asked again when somebody comes back to this tab
  else wait(Math.min(AGAIN, seconds + 1));
}

function warning(seconds) {
  const minutes = Math.ceil(seconds / 60);
  const when = minutes > 1 ? `in ${minutes} minutes` : "in less than a minute";
  if (isFinal) return `Your session ends ${when}, because you signed in twelve hours ago. Please save what you have written, and sign in again.`;
  return `Your session ends ${when}, because nothing has been sent or saved for some time.`;
}

function say(text) {
  const appears = box.hidden;
  box.hidden = false;
  if (appears) [from, led] = [null, false];
  if (line.textContent !== text) line.textContent = text; // it is read out
}

function hide() {
  const goes = box.contains(document.activeElement);
  box.hidden = true;
  box.removeAttribute("data-over");
  line.textContent = "";
  if (goes) from?.focus();
}

stay.addEventListener("click", async () => {
  if (!(await ask("stay"))) return say("The server cannot be reached, so your session is not prolonged yet. Please try again.");
  if (left() <= WARNED) return;
  stay.hidden = true;
  say("You stay signed in.");
  setTimeout(() => { if (left() > WARNED) hide(); }, 5000);
});

// The next Tab leads to the notice from wherever the focus is, and one more leads back. The notice takes the
// focus from nobody by itself, because somebody may be writing.
box.addEventListener("focusin", ({ relatedTarget }) => {
  led = true;
  if (relatedTarget && !box.contains(relatedTarget)) from = relatedTarget;
});
document.addEventListener("keydown", (event) => {
  const control = stay.hidden ? signIn : stay;
  const inside = box.contains(document.activeElement);
  if (event.key !== "Tab" || box.hidden || control.hidden || (inside ? !from?.isConnected : led || event.shiftKey)) return;
  const goal = inside ? from : control;
  goal.focus();
  if (document.activeElement === goal) event.preventDefault();
});

const look = () => {
  if (!document.hidden && left() <= WARNED) ask();
};
document.addEventListener("visibilitychange", look);
window.addEventListener("focus", look);
window.addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
document.addEventListener("session:ask", () => ask());

know({ seconds: Number(box.dataset.seconds), isFinal: "final" in box.dataset });
show();
