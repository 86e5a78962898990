// The block data_visualization: bars for the eye, and the numbers as a table. Of other charts only the numbers.

import { el } from "./dom.js";

const WIDTH = 420;
const HEIGHT = 176;
const EDGE = 14;
const MOST_LABELS = 8; // below the axis

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

export function chart(block) {
  const { chart: what, title } = block;
  const drawn = what.type === "bar";
  return el(
    "figure",
    {},
    el("figcaption", {}, title),
    drawn ? bars(what, title) : null,
    el("details", { open: !drawn }, el("summary", {}, `Numbers: ${title}`), numbers(what)),
  );
}

function numbers(what) {
  const row = (label, values) => el("tr", {}, el("th", { scope: "row" }, label), values.map((value) => el("td", {}, String(value))));
  if (what.type === "pie") return el("table", {}, what.segments.map((part) => row(part.label, [part.value])));
  return el(
    "table",
    {},
    el("tr", {}, el("td"), what.series.map((series) => el("th", { scope: "col" }, series.name))),
    what.axis_config.categories.map((label, n) => row(label, what.series.map((series) => series.data[n].value))),
  );
}

function bars({ series, axis_config: { categories } }, title) {
  const values = series.flatMap((each) => each.data.map((point) => point.value));
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const y = (value) => EDGE + (HEIGHT - 2 * EDGE) * (1 - (value - low) / (high - low || 1));
  const step = (WIDTH - 2 * EDGE) / categories.length;
  const middle = (n) => EDGE + step * (n + 0.5);
  const every = Math.ceil(categories.length / MOST_LABELS);
  const width = (step * 0.8) / series.length;
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: the numbers follow as a table`, class: "chart" },
    svg("line", { x1: EDGE, x2: WIDTH - EDGE, y1: y(0), y2: y(0), class: "axis" }),
    svg("text", { x: 0, y: 9 }, String(high)),
    ...categories.map((label, n) =>
      n % every ? "" : svg("text", { x: middle(n), y: HEIGHT - 2, "text-anchor": "middle" }, label),
    ),
    ...series.flatMap((each, s) =>
      each.data.map((point, n) =>
        svg(
          "rect",
          {
            x: middle(n) - step * 0.4 + s * width,
            y: Math.min(y(point.value), y(0)),
            width,
            height: Math.abs(y(point.value) - y(0)),
            class: `series${s % 4}`,
          },
          svg("title", {}, `${each.name}, ${point.label}: ${point.value}`),
        ),
      ),
    ),
  );
}
