// Shows how far an import is, without loading the page again. Without scripts, the page loads itself again and again.
const INTERVAL_MILLISECONDS = 1000;
// Few lines take no longer.
const FIRST_MILLISECONDS = 200;
const progress = () => document.getElementById("progress");

async function update() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("progress");
    if (fresh && fresh.dataset.state === progress().dataset.state) progress().replaceWith(fresh);
    // A server that is just restarted answers later.
    else if (answer.status < 500) return location.replace(location.href);
  } catch {
    // The network may come back.
  }
  setTimeout(update, INTERVAL_MILLISECONDS);
}

setTimeout(update, FIRST_MILLISECONDS);
