// Searches while a person types, and moves through the list by keys. Without scripts, the form and the links do the same.
const form = document.querySelector("form[data-live]");
const field = form.elements.q;
const found = () => document.getElementById(form.dataset.live);

const SLOW_MILLISECONDS = 1000, LONGEST_MILLISECONDS = 15000;
let waiting, latest;

async function find() {
  const address = `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`;
  latest?.abort();
  const search = latest = new AbortController();
  const slow = setTimeout(tell, SLOW_MILLISECONDS, { text: form.dataset.slow });
  const end = setTimeout(() => search.abort(), LONGEST_MILLISECONDS);
  found().setAttribute("aria-busy", "true");
  const answer = await ask(address, search.signal);
  clearTimeout(slow);
  clearTimeout(end);
  // An older answer may arrive after a newer one.
  if (search !== latest) return;
  found().removeAttribute("aria-busy");
  if (answer.page) show(answer.page, address);
  else tell(answer);
}

// Returns the page of the list at an address, or what `tell` needs.
async function ask(address, signal) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok && page.getElementById(form.dataset.live)) return { page };
    if (answer.redirected) return { text: form.dataset.signedOut, signIn: address };
    const reason = [...page.querySelectorAll(".error-page :is(h1, .lead)")].map((part) => part.textContent.trim());
    if (reason.length === 0) return { text: form.dataset.noAnswer, again: true };
    return { text: reason.join(". "), unseen: form.dataset.old, again: true };
  } catch {
    return { text: form.dataset.noAnswer, again: true };
  }
}

function show(page, address) {
  const fresh = page.getElementById(form.dataset.live);
  found().replaceWith(fresh);
  document.title = page.title;
  // Screen readers read only the notes and the number of matches, not the whole list.
  say([...fresh.querySelectorAll(".note, #count")].map((part) => part.textContent.trim()).join(" "));
  history.replaceState(null, "", address);
  // The language switch returns to this search.
  for (const here of document.querySelectorAll("header [name=page]")) here.value = address;
}

// Says, in place of the number of matches, why the list is still that of an earlier search. A person may then search
// `again`, or open the address `signIn`. What is `unseen` is read by screen readers only: people see that rows are grey.
function tell({ text, unseen = "", again = false, signIn = "" }) {
  const [said, button, link] = document.getElementById("trouble").children;
  found().classList.add("outdated");
  said.textContent = text;
  button.hidden = !again;
  link.hidden = !signIn;
  link.href = signIn;
  say(`${text} ${unseen}`);
}

function say(text) {
  document.getElementById("said").textContent = text;
}

// Also while a Korean syllable is being composed: its part finds something already.
field.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(find, 150);
});

document.addEventListener("click", (event) => {
  if (!event.target.closest("#trouble > button")) return;
  // The button will disappear.
  field.focus();
  tell({ text: form.dataset.slow });
  find();
});

function step(by) {
  const people = [...document.querySelectorAll("#users tbody th a")];
  const at = people.indexOf(document.activeElement);
  const to = at < 0 ? (by > 0 ? 0 : people.length - 1) : Math.min(Math.max(at + by, 0), people.length - 1);
  people[to]?.focus();
}

document.addEventListener("keydown", (event) => {
  const leaving = event.key === "Escape" && event.target === field;
  const typing = event.target.closest("input, textarea, select");
  if (!leaving && (typing || !("keys" in form.dataset) || event.ctrlKey || event.metaKey || event.altKey)) return;
  // In Korean input mode these keys give other letters.
  const key = event.key > "\u007f" ? { KeyJ: "j", KeyK: "k" }[event.code] : event.key;
  // Browsers would empty the field on Escape, although the list still shows its search.
  if (leaving) field.blur();
  else if (key === "/") field.focus(), field.select();
  else if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "?") location.assign(document.getElementById("help").href);
  else return;
  event.preventDefault();
});
