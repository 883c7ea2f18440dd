// Copies a text to the clipboard. Browsers allow it on https only; elsewhere the button stays hidden.
const button = document.querySelector("[data-copies]");
const said = document.getElementById("copied");

button.hidden = !navigator.clipboard;
button.addEventListener("click", async () => {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
  said.textContent = said.dataset.text;
});
