// Adds to each password field a button that shows the password.
for (const field of document.querySelectorAll("input[type=password]")) {
  const button = field.nextElementSibling;
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    field.focus();
  });
}
