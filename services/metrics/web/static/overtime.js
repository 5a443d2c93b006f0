// What happened over time.
"use strict";

import { base, colours, number, slotName, timeAxis, valueAxis, words } from "./drawing.js";
import * as format from "./format.js";
import { aim } from "./headline.js";

// ---- how much came in and was resolved ----

export function volume(loaded) {
  const { requests, tickets_resolved: resolved, backlog } = loaded.series;
  const lines = [
    { kpi: "requests", slots: requests, type: "bar" },
    { kpi: "tickets_resolved", slots: resolved, type: "bar" },
    { kpi: "backlog", slots: backlog, type: "line" },
  ].filter(({ slots }) => slots.length > 0);
  return {
    isEmpty: !lines.some(({ slots }) => any(slots)),
    option: {
      ...base(),
      xAxis: timeAxis(loaded, requests),
      yAxis: valueAxis(format.number, { minInterval: 1 }),
      series: lines.map(({ kpi, slots, type }) => ({
        name: words.kpi[kpi], type, data: slots.map((slot) => slot.value), symbol: "circle", symbolSize: 5, barMaxWidth: 22,
        itemStyle: kpi === "tickets_resolved" ? { decal: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -0.785, color: "rgba(255,255,255,.35)" } } : {},
      })),
    },
    columns: [{ label: words.time }, ...lines.map(({ kpi }) => number(words.kpi[kpi]))],
    rows: requests.map((slot, index) => [slotName(loaded, slot), ...lines.map(({ slots }) => format.number(slots[index].value))]),
    csv: [["from", "to", ...lines.map(({ kpi }) => kpi)], requests.map((slot, index) => [slot.from, slot.to, ...lines.map(({ slots }) => slots[index].value)])],
  };
}

// ---- one figure over time, with its interval and its target ----

export function trend(loaded) {
  const slots = loaded.series.trend;
  const first = slots[0];
  const show = (value) => (first ? format.value({ unit: first.unit }, value) : format.NOTHING);
  const bound = (index) => slots.map((slot) => (slot.ci95 ? slot.ci95[index] : null));
  const low = bound(0);
  const target = first ? first.target : null;
  const band = { type: "line", stack: "interval", symbol: "none", lineStyle: { opacity: 0 }, connectNulls: false, silent: true, tooltip: { show: false } };
  const option = {
    ...base(),
    xAxis: { ...timeAxis(loaded, slots), boundaryGap: false },
    yAxis: valueAxis(show, { scale: true }),
    series: [
      { ...band, name: "low", data: low },
      { ...band, name: words.interval, data: bound(1).map((high, index) => (high === null ? null : high - low[index])), areaStyle: { color: colours.blue, opacity: 0.16 } },
      {
        name: words.kpi[loaded.trend], type: "line", data: slots.map((slot) => slot.value), symbol: "circle", symbolSize: 7, showAllSymbol: true, lineStyle: { width: 2.5 }, color: colours.blue,
        markLine: target === null ? undefined : {
          symbol: "none", silent: true, data: [{ yAxis: target }], lineStyle: { color: colours.ink, type: "dashed" },
          label: { formatter: aim(first, words), color: colours.ink, position: "insideStartTop" },
        },
      },
    ],
  };
  option.legend.data = [words.kpi[loaded.trend]];
  option.tooltip.formatter = ([{ dataIndex }]) => {
    const slot = slots[dataIndex];
    return [slotName(loaded, slot), `${words.kpi[loaded.trend]}: ${format.value(slot)}`, `${words.interval}: ${format.interval(slot)}`, `n = ${format.number(slot.n)}`].join("\n");
  };
  const reach = [...low, ...bound(1), ...slots.map((slot) => slot.value), target].filter((value) => value !== null && value !== undefined);
  if (reach.length) {
    const pad = (Math.max(...reach) - Math.min(...reach)) * 0.08 || 0.05;
    const natural = { "ratio": [0, 1], "score 1-5": [1, 5], "points -100..100": [-100, 100] }[first.unit] || [-Infinity, Infinity];
    option.yAxis.min = Math.max(natural[0], Math.min(...reach) - pad);
    option.yAxis.max = Math.min(natural[1], Math.max(...reach) + pad);
    option.yAxis.axisLabel.showMinLabel = option.yAxis.axisLabel.showMaxLabel = false;
  }
  return {
    isEmpty: !slots.some((slot) => slot.value !== null),
    option,
    columns: [{ label: words.time }, number(words.kpi[loaded.trend]), number(words.interval), number("n")],
    rows: slots.map((slot) => [slotName(loaded, slot), format.value(slot), format.interval(slot), format.number(slot.n)]),
    csv: [
      ["from", "to", loaded.trend, "low", "high", "n", "target"],
      slots.map((slot) => [slot.from, slot.to, slot.value, slot.ci95?.[0], slot.ci95?.[1], slot.n, slot.target]),
    ],
  };
}

function any(items) {
  return items.some((item) => item.value !== null && item.value !== 0);
}
