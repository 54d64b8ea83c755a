// Times in the reader's own zone, and ages that count on. The server writes UTC, since it
// cannot know the zone; both stand in the same <time> element.

const MINUTE = 60, HOUR = 3600, DAY = 86400;

function span(seconds) {
  if (seconds < MINUTE) return `${seconds} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h`;
  const days = Math.floor(seconds / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

function age(at, now) {
  const seconds = Math.trunc((now - at) / 1000);
  if (seconds <= -5) return `in ${span(-seconds)}`;
  return seconds >= 5 ? `${span(seconds)} ago` : "now";
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

function tell(element, now) {
  const at = new Date(element.dateTime);
  const today = at.toDateString() === now.toDateString();
  const written = { age: () => age(at, now), clock: () => (today ? clock : full).format(at), full: () => full.format(at) };
  const text = written[element.dataset.show]?.() ?? element.textContent;
  if (element.textContent !== text) element.textContent = text;
  element.title = exact.format(at);
}

export function tellTimes(within = document) {
  const now = new Date();
  for (const element of within.querySelectorAll("time[data-show]")) tell(element, now);
}

setInterval(() => document.hidden || tellTimes(), 5000);
