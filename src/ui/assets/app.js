// What every page gets when script runs: ages that count on, dialogs, copying, keys, live parts.
// Pages work without any of it.

import { tellTimes } from "./times.js";
import { listenKeys } from "./keys.js";
import { goLive } from "./live.js";

function openDialogs(event) {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
}

async function copy(event) {
  const button = event.target.closest("[data-copy], [data-copies]");
  if (!button) return;
  // What is long stands in the page already, under the id that [data-copies] names.
  const text = button.dataset.copy ?? document.getElementById(button.dataset.copies).textContent;
  await navigator.clipboard.writeText(text);
  announce(document.body.dataset.copied);
}

// A menu closes when somebody clicks elsewhere or leaves it with Escape.
function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const escaped = event.key === "Escape";
    if (!escaped && menu.contains(event.target)) continue;
    menu.open = false;
    if (!escaped) continue;
    menu.querySelector("summary").focus();
    event.preventDefault(); // this Escape has done what it was for
  }
}

// A form that is larger than the server takes is not sent, so that nothing typed gets lost.
function keepTooLarge(event) {
  const form = event.target;
  if (form.getAttribute("method") !== "post") return;
  const sent = new URLSearchParams(new FormData(form)).toString().replace(/%0D%0A|%0A|%0D/g, "%0D%0A");
  form.querySelector("[data-refused]")?.remove();
  if (sent.length <= Number(document.body.dataset.most)) return;
  event.preventDefault();
  const said = document.createElement("p");
  said.className = "refused";
  said.role = "alert";
  said.dataset.refused = "";
  said.textContent = document.body.dataset.tooLarge;
  form.prepend(said);
  said.scrollIntoView({ block: "nearest" });
}

// Changes are told to those who listen, several of a moment in one sentence.
let waiting = [];
export function announce(sentence) {
  if (!sentence) return;
  if (waiting.length === 0) {
    setTimeout(() => {
      document.getElementById("announcements").textContent = waiting.join(" ");
      waiting = [];
    }, 300);
  }
  waiting.push(sentence);
}

for (const opener of document.querySelectorAll("[data-opens]")) opener.hidden = false;
document.addEventListener("click", openDialogs);
document.addEventListener("click", copy);
document.addEventListener("click", closeMenus);
document.addEventListener("submit", keepTooLarge);
document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenus(event));
// On a phone the bar is wider than the window: where one is, is seen.
const bar = document.querySelector(".bar nav");
const here = bar?.querySelector("[aria-current]");
if (here) bar.scrollLeft = here.offsetLeft + here.offsetWidth / 2 - bar.offsetLeft - bar.clientWidth / 2;
tellTimes();
listenKeys();
goLive(announce);
