// Keys for hands that stay on the keyboard; none while somebody types.
//
// A page marks what keys act on: [data-row] is what j and k go through (the first link in it is
// opened by Enter), [data-key="r"] is clicked by r, within the row first, else anywhere.

const TYPING = "input, select, textarea, [contenteditable], dialog[open] *";

const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
const current = () => document.querySelector("[data-row].at");

function go(step) {
  const all = rows();
  if (all.length === 0) return;
  const before = current();
  const index = before ? all.indexOf(before) + step : step > 0 ? 0 : all.length - 1;
  const next = all[Math.max(0, Math.min(all.length - 1, index))];
  before?.classList.remove("at");
  next.classList.add("at");
  next.scrollIntoView({ block: "nearest" });
  // A row that may be focused itself has no link that opens it.
  (next.tabIndex === -1 && next.hasAttribute("tabindex") ? next : (next.querySelector("a, button") ?? next)).focus({ preventScroll: true });
}

function press(key) {
  const marked = `[data-key="${CSS.escape(key)}"]`;
  const target = current()?.querySelector(marked) ?? document.querySelector(marked);
  if (!target) return false;
  target.matches("input, select, textarea") ? target.focus() : target.click();
  return true;
}

function on(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  const typing = event.target.closest?.(TYPING);
  if (event.key === "Escape" && typing && !event.target.closest("dialog")) return event.target.blur();
  if (typing) return;
  if (event.key === "j" || event.key === "k") {
    go(event.key === "j" ? 1 : -1);
  } else if (event.key === "?") {
    document.getElementById("keys").showModal();
  } else if (!press(event.key)) {
    return;
  }
  event.preventDefault();
}

export function listenKeys() {
  document.addEventListener("keydown", on);
}
