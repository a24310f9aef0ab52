/* Turns figures and moments into words. Every function takes null and undefined, and says "–".

   count(12345)            "12,345"
   figure(1.234)           "1.23"; short, at most three digits that mean something
   rate(12.3)              "12.3/s"
   percent(0.12)           "12 %"
   bytes(123456789)        "118 MB" (powers of 1024, as the worker's memory is counted)
   duration(3725)          "1 h 2 min"
   oldestWait({ depth: 3, oldest_s: 7 })     "7 s"; in an empty queue nothing waits
   uptime(iso)             the duration since a moment
   ago(iso)                "3 min ago"
   clock(iso)              "14:03:07"; local time
   day(iso)                "21 Nov 2026, 14:03:07"; local time, for a column of them
   moment(iso)             "21 Nov 2026, 14:03:07 GMT+1"; local time, and its zone
   plural(2, "instance")   "2 instances"
   NOTHING                 "–"

   Moments are ISO 8601 texts, Dates, or seconds since 1970. */

export const NOTHING = "–";

const counts = new Intl.NumberFormat("en");
const WHOLE = {
  day: "numeric", month: "short", year: "numeric",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
};
const dates = new Intl.DateTimeFormat("en-GB", WHOLE);
const zoned = new Intl.DateTimeFormat("en-GB", { ...WHOLE, timeZoneName: "short" });
const clocks = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

export function count(value) {
  return missing(value) ? NOTHING : counts.format(value);
}

export function figure(value) {
  if (missing(value)) return NOTHING;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.01) return "<0.01";
  if (size < 10) return String(Number(value.toFixed(2)));
  if (size < 100) return String(Number(value.toFixed(1)));
  if (size < 10_000) return counts.format(Math.round(value));
  return size < 1e6 ? `${figure(value / 1e3)} k` : `${figure(value / 1e6)} M`;
}

export function rate(value) {
  return missing(value) ? NOTHING : `${figure(value)}/s`;
}

export function percent(value) {
  return missing(value) ? NOTHING : `${figure(value * 100)} %`;
}

export function bytes(value) {
  if (missing(value)) return NOTHING;
  let left = value;
  for (const unit of ["B", "KB", "MB", "GB", "TB"]) {
    if (left < 1024 || unit === "TB") {
      return `${left < 10 && unit !== "B" ? left.toFixed(1) : Math.round(left)} ${unit}`;
    }
    left /= 1024;
  }
  return NOTHING;
}

export function duration(seconds) {
  if (missing(seconds)) return NOTHING;
  const s = Math.max(0, seconds);
  if (s < 1) return s === 0 ? "0 s" : `${Math.max(1, Math.round(s * 1000))} ms`;
  if (s < 10) return `${Number(s.toFixed(1))} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s < 600 ? rest(s % 60, "s") : ""}`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h${rest((s % 3600) / 60, "min")}`;
  return `${Math.floor(s / 86_400)} d${rest((s % 86_400) / 3600, "h")}`;
}

function rest(value, unit) {
  const whole = Math.floor(value);
  return whole ? ` ${whole} ${unit}` : "";
}

export function oldestWait(usage) {
  return usage?.depth ? duration(usage.oldest_s) : NOTHING;
}

/** Returns a moment as milliseconds since 1970, NaN where there is none. */
export function millis(at) {
  if (missing(at)) return NaN;
  if (at instanceof Date) return at.getTime();
  return typeof at === "number" ? at * 1000 : Date.parse(at);
}

export function uptime(at, now = Date.now()) {
  const ms = millis(at);
  return Number.isNaN(ms) ? NOTHING : duration(Math.max(0, Math.round((now - ms) / 1000)));
}

export function ago(at, now = Date.now()) {
  const ms = millis(at);
  if (Number.isNaN(ms)) return NOTHING;
  const s = Math.round((now - ms) / 1000);
  if (s < 2) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

export function clock(at) {
  const ms = millis(at);
  return Number.isNaN(ms) ? NOTHING : clocks.format(ms);
}

export function day(at) {
  const ms = millis(at);
  return Number.isNaN(ms) ? NOTHING : dates.format(ms);
}

export function moment(at) {
  const ms = millis(at);
  return Number.isNaN(ms) ? NOTHING : zoned.format(ms);
}

export function plural(value, noun, many = `${noun}s`) {
  return `${count(value)} ${value === 1 ? noun : many}`;
}
