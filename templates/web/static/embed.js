/* Puts a sign-up form on any page with one line of HTML. Readers do not leave the page:
     <script src="https://digest.example.org/static/embed.js" data-digest="daily" async></script>
   The form sets no cookie, loads nothing from third parties and does not change the page around it.
   MIT licence, like the whole project. */

(() => {
  const script = document.currentScript;
  const base = script.src.replace(/\/static\/embed\.js.*$/, "");
  const digest = script.dataset.digest;

  const add = (parent, name, attributes = {}, text = "") => {
    const element = Object.assign(document.createElement(name), attributes);
    element.textContent = text;
    return parent.appendChild(element);
  };

  async function begin() {
    const host = document.createElement("div");
    script.after(host);
    const root = host.attachShadow({ mode: "open" });
    try {
      await show(root);
    } catch {
      root.replaceChildren();
      const page = `${base}/signup/${encodeURIComponent(digest)}`;
      add(add(root, "p"), "a", { href: page }, page);
    }
  }

  async function show(root) {
    const query = new URLSearchParams({ digest, language: document.documentElement.lang.split("-")[0] });
    const answer = await fetch(`${base}/api/v1/form?${query}`, { credentials: "omit" });
    if (!answer.ok) throw new Error("the form could not be loaded");
    const { words, ticket, challenge, language, style } = await answer.json();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [sheet];
    const { solve } = await import(`${base}/static/proof.js`);

    const form = add(root, "form", { noValidate: true, lang: language });
    add(form, "label", { htmlFor: "address" }, words.address);
    const row = add(form, "div");
    const field = add(row, "input", { id: "address", type: "email", autocomplete: "email", required: true, maxLength: 254, dir: "ltr" });
    const button = add(row, "button", { type: "submit" }, words.button);
    const fault = add(form, "p", { id: "fault", className: "fault", role: "alert" });
    add(form, "p", { className: "wording" }, words.wording);

    let work;
    const start = () => (work ||= solve(challenge));
    field.addEventListener("focus", start, { once: true });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      fault.textContent = "";
      const signup = { address: field.value, digests: [{ digest }], language, ticket, proof: await start() };
      const response = await fetch(`${base}/api/v1/signups`, {
        method: "POST", credentials: "omit", headers: { "content-type": "application/json" }, body: JSON.stringify(signup),
      }).catch(() => null);
      const result = response && await response.json().catch(() => null);
      button.disabled = false;
      if (response?.status === 202) {
        const done = add(root, "p", { role: "status", lang: language, tabIndex: -1 }, result.message);
        form.remove();
        done.focus();
      } else {
        const known = result?.field === "address";
        fault.textContent = known ? result.detail : response?.status === 429 ? words.often : words.failed;
        field.setAttribute("aria-invalid", known);
        field.setAttribute("aria-describedby", "fault");
      }
    });
  }

  begin();
})();
