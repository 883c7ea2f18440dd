// Lets the browser ask before a person leaves a form with entries that are not saved (the event `beforeunload`).
const form = document.getElementById("record");

const ask = (event) => event.preventDefault();

function isEdited(field) {
  // Browsers fill in passwords by themselves.
  if (field.type === "password") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.type === "select-one") {
    const shown = [...field.options].findIndex((option) => option.defaultSelected);
    return field.selectedIndex !== Math.max(shown, 0);
  }
  // Buttons have no default value.
  return "defaultValue" in field && field.value !== field.defaultValue;
}

// The listener is there only while it is needed, because it may keep pages out of the browser's page cache.
function watch() {
  if ("unsaved" in form.dataset || [...form.elements].some(isEdited)) addEventListener("beforeunload", ask);
  else removeEventListener("beforeunload", ask);
}

form.addEventListener("input", watch);
form.addEventListener("submit", () => removeEventListener("beforeunload", ask));
watch();
