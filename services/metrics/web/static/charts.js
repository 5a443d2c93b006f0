// The charts: what each shows of the loaded figures, as an ECharts option, as a table and as CSV.
"use strict";

import { base, colours, number, valueAxis, words } from "./drawing.js";
import * as format from "./format.js";
import { trend, volume } from "./overtime.js";
import { sla, times } from "./promises.js";

export const CHARTS = { volume, trend, sla, backlog, channels, times };

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
