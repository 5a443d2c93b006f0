// Numbers, durations and dates as people of the page's language write them.
"use strict";

const locale = document.documentElement.lang;
const cache = new Map();

function formatter(kind, options) {
  const key = kind.name + JSON.stringify(options);
  if (!cache.has(key)) cache.set(key, new kind(locale, options));
  return cache.get(key);
}

export const NOTHING = "–";

export function number(value, digits = 0) {
  if (value === null || value === undefined) return NOTHING;
  return formatter(Intl.NumberFormat, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

export function percent(value, digits = 1) {
  if (value === null || value === undefined) return NOTHING;
  return formatter(Intl.NumberFormat, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

// A duration in the largest unit of which there is at least one (of days two, unless told otherwise): "4.2 min", "1.5 小时".
export function duration(seconds, leastDays = 2, unitDisplay = "short") {
  if (seconds === null || seconds === undefined) return NOTHING;
  const [unit, length] = UNITS.find(([name, size]) => seconds >= (name === "day" ? leastDays * size : size)) || UNITS[3];
  const value = seconds / length;
  const digits = unit === "second" || value >= 100 || Number.isInteger(value) ? 0 : 1;
  return formatter(Intl.NumberFormat, { style: "unit", unit, unitDisplay, maximumFractionDigits: digits }).format(value);
}

// A value in the unit of its figure.
export function value(figure, what = figure.value) {
  switch (figure.unit) {
    case "ratio": return percent(what);
    case "seconds": return duration(what);
    case "score 1-5": return number(what, 2);
    case "points -100..100": return number(what, 1);
    default: return number(what);
  }
}

export function interval(figure) {
  return figure.ci95 ? `${value(figure, figure.ci95[0])} … ${value(figure, figure.ci95[1])}` : NOTHING;
}

export function day(instant, zone) {
  return formatter(Intl.DateTimeFormat, { timeZone: zone, month: "numeric", day: "numeric" }).format(new Date(instant));
}

export function hour(instant, zone) {
  return formatter(Intl.DateTimeFormat, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(instant));
}

export function moment(instant, zone) {
  return formatter(Intl.DateTimeFormat, { timeZone: zone, dateStyle: "medium", timeStyle: "short" }).format(new Date(instant));
}

export function date(instant, zone) {
  return formatter(Intl.DateTimeFormat, { timeZone: zone, dateStyle: "medium" }).format(new Date(instant));
}

// 2026-11-25, as the REST interface takes it.
export function isoDate(instant, zone) {
  const parts = new Intl.DateTimeFormat("en", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).formatToParts(instant);
  const part = (type) => parts.find((found) => found.type === type).value;
  return `${part("year")}-${part("month")}-${part("day")}`;
}
