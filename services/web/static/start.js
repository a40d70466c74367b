// Fetches the page again every 5 s and replaces what changed; a checkbox stops it.
"use strict";
const box = document.getElementById("refresh");
box.parentElement.hidden = false;
async function refresh() {
  const live = document.getElementById("live");
  if (!box.checked || document.hidden || live.contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) { location.reload(); return; }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    live.replaceWith(fresh.getElementById("live"));
  } catch {
    return; // the server is away: the page keeps its last "as of"
  }
}
setInterval(refresh, 5000);
