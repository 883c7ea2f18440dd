// Searches while a person types, and moves through the list by keys. Without scripts, the form and the links do the same.
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
  // An older answer may arrive after a newer one. An error page and the sign-in page are opened as pages.
  if (asked !== address) return;
  if (!answer.ok || !fresh) return location.assign(address);
  found().replaceWith(fresh);
  document.title = page.title;
  // Screen readers read only the notes and the number of matches, not the whole list.
  const told = [...fresh.querySelectorAll(".note, #count")].map((part) => part.textContent.trim());
  document.getElementById("said").textContent = told.join(" ");
  history.replaceState(null, "", address);
  // The language switch returns to this search.
  for (const here of document.querySelectorAll("header [name=page]")) here.value = address;
}

// Also while a Korean syllable is being composed: its part finds something already.
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
