// What all charts have in common: words, colours, axes, and how figures become rows of a file. Tooltips are drawn, not written as HTML, because
// the page's policy lets no style into it that is not from our own files.
"use strict";

import * as format from "./format.js";

export let words = null;
export let colours = null;

export function speak(dictionary) {
  words = dictionary;
}

// The colours of the style sheet as they are now: they change with light and dark.
export function paint() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["ink", "quiet", "line", "card", "blue", "orange", "green", "purple", "met", "missed", "inconclusive"];
  colours = Object.fromEntries(names.map((name) => [name, colour(name)]));
}

export function base({ left = 8, right = 16, top = 40, legend = true } = {}) {
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colours.ink },
    color: [colours.blue, colours.orange, colours.green, colours.purple],
    grid: { left, right, top, bottom: 8, containLabel: true },
    legend: legend ? { top: 0, left: 0, itemWidth: 18, itemHeight: 10, textStyle: { color: colours.ink } } : undefined,
    tooltip: {
      trigger: "axis", renderMode: "richText", confine: true,
      backgroundColor: colours.card, borderColor: colours.line, textStyle: { color: colours.ink, fontSize: 13 },
    },
  };
}

export function timeAxis(loaded, slots) {
  const label = loaded.bucket === "hour" ? format.hour : format.day;
  return {
    type: "category",
    data: slots.map((slot) => label(slot.from, loaded.zone)),
    axisTick: { alignWithLabel: true },
    axisLine: { lineStyle: { color: colours.quiet } },
    axisLabel: { color: colours.quiet, hideOverlap: true },
  };
}

export function valueAxis(show = format.number, more = {}) {
  return {
    type: "value", axisLabel: { color: colours.quiet, formatter: (value) => show(value) }, splitLine: { lineStyle: { color: colours.line } }, ...more,
  };
}

export function slotName(loaded, slot) {
  return loaded.bucket === "hour" ? format.moment(slot.from, loaded.zone) : format.date(slot.from, loaded.zone);
}

// A column of numbers in a chart's table.
export const number = (label) => ({ label, number: true });

export function figuresCsv(figures) {
  return [
    ["kpi", "value", "unit", "numerator", "denominator", "n", "low", "high", "target", "verdict", "median", "p90", "clock"],
    figures.map((figure) => [
      figure.kpi, figure.value, figure.unit, figure.numerator, figure.denominator, figure.n, figure.ci95?.[0], figure.ci95?.[1], figure.target,
      figure.verdict, figure.median?.value, figure.p90?.value, figure.clock,
    ]),
  ];
}
