// What was promised to customers, and how long they wait.
"use strict";

import { base, colours, figuresCsv, number, valueAxis, words } from "./drawing.js";
import { SLA, TIMES } from "./figures.js";
import * as format from "./format.js";
import { aim, verdictText } from "./headline.js";

// ---- service levels ----

export function sla(loaded) {
  const figures = SLA.map((kpi) => loaded.figures[kpi]).filter(Boolean);
  const shown = figures.filter((figure) => figure.value !== null);
  const least = Math.min(...shown.flatMap((figure) => [figure.ci95?.[0] ?? figure.value, figure.target ?? 1]), 0.95);
  const from = least < 0.5 ? 0 : Math.floor(least * 10 - 0.5) / 10;
  const option = {
    ...base({ legend: false, top: 20, right: 28 }),
    yAxis: {
      type: "category", inverse: true, data: figures.map((figure) => `${words.kpi_short[figure.kpi]}\n${format.value(figure)} · n = ${format.number(figure.n)}`),
      axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: colours.ink, lineHeight: 16 },
    },
    xAxis: valueAxis((value) => format.percent(value, 0), { min: from, max: 1, interval: from < 0.5 ? 0.25 : from < 0.8 ? 0.1 : 0.05 }),
    series: [
      {
        type: "bar", barWidth: 18,
        data: figures.map((figure) => ({ value: figure.value, itemStyle: { color: colours[figure.verdict || "inconclusive"], opacity: figure.small_n ? 0.45 : 1 } })),
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
      words.kpi[figure.kpi], format.value(figure), format.number(figure.numerator), format.number(figure.n), format.interval(figure), verdictText(figure.small_n === "counts_only" ? null : figure.verdict, words),
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

// ---- how long customers wait: seconds in chat beside days of repair, so the axis is logarithmic, with the marks of a clock and a calendar ----

const MARKS = [1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400];
const log = Math.log10;

export function times(loaded) {
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
      [figure.target === null ? "" : aim(figure, words), figure.verdict && figure.small_n !== "counts_only" ? verdictText(figure.verdict, words) : ""].filter(Boolean).join(" "),
    ]),
    csv: figuresCsv(figures),
  };
}
