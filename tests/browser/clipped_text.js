// Returns the texts of the page that nobody can read whole, each with the reason: outside of the window, cut off by an
// element around them, or wider than the control that shows them. Fields scroll, so their values are left out.
() => {
  const SLACK = 1.5;
  const found = [];
  const canvas = document.createElement("canvas").getContext("2d");

  const report = (text, why) => found.push(`${why}: ${text.trim().slice(0, 60)}`);
  const isForScreenReaders = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.clipPath === "inset(50%)" || style.clip.startsWith("rect(0px")) return true;
    }
    return false;
  };
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && !isForScreenReaders(element);
  const cuts = (style, axis) => ["hidden", "clip", "auto", "scroll"].includes(style[`overflow${axis}`]);

  function checkText(node) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("option, textarea, script, title, style") || !isShown(element)) return;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.left < -SLACK || box.right > innerWidth + SLACK) return report(node.data, "outside of the window");
      for (let at = element; at !== document.documentElement; at = at.parentElement) {
        const style = getComputedStyle(at), around = at.getBoundingClientRect();
        const isCutX = cuts(style, "X") && (box.left < around.left - SLACK || box.right > around.right + SLACK);
        const isCutY = cuts(style, "Y") && (box.top < around.top - SLACK || box.bottom > around.bottom + SLACK);
        if (isCutX || isCutY) return report(node.data, "cut off");
      }
    }
  }

  function checkControl(control) {
    const style = getComputedStyle(control);
    const text = control.tagName === "SELECT" ? control.selectedOptions[0]?.text : control.placeholder;
    const wraps = control.tagName === "SELECT" && style.whiteSpace === "normal";
    if (!text || wraps || !isShown(control)) return;
    canvas.font = style.font;
    const room = control.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (canvas.measureText(text).width > room + SLACK) report(text, "wider than its control");
  }

  function checkOverflow(element) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const isBlock = element.clientWidth > 0 && !element.closest("svg, select, textarea");
    if (hasText && isBlock && element.scrollWidth > element.clientWidth + SLACK && isShown(element)) {
      report(element.innerText, "wider than its element");
    }
  }

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) checkText(texts.currentNode);
  document.querySelectorAll("select, input").forEach(checkControl);
  document.querySelectorAll("body, body *").forEach(checkOverflow);
  return found;
}
