// Keys and live updates. Every page works without this file.
"use strict";

const rows = () => [...document.querySelectorAll("[data-row]")];
let now = -1;

function choose(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  now = Math.min(Math.max((at >= 0 ? at : now) + step, 0), all.length - 1);
  all.forEach((row, place) => row.classList.toggle("now", place === now));
  (all[now].querySelector("a.row") || all[now]).focus();
  all[now].scrollIntoView({ block: "nearest" });
}

function chosen() {
  return document.activeElement.closest("[data-row]") || rows()[now];
}

const actions = {
  j: () => choose(1),
  k: () => choose(-1),
  a: () => chosen()?.querySelector("button.accept")?.click(),
  r: () => chosen()?.querySelector("button.reject")?.click(),
  e: () => {
    const more = chosen()?.querySelector(".judge details");
    if (!more) return;
    more.open = true;
    more.querySelector("input[name=wording]").focus();
  },
};

// Single keys get in the way of some people's tools: they can be switched off (WCAG 2.2, 2.1.4).
const keys = document.getElementById("keys");
if (keys && rows().length) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = localStorage.getItem("keys") !== "off";
  box.addEventListener("change", () => localStorage.setItem("keys", box.checked ? "on" : "off"));
  label.append(box, document.querySelector(".judge") ? " keys: j and k move, a accepts, r rejects, e edits" : " keys: j and k move, Enter opens");
  keys.append(label);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), select, textarea");
    if (!box.checked || typing || event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
}

// The inbox is asked for again when groups change; what is written on the page is the server's alone.
const list = document.getElementById("list");
if (list && list.dataset.live && "EventSource" in window) {
  const news = document.getElementById("news");
  let waiting = 0;
  const fetchAgain = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("list");
    if (!fresh) return;
    const row = document.activeElement.closest("[data-row]");
    list.replaceChildren(...fresh.childNodes);
    if (row) document.getElementById(row.id)?.querySelector("a.row")?.focus({ preventScroll: true });
    news.textContent = `Updated ${new Date().toLocaleTimeString()}`;
  };
  const changes = new EventSource("/api/v1/changes");
  changes.addEventListener("group", () => {
    clearTimeout(waiting);
    waiting = setTimeout(fetchAgain, 700);
  });
  addEventListener("pagehide", () => changes.close());
}
