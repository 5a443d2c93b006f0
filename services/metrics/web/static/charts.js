// The charts: what each shows of the loaded figures, as an ECharts option, as a table and as CSV. Tooltips are drawn, not written as HTML,
// because the page's policy lets no style into it that is not from our own files.
"use strict";

import * as format from "./format.js";
import { SLA, TIMES } from "./figures.js";
import { aim, verdictText } from "./headline.js";

let words = null;
let colours = null;

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

function base({ left = 8, right = 16, top = 40, legend = true } = {}) {
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

function timeAxis(loaded, slots) {
  const label = loaded.bucket === "hour" ? format.hour : format.day;
  return {
    type: "category",
    data: slots.map((slot) => label(slot.from, loaded.zone)),
    axisTick: { alignWithLabel: true },
    axisLine: { lineStyle: { color: colours.quiet } },
    axisLabel: { color: colours.quiet, hideOverlap: true },
  };
}

function valueAxis(show = format.number, more = {}) {
  return {
    type: "value", axisLabel: { color: colours.quiet, formatter: (value) => show(value) }, splitLine: { lineStyle: { color: colours.line } }, ...more,
  };
}

function slotName(loaded, slot) {
  return loaded.bucket === "hour" ? format.moment(slot.from, loaded.zone) : format.date(slot.from, loaded.zone);
}

function any(items) {
  return items.some((item) => item.value !== null && item.value !== 0);
}

const number = (label) => ({ label, number: true });

// ---- how much came in and was resolved ----

function volume(loaded) {
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

function trend(loaded) {
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
        name: words.kpi[loaded.trend], type: "line", data: slots.map((slot) => slot.value), symbol: "circle", symbolSize: 7, lineStyle: { width: 2.5 }, color: colours.blue,
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

// ---- service levels ----

function sla(loaded) {
  const figures = SLA.map((kpi) => loaded.figures[kpi]).filter(Boolean);
  const shown = figures.filter((figure) => figure.value !== null);
  const least = Math.min(...shown.flatMap((figure) => [figure.ci95?.[0] ?? figure.value, figure.target ?? 1]), 0.95);
  const option = {
    ...base({ legend: false, top: 20, right: 28 }),
    yAxis: {
      type: "category", inverse: true, data: figures.map((figure) => `${words.kpi_short[figure.kpi]}\nn = ${format.number(figure.n)}`), axisLabel: { color: colours.ink, lineHeight: 16 },
      axisTick: { show: false }, axisLine: { show: false },
    },
    xAxis: valueAxis((value) => format.percent(value, 0), { min: Math.max(0, Math.floor(least * 10 - 0.5) / 10), max: 1, splitNumber: 4 }),
    series: [
      {
        type: "bar", barWidth: 18,
        data: figures.map((figure) => ({ value: figure.value, itemStyle: { color: colours[figure.verdict || "inconclusive"], opacity: figure.small_n ? 0.45 : 1 } })),
        label: { show: true, position: "insideLeft", color: colours.card, fontWeight: 600, formatter: ({ dataIndex }) => (figures[dataIndex].value === null ? "" : format.percent(figures[dataIndex].value)) },
        markLine: figures[0]?.target === null || !figures.length ? undefined : {
          symbol: "none", silent: true, data: [{ xAxis: figures[0].target }], lineStyle: { color: colours.ink, type: "dashed" },
          label: { formatter: aim(figures[0], words), color: colours.ink, position: "start" },
        },
      },
      errorBars(figures.map((figure) => figure.ci95)),
    ],
  };
  option.tooltip.axisPointer = { type: "shadow" };
  option.tooltip.formatter = ([{ dataIndex }]) => {
    const figure = figures[dataIndex];
    return [
      words.kpi[figure.kpi], `${format.value(figure)}  (${format.number(figure.numerator)} / ${format.number(figure.denominator)})`,
      `${words.interval}: ${format.interval(figure)}`, verdictText(figure.verdict, words),
    ].join("\n");
  };
  return {
    isEmpty: shown.length === 0,
    option,
    columns: [{ label: words.figure }, number(words.value), number(words.kept), number("n"), number(words.interval), { label: words.verdict_title }],
    rows: figures.map((figure) => [
      words.kpi[figure.kpi], format.value(figure), format.number(figure.numerator), format.number(figure.n), format.interval(figure), verdictText(figure.verdict, words),
    ]),
    csv: figuresCsv(figures),
  };
}

function errorBars(intervals) {
  return {
    type: "custom", silent: true, tooltip: { show: false }, z: 10,
    data: intervals.map((ci95, index) => (ci95 ? [ci95[0], ci95[1], index] : null)).filter(Boolean),
    encode: { x: [0, 1], y: 2 },
    renderItem: (_, api) => {
      const [left, y] = api.coord([api.value(0), api.value(2)]);
      const [right] = api.coord([api.value(1), api.value(2)]);
      const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: colours.ink, lineWidth: 1.5 } });
      return { type: "group", children: [line(left, y, right, y), line(left, y - 6, left, y + 6), line(right, y - 6, right, y + 6)] };
    },
  };
}

function figuresCsv(figures) {
  return [
    ["kpi", "value", "unit", "numerator", "denominator", "n", "low", "high", "target", "verdict", "median", "p90", "clock"],
    figures.map((figure) => [
      figure.kpi, figure.value, figure.unit, figure.numerator, figure.denominator, figure.n, figure.ci95?.[0], figure.ci95?.[1], figure.target,
      figure.verdict, figure.median?.value, figure.p90?.value, figure.clock,
    ]),
  ];
}

// ---- what is open, and for how long ----

function backlog(loaded) {
  const figure = loaded.figures.backlog_age;
  const classes = figure?.classes || [];
  const name = ({ from, to }, between = " – ") => {
    const [lower, upper] = [from, to].map((seconds) => format.duration(seconds, 1, "narrow"));
    return to === null ? `≥ ${lower}` : from === 0 ? `< ${upper}` : `${lower}${between}${upper}`;
  };
  const option = {
    ...base({ legend: false, top: 20 }),
    xAxis: { type: "category", data: classes.map((found) => name(found, " –\n")), axisTick: { show: false }, axisLabel: { color: colours.quiet, interval: 0, lineHeight: 16 } },
    yAxis: valueAxis(format.number, { minInterval: 1 }),
    series: [{
      type: "bar", barMaxWidth: 42, data: classes.map(({ n }) => n), color: colours.blue,
      label: { show: true, position: "top", color: colours.ink, formatter: ({ value }) => format.number(value) },
    }],
  };
  option.tooltip.axisPointer = { type: "shadow" };
  option.tooltip.formatter = ([{ dataIndex, value }]) => `${name(classes[dataIndex])}\n${words.kpi.backlog}: ${format.number(value)}`;
  return {
    isEmpty: classes.every(({ n }) => n === 0),
    note: backlogNote(loaded.figures),
    option,
    columns: [{ label: words.age }, number(words.kpi.backlog)],
    rows: classes.map((found) => [name(found), format.number(found.n)]),
    csv: [["age_from_seconds", "age_to_seconds", "n"], classes.map(({ from, to, n }) => [from, to, n])],
  };
}

function backlogNote({ backlog: open, backlog_age: age }) {
  if (!open) return words.not_measured;
  const parts = [`${words.open_now}: ${format.number(open.value)}`];
  if (age?.median?.value !== undefined && age.median.value !== null) parts.push(`${words.median}: ${format.duration(age.median.value)}`);
  if (age?.p90?.value !== undefined && age.p90.value !== null) parts.push(`${words.p90}: ${format.duration(age.p90.value)}`);
  return parts.join(" · ");
}

// ---- where requests come from ----

function channels(loaded) {
  const rows = loaded.channels;
  const name = ({ channel }) => (channel === null ? words.none : words.channel[channel] || channel);
  const count = (row) => row.requests?.value ?? 0;
  const option = {
    ...base({ legend: false, top: 8, right: 44 }),
    yAxis: { type: "category", inverse: true, data: rows.map(name), axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: colours.ink, interval: 0 } },
    xAxis: valueAxis(format.number, { minInterval: 1 }),
    series: [{
      type: "bar", barMaxWidth: 20, data: rows.map(count), color: colours.blue,
      label: { show: true, position: "right", color: colours.ink, formatter: ({ value }) => format.number(value) },
    }],
  };
  option.tooltip.axisPointer = { type: "shadow" };
  option.tooltip.formatter = ([{ dataIndex }]) => {
    const row = rows[dataIndex];
    const lines = [name(row), `${words.kpi.requests}: ${format.number(count(row))}`];
    for (const kpi of ["csat_mean", "sla_first_response"]) if (row[kpi]) lines.push(`${words.kpi_short[kpi]}: ${format.value(row[kpi])} (n = ${format.number(row[kpi].n)})`);
    return lines.join("\n");
  };
  const shown = (figure) => (figure?.n ? `${format.value(figure)} (n = ${format.number(figure.n)})` : format.NOTHING);
  return {
    isEmpty: rows.every((row) => count(row) === 0),
    rowsShown: rows.length,
    option,
    columns: [{ label: words.channel_title }, number(words.kpi.requests), number(words.kpi_short.csat_mean), number(words.kpi_short.sla_first_response)],
    rows: rows.map((row) => [name(row), format.number(count(row)), shown(row.csat_mean), shown(row.sla_first_response)]),
    csv: [
      ["channel", "requests", "csat_mean", "csat_n", "sla_first_response", "sla_n"],
      rows.map((row) => [row.channel, count(row), row.csat_mean?.value, row.csat_mean?.n, row.sla_first_response?.value, row.sla_first_response?.n]),
    ],
  };
}

// ---- how long customers wait: seconds in chat beside days of repair, so the axis is logarithmic, with the marks of a clock and a calendar ----

const MARKS = [1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400];
const log = Math.log10;

function times(loaded) {
  const figures = TIMES.map((kpi) => loaded.figures[kpi]).filter((figure) => figure && figure.n > 0);
  const point = (figure, which) => figure[which]?.value ?? null;
  const shape = { median: "circle", p90: "diamond" };
  const series = (which, colour) => ({
    name: words[which], type: "scatter", symbol: shape[which], symbolSize: 16, color: colour,
    data: figures.map((figure, index) => [point(figure, which), index]).filter(([value]) => value > 0).map(([value, index]) => [log(value), index, value]),
    label: { show: true, position: which === "median" ? "bottom" : "top", color: colours.ink, formatter: ({ value }) => format.duration(value[2]) },
  });
  const all = figures.flatMap((figure) => [point(figure, "median"), point(figure, "p90")]).filter((value) => value > 0);
  const from = MARKS.findLast((mark) => mark < Math.min(...all) / 1.5) ?? Math.min(...all, 1) / 2;
  const to = MARKS.find((mark) => mark > Math.max(...all) * 1.5) ?? Math.max(...all, 1) * 2;
  const marks = MARKS.filter((mark) => mark >= from && mark <= to).map(log);
  const option = {
    ...base({ right: 36 }),
    yAxis: {
      type: "category", inverse: true, data: figures.map((figure) => `${words.kpi_short[figure.kpi]}\nn = ${format.number(figure.n)}`),
      axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: colours.ink, lineHeight: 16 }, splitLine: { show: true, lineStyle: { color: colours.line } },
    },
    xAxis: {
      type: "value", min: log(from), max: log(to), splitLine: { lineStyle: { color: colours.line } }, axisTick: { customValues: marks },
      axisLabel: { color: colours.quiet, hideOverlap: true, customValues: marks, formatter: (value) => format.duration(Math.round(10 ** value), 1) },
    },
    series: [series("median", colours.blue), series("p90", colours.orange)],
  };
  option.tooltip.trigger = "item";
  option.tooltip.formatter = ({ seriesName, value }) => `${words.kpi[figures[value[1]].kpi]}\n${seriesName}: ${format.duration(value[2])}\nn = ${format.number(figures[value[1]].n)}`;
  return {
    isEmpty: all.length === 0,
    option,
    columns: [{ label: words.figure }, number(words.mean), number(words.median), number(words.p90), number("n"), { label: words.verdict_title }],
    rows: figures.map((figure) => [
      words.kpi[figure.kpi], format.value(figure), format.duration(point(figure, "median")), format.duration(point(figure, "p90")), format.number(figure.n),
      [figure.target === null ? "" : aim(figure, words), figure.verdict ? verdictText(figure.verdict, words) : ""].filter(Boolean).join(" "),
    ]),
    csv: figuresCsv(figures),
  };
}

export const CHARTS = { volume, trend, sla, backlog, channels, times };
