// Finds while somebody types, and lets the list be used by keys. Without it, the form and the links do the same.
const form = document.querySelector("form[data-live]");
const field = form.elements.q;
const found = () => document.getElementById(form.dataset.live);

let waiting, asked = "";

async function find() {
  const address = `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`;
  asked = address;
  found().setAttribute("aria-busy", "true");
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(form.dataset.live);
  // An older answer may come after a newer one; an error page, or the one to sign in, is shown as a whole.
  if (asked !== address) return;
  if (!answer.ok || !fresh) return location.assign(address);
  found().replaceWith(fresh);
  document.title = page.title;
  // For those who hear the page: what was not understood, and how many were found, not all of it.
  const told = [...fresh.querySelectorAll(".note, #count")].map((part) => part.textContent.trim());
  document.getElementById("said").textContent = told.join(" ");
  history.replaceState(null, "", address);
  // The way back here from the other language.
  for (const here of document.querySelectorAll("header [name=page]")) here.value = address;
}

// Also while a syllable is still composed: what is there of it finds something already.
field.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(find, 150);
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
  // A keyboard that types Hangul has other letters on these keys.
  const key = event.key > "\u007f" ? { KeyJ: "j", KeyK: "k" }[event.code] : event.key;
  // Without emptying the field, as browsers do: the list still shows what stands there.
  if (leaving) field.blur();
  else if (key === "/") field.focus(), field.select();
  else if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "?") location.assign(document.getElementById("help").href);
  else return;
  event.preventDefault();
});
