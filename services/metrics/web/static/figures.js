// What the page asks of the REST interface, and what a range means. The service's clock decides what "today" is, never the browser's.
"use strict";

import { isoDate } from "./format.js";

export const HEADLINE = ["csat_mean", "resolution_rate", "repeat_complaint_rate", "nps"];
export const SLA = ["sla_first_response", "sla_next_response", "sla_resolution"];
export const TIMES = ["first_response_time", "online_response_time", "resolution_time"];
export const VOLUME = ["requests", "tickets_resolved"];
const DAY = 86400000;

export class SignedOut extends Error {}

export class Failed extends Error {
  constructor(detail, requestId) {
    super(detail);
    this.requestId = requestId;
  }
}

async function get(path, parameters, signal) {
  const query = new URLSearchParams(parameters);
  let answer;
  try {
    answer = await fetch(`${path}?${query}`, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed("", null);
  }
  if (answer.status === 401 || answer.status === 403) throw new SignedOut();
  if (!answer.ok) throw new Failed(answer.status, answer.headers.get("X-Request-Id"));
  return answer.json();
}

// The dates of a named range: [from, to).
async function dates(range, zone, signal) {
  const { to } = await get("v1/kpis", { zone, kpi: "requests" }, signal);
  const today = isoDate(new Date(Date.parse(to) - 1), zone);
  const shifted = (days) => new Date(Date.parse(today) + days * DAY).toISOString().slice(0, 10);
  switch (range) {
    case "today": return { from: today, to: shifted(1), bucket: "hour" };
    case "7d": return { from: shifted(-6), to: shifted(1), bucket: "day" };
    case "month": return { from: `${today.slice(0, 8)}01`, to: shifted(1), bucket: "day" };
    default: return { from: shifted(-29), to: shifted(1), bucket: "day" };
  }
}

// Everything that the page shows of a range, all at once.
export async function load({ range, zone, clock, trend }, known, signal) {
  const { from, to, bucket } = await dates(range, zone, signal);
  const within = { from, to, zone };
  const has = (kpi) => known.includes(kpi);
  const series = (kpi) => has(kpi) ? get(`v1/kpis/${kpi}/series`, { ...within, bucket }, signal) : { items: [] };
  const channelKpis = ["requests", "csat_mean", "sla_first_response"].filter(has).map((kpi) => ["kpi", kpi]);
  const times = known.includes("resolution_time") ? { ...within, clock } : within;
  const [whole, byChannel, requests, resolved, backlog, trended] = await Promise.all([
    get("v1/kpis", times, signal),
    get("v1/kpis", [...Object.entries(within), ["group_by", "channel"], ...channelKpis], signal),
    ...["requests", "tickets_resolved", "backlog", trend].map(series),
  ]);
  return {
    range, zone, clock, trend, bucket,
    from: whole.from, to: whole.to, asOf: whole.as_of,
    figures: Object.fromEntries(whole.items.map((item) => [item.kpi, item])),
    channels: channelRows(byChannel.items),
    series: { requests: requests.items, tickets_resolved: resolved.items, backlog: backlog.items, trend: trended.items },
  };
}

function channelRows(items) {
  const rows = new Map();
  for (const item of items) {
    const channel = item.dimensions.channel;
    rows.set(channel, { channel, ...rows.get(channel), [item.kpi]: item });
  }
  return [...rows.values()].sort((one, other) => (other.requests?.value ?? 0) - (one.requests?.value ?? 0));
}
