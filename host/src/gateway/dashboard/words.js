// Numbers, money and time in words, for people.

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 12345 as 12,345; from a hundred thousand on 123K. */
export function count(number) {
  return number >= 100_000 ? short.format(number) : whole.format(number);
}

/** Decimal dollars, as the API has them, with as many digits as say something. */
export function money(dollars) {
  if (dollars === undefined || dollars === null) return "–";
  const amount = Number(String(dollars).replace("$", ""));
  if (!Number.isFinite(amount)) return "–";
  if (amount === 0) return "$0";
  if (amount >= 1000) return `$${whole.format(Math.round(amount))}`;
  if (amount >= 0.995) return `$${amount.toFixed(2).replace(/\.00$/, "")}`;
  const digits = Math.min(9, 1 - Math.floor(Math.log10(amount)));
  return `$${amount.toFixed(Math.max(2, digits)).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}

/** The number behind decimal dollars. */
export function dollars(text) {
  return Number(String(text ?? 0).replace("$", "")) || 0;
}

/** 0.9234 as 92.3%. */
export function percent(share) {
  if (share === undefined || share === null || !Number.isFinite(share)) return "–";
  const hundredths = share * 100;
  const isWhole = Math.abs(hundredths - Math.round(hundredths)) < 0.05;
  return `${isWhole ? Math.round(hundredths) : hundredths.toFixed(1)}%`;
}

/** Milliseconds as a length of time: 132 ms, 1.24 s, 2 min 3 s. */
export function length(ms) {
  if (ms === undefined || ms === null || !Number.isFinite(ms)) return "–";
  if (ms > 0 && ms < 1) return "<1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return span(ms / 1000);
}

/** Seconds as a length of time in its two largest units: 2 min 3 s, 4 h 10 min, 3 d 2 h. */
export function span(seconds) {
  const units = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const from = units.findIndex(([size]) => seconds >= size);
  if (from < 0) return "0 s";
  let rest = Math.floor(seconds);
  const parts = units.slice(from, from + 2).map(([size, unit]) => {
    const number = Math.floor(rest / size);
    rest -= number * size;
    return number > 0 ? `${number} ${unit}` : null;
  });
  return parts.filter(Boolean).join(" ");
}

/** Seconds as a clock that runs down: 0:47, 12:03, 1:02:03. */
export function clock(seconds) {
  const rest = Math.max(0, Math.ceil(seconds));
  const [hours, minutes] = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest % 60)}` : `${minutes}:${two(rest % 60)}`;
}

/** A moment as the time of day here, with the date where it was not today. */
export function moment(time, now = Date.now()) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "–";
  const day = date.toLocaleTimeString("en-GB");
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday ? day : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${day}`;
}

/** One of two words by a number: plural(2, "attempt") is "2 attempts". */
export function plural(number, word, words = `${word}s`) {
  return `${count(number)} ${number === 1 ? word : words}`;
}

/** A request's name without most of its digits. */
export function shortId(id) {
  return id.length > 14 ? `${id.slice(0, 11)}…` : id;
}
