// The dashboard: keeps the chosen range, zone and clock in the address, loads the figures, shows them, and loads them again when they changed.
"use strict";

import { CHARTS } from "./charts.js";
import { paint, speak } from "./drawing.js";
import { Failed, HEADLINE, SignedOut, load } from "./figures.js";
import * as format from "./format.js";
import { showHeadline } from "./headline.js";
import { listen } from "./live.js";
import { download, table } from "./tables.js";

const SETTLE = 1000;
const ROW = 34;

const { words, known } = JSON.parse(document.getElementById("page").textContent);
const find = (id) => document.getElementById(id);
const chosen = { range: null, zone: null, clock: null, trend: null };
const drawn = new Map();
let loaded = null;
let loading = null;
let settling = null;
let again = false;

speak(words);
paint();
chosen.range = document.querySelector(".ranges [aria-pressed=true]").dataset.range;
for (const [name, id] of [["zone", "zone"], ["clock", "clock"], ["trend", "figure"]]) {
  const field = find(id);
  chosen[name] = field.value;
  field.addEventListener("change", () => choose({ [name]: field.value }));
}
for (const button of document.querySelectorAll(".ranges button")) {
  button.addEventListener("click", () => choose({ range: button.dataset.range }));
}
for (const [id, make] of Object.entries(CHARTS)) {
  find(id).querySelector(".csv").addEventListener("click", () => loaded && save(id, make(loaded)));
}
find("again").addEventListener("click", refresh);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(); if (loaded) show(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
refresh();
listen(soon, showState);

function choose(change) {
  Object.assign(chosen, change);
  for (const button of document.querySelectorAll(".ranges button")) button.setAttribute("aria-pressed", String(button.dataset.range === chosen.range));
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(chosen)) address.searchParams.set(name, value);
  history.replaceState(null, "", address);
  for (const link of document.querySelectorAll(".languages a")) {
    address.searchParams.set("lang", link.lang);
    link.href = address.search;
  }
  refresh();
}

// Changes come in bursts: one look a little later, none while nobody looks, and never at the cost of one that is under way: under a steady
// stream of changes a slow look would never end.
function soon() {
  if (document.hidden || settling !== null) return;
  if (loading !== null) {
    again = true;
    return;
  }
  settling = setTimeout(() => { settling = null; refresh(); }, SETTLE);
}

async function refresh() {
  loading?.abort();
  const mine = loading = new AbortController();
  document.querySelector("main").setAttribute("aria-busy", "true");
  try {
    loaded = await load({ ...chosen }, known, mine.signal);
    showFault(null);
    show();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error instanceof SignedOut) {
      location.assign(`login?next=${encodeURIComponent(`dashboard${location.search}`)}`);
    } else if (error instanceof Failed) {
      showFault(error);
    } else {
      showFault(new Failed("", null));
      throw error;
    }
  } finally {
    if (loading === mine) {
      loading = null;
      document.querySelector("main").removeAttribute("aria-busy");
      if (again) {
        again = false;
        soon();
      }
    }
  }
}

function show() {
  const { figures } = loaded;
  for (const kpi of HEADLINE) showHeadline(find(kpi), figures[kpi], words);
  for (const [id, make] of Object.entries(CHARTS)) showChart(id, make(loaded));
  const isEmpty = !Object.values(figures).some((figure) => figure.n > 0);
  find("nothing").hidden = !isEmpty;
  const to = new Date(Date.parse(loaded.to) - 1);
  find("period").textContent = loaded.range === "today" ? format.date(loaded.from, loaded.zone) : `${format.date(loaded.from, loaded.zone)} – ${format.date(to, loaded.zone)}`;
  find("as-of").textContent = loaded.asOf.event_time ? `${words.as_of} ${format.moment(loaded.asOf.event_time, loaded.zone)}` : "";
}

function showChart(id, chart) {
  const card = find(id);
  const plot = card.querySelector(".plot");
  const title = card.querySelector("h2").textContent;
  const note = card.querySelector(".note");
  card.classList.toggle("without", chart.isEmpty);
  if (note) note.textContent = chart.note || "";
  card.querySelector(".table").replaceChildren(table(title, chart.columns, chart.rows));
  if (chart.isEmpty) {
    drawn.get(id)?.dispose();
    drawn.delete(id);
    return;
  }
  plot.style.height = chart.rowsShown ? `${Math.max(6, chart.rowsShown + 1.5) * ROW}px` : "";
  plot.setAttribute("aria-label", `${title}. ${words.see_table}`);
  if (!drawn.has(id)) {
    drawn.set(id, echarts.init(plot));
    new ResizeObserver(() => drawn.get(id)?.resize()).observe(plot);
  }
  drawn.get(id).resize();
  drawn.get(id).setOption(chart.option, { notMerge: true });
}

function save(id, chart) {
  const [columns, rows] = chart.csv;
  const day = (instant) => format.isoDate(new Date(instant), loaded.zone);
  download(`aftercare-${id}-${day(loaded.from)}-${day(Date.parse(loaded.to) - 1)}.csv`, columns, rows);
}

function showFault(fault) {
  find("fault").hidden = fault === null;
  document.querySelector("main").classList.toggle("stale", fault !== null);
  if (fault !== null) find("fault-id").textContent = fault.requestId ? `${words.request_id} ${fault.requestId}` : "";
}

function showState(state) {
  const element = find("state");
  element.className = `state ${state}`;
  element.textContent = words.state[state];
}
