// Changes appear without reloading, and never over what somebody is typing.
//
// The page names where it hears of changes (<body data-events>). When something changed, the
// page is fetched again and its parts, marked [data-live="name"], are laid over the old ones:
// what is equal stays, what somebody works in stays and is marked, the rest is replaced.
// What no event tells, a page looks for by itself, every so many ms, where a part
// says [data-every]; never while nobody looks at it.

import { tellTimes } from "./times.js";

// Between two loads lie at least so many ms; a long list asks for more by [data-pause].
const PAUSE = Number(document.querySelector("[data-pause]")?.dataset.pause ?? 400);
const EVERY = Number(document.querySelector("[data-every]")?.dataset.every ?? 0);

// A part is worked in while the focus is in one of its inputs, one of them was changed, a menu of
// it is open, or it holds what somebody typed and the server refused ([data-keeps]).
function isWorkedIn(part) {
  const inputs = [...part.querySelectorAll("input, select, textarea")];
  const focused = inputs.includes(document.activeElement) || part.querySelector("details.menu[open], [data-keeps]");
  return focused || inputs.some(isChanged);
}

function isChanged(input) {
  if (input.type === "checkbox" || input.type === "radio") return input.checked !== input.defaultChecked;
  if (input.matches("select")) return [...input.options].some((option) => option.selected !== option.defaultSelected);
  return input.value !== input.defaultValue;
}


function print(part) {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.replaceWith(time.dateTime);
  for (const marked of copy.querySelectorAll(".at, .fresh")) marked.classList.remove("at", "fresh");
  copy.removeAttribute("data-print");
  return (part.hidden ? "hidden " : "") + copy.innerHTML;
}

const prints = new Map();
const parts = (root) => [...root.querySelectorAll("[data-live]")].filter((part) => !part.parentElement.closest("[data-live]"));

function replace(old, fresh) {
  const within = old.contains(document.activeElement) ? document.activeElement : null;
  const key = within?.dataset?.key ?? within?.getAttribute("href") ?? within?.name;
  const row = old.classList.contains("at");
  const rows = keepRows(old, fresh);
  const pieces = new Set(piecesOf(old).map(pieceOf));
  const scrolled = [...old.querySelectorAll("[data-scrolls]")].map((one) => [one.scrollLeft, one.scrollTop]);
  // What somebody has opened stays open: [data-stays] names it within its part.
  for (const open of old.querySelectorAll("details[open][data-stays]")) {
    const again = fresh.querySelector(`details[data-stays="${CSS.escape(open.dataset.stays)}"]`);
    if (again) again.open = true;
  }
  old.replaceWith(fresh);
  if (row) fresh.classList.add("at");
  [...fresh.querySelectorAll("[data-scrolls]")].forEach((one, index) => one.scrollTo(...(scrolled[index] ?? [0, 0])));
  if (within) {
    const all = [...fresh.querySelectorAll("a, button, summary")];
    const same = (one) => one.dataset.key === key || one.getAttribute("href") === key || one.name === key;
    ((key && all.find(same)) ?? all[0])?.focus({ preventScroll: true });
  }
  if (!rows) markPieces(fresh, pieces);
  tellTimes(fresh);
}

// Only what has changed is marked, piece by piece: [data-piece]. Where a value came from is no part
// of it, so a value that was fetched again and is the same is not marked.
const piecesOf = (part) => [...part.querySelectorAll("[data-piece]")];

function pieceOf(piece) {
  const copy = piece.cloneNode(true);
  for (const mark of copy.querySelectorAll(".mark")) mark.remove();
  return print(copy);
}

function markPieces(part, before) {
  for (const piece of piecesOf(part)) {
    if (!before.has(pieceOf(piece))) piece.classList.add("fresh");
  }
}

// In a list the row that keys are at stays so, and what has changed is marked row by row.
function keepRows(old, fresh) {
  const before = new Map([...old.querySelectorAll("[data-row][id]")].map((row) => [row.id, row]));
  for (const row of fresh.querySelectorAll("[data-row][id]")) {
    const was = before.get(row.id);
    if (was?.classList.contains("at")) row.classList.add("at");
    if (!was || print(was) !== print(row)) row.classList.add("fresh");
  }
  return before.size > 0;
}

function lay(page, announce) {
  const fresh = new Map(parts(page).map((part) => [part.dataset.live, part]));
  for (const old of parts(document)) {
    const name = old.dataset.live;
    const next = fresh.get(name);
    if (!next) continue;
    const now = print(next);
    // A form that was refused shows what was typed; what is newer begins with the first load.
    if (!prints.has(name)) prints.set(name, now);
    if (prints.get(name) === now) continue;
    if (isWorkedIn(old)) {
      old.classList.add("outdated");
      old.querySelector("[data-outdated]")?.removeAttribute("hidden");
      continue;
    }
    prints.set(name, now);
    replace(old, document.adoptNode(next));
    announce(next.dataset.says);
  }
}

async function load(announce) {
  // The page that answered a form has no address of its own: it names one with the same form open.
  const address = document.querySelector("[data-keeps]")?.dataset.keeps || location.href;
  const answer = await fetch(address, { headers: { "X-Live": "1" }, credentials: "same-origin" });
  if (answer.redirected || !answer.ok) return;
  lay(new DOMParser().parseFromString(await answer.text(), "text/html"), announce);
}

export function goLive(announce) {
  const address = document.body.dataset.events;
  if (!address) return;
  for (const part of parts(document)) {
    if (!part.querySelector("[data-keeps]")) prints.set(part.dataset.live, print(part));
  }

  let due = false;
  let loading = false;
  async function soon() {
    if (loading || document.hidden) {
      due = true;
      return;
    }
    loading = true;
    try {
      await load(announce);
    } catch {
      // The stream tells when the server is back; then everything is loaded again.
    }
    setTimeout(() => {
      loading = false;
      if (due) {
        due = false;
        soon();
      }
    }, PAUSE);
  }

  if (EVERY) setInterval(soon, EVERY);

  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !due || loading) return;
    due = false;
    soon();
  });

  const line = document.getElementById("connection");
  let lost = null;
  const source = new EventSource(address);
  for (const kind of ["case.created", "case.changed", "case.deleted", "field.changed", "run.ended", "changed"]) {
    source.addEventListener(kind, soon);
  }
  source.addEventListener("open", () => {
    clearTimeout(lost);
    lost = null;
    if (!line.hidden) {
      line.hidden = true;
      announce(document.body.dataset.back);
    }
    soon();
  });
  source.addEventListener("error", () => {
    lost ??= setTimeout(() => {
      line.textContent = document.body.dataset.lost;
      line.hidden = false;
    }, 3000);
  });
  // A page that nobody looks at needs no line; the browser allows few to one origin.
  addEventListener("pagehide", () => source.close());
}
