// The four targets: value, cases, interval and verdict. A verdict has an icon and a word, never a colour alone.
"use strict";

import * as format from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const ICONS = { met: "✓", missed: "✕", inconclusive: "≈" };
const BOUNDS = { "ratio": [0, 1], "score 1-5": [1, 5], "points -100..100": [-100, 100] };
const WIDTH = 240;

export function showHeadline(card, figure, words) {
  const part = (name) => card.querySelector(`.${name}`);
  const hidden = !figure || figure.small_n === "counts_only";
  card.classList.toggle("grey", Boolean(figure && figure.small_n));
  part("value").textContent = figure ? format.value(figure) : format.NOTHING;
  part("cases").textContent = figure ? cases(figure) : words.not_measured;
  part("notes").textContent = figure ? notes(figure, words) : "";
  showVerdict(part("verdict"), figure && (hidden ? null : figure.verdict), words);
  part("aim").textContent = figure && figure.target !== null ? aim(figure, words) : "";
  part("range").replaceChildren(...(figure && figure.ci95 ? [bar(figure, words)] : []));
}

export function aim(figure, words) {
  const sign = figure.direction === "at_least" ? "≥" : "≤";
  return `${words.target} ${sign} ${shortValue(figure)}`;
}

function shortValue(figure) {
  if (figure.unit === "ratio") return format.percent(figure.target, 0);
  return figure.unit === "seconds" ? format.duration(figure.target) : format.number(figure.target, Number.isInteger(figure.target) ? 0 : 1);
}

export function verdictText(verdict, words) {
  return verdict ? `${ICONS[verdict]} ${words.verdict[verdict]}` : format.NOTHING;
}

function showVerdict(element, verdict, words) {
  element.className = `verdict ${verdict || "none"}`;
  element.textContent = verdict ? verdictText(verdict, words) : words.verdict.none;
}

function cases(figure) {
  const n = `n = ${format.number(figure.n)}`;
  if (figure.unit !== "ratio" || figure.denominator === null) return n;
  // a rate's cases are its denominator
  return `${n} · ${format.number(figure.numerator)} / ${format.number(figure.denominator)}`;
}

function notes(figure, words) {
  const found = [];
  if (figure.small_n) found.push(words.small_n[figure.small_n]);
  if (figure.provisional && figure.n > 0) found.push(words.provisional);
  return found.join(" · ");
}

// The interval as a bar with the value in it and the target across it.
function bar(figure, words) {
  const [low, high] = figure.ci95;
  const [least, most] = BOUNDS[figure.unit];
  const shown = [low, high, ...(figure.target === null ? [] : [figure.target])];
  const pad = Math.max((Math.max(...shown) - Math.min(...shown)) * 0.12, (most - least) * 0.01);
  const from = Math.max(least, Math.min(...shown) - pad);
  const to = Math.min(most, Math.max(...shown) + pad);
  const x = (value) => 4 + ((value - from) / (to - from)) * (WIDTH - 8);
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} 24`, role: "img", "aria-label": `${words.interval}: ${format.interval(figure)}` });
  svg.append(
    draw("line", { class: "track", x1: 4, x2: WIDTH - 4, y1: 12, y2: 12 }),
    draw("line", { class: "interval", x1: x(low), x2: x(high), y1: 12, y2: 12 }),
  );
  if (figure.target !== null) svg.append(draw("line", { class: "target", x1: x(figure.target), x2: x(figure.target), y1: 1, y2: 23 }));
  if (figure.value !== null) svg.append(draw("circle", { class: "point", cx: x(figure.value), cy: 12, r: 5 }));
  const ends = document.createElement("p");
  ends.className = "ends";
  ends.textContent = `${words.interval} ${format.interval(figure)}`;
  const whole = document.createDocumentFragment();
  whole.append(svg, ends);
  return whole;
}

function draw(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
