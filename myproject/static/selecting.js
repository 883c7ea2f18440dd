// Counts the ticks, and ticks a whole page, without asking the server. Without scripts, its buttons do the same.
const form = document.getElementById("selecting");
const selected = document.getElementById("selected");
const boxes = [...form.querySelectorAll("[name=ticked]")];
const numbers = new Intl.NumberFormat(document.documentElement.lang);

function count() {
  const number = Number(selected.dataset.others) + boxes.filter((box) => box.checked).length;
  selected.textContent = selected.textContent.replace(/[\d.,\s]*\d/, numbers.format(number));
}

form.addEventListener("change", count);
document.getElementById("select-page").addEventListener("click", (event) => {
  event.preventDefault();
  for (const box of boxes) box.checked = true;
  count();
});
// A page gone back to has the ticks that it was left with.
addEventListener("pageshow", count);
