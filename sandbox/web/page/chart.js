// The block data_visualization: a chart for the eye, and its numbers as a table.

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
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: the numbers follow as a table`, class: "chart" },
    ...(what.type === "pie" ? pie(what.segments) : onAxes(what)),
  );
  return el("figure", {}, el("figcaption", {}, title), drawing, el("details", {}, el("summary", {}, `Numbers: ${title}`), numbers(what)));
}

function numbers(what) {
  if (what.type === "pie") {
    return el("table", {}, what.segments.map((part) => el("tr", {}, el("th", { scope: "row" }, part.label), el("td", {}, String(part.value)))));
  }
  return el(
    "table",
    {},
    el("tr", {}, el("td"), what.series.map((series) => el("th", { scope: "col" }, series.name))),
    what.axis_config.categories.map((label, n) =>
      el("tr", {}, el("th", { scope: "row" }, label), what.series.map((series) => el("td", {}, String(series.data[n].value)))),
    ),
  );
}

function pie(segments) {
  const sum = segments.reduce((total, part) => total + part.value, 0);
  const point = (turn) => [80 + 70 * Math.sin(2 * Math.PI * turn), 80 - 70 * Math.cos(2 * Math.PI * turn)];
  let from = 0;
  return segments.flatMap((part, n) => {
    const to = from + part.value / sum;
    const [x1, y1] = point(from);
    const [x2, y2] = point(Math.min(to, from + 0.9999)); // an arc over the whole circle would be nothing
    const path = `M80 80 L${x1} ${y1} A70 70 0 ${to - from > 0.5 ? 1 : 0} 1 ${x2} ${y2} Z`;
    from = to;
    return [
      svg("path", { d: path, class: `series${n % 6}` }),
      svg("rect", { x: 180, y: 8 + n * 16, width: 10, height: 10, class: `series${n % 6}` }),
      svg("text", { x: 196, y: 17 + n * 16 }, part.label),
    ];
  });
}

function onAxes({ type, series, axis_config: { categories } }) {
  const values = series.flatMap((each) => each.data.map((point) => point.value));
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const y = (value) => EDGE + (HEIGHT - 2 * EDGE) * (1 - (value - low) / (high - low || 1));
  const step = (WIDTH - 2 * EDGE) / categories.length;
  const middle = (n) => EDGE + step * (n + 0.5);
  const every = Math.ceil(categories.length / MOST_LABELS);
  const labels = categories.map((label, n) =>
    n % every ? "" : svg("text", { x: middle(n), y: HEIGHT - 2, "text-anchor": "middle" }, label),
  );
  const axis = svg("line", { x1: EDGE, x2: WIDTH - EDGE, y1: y(0), y2: y(0), class: "axis" });
  return [
    axis,
    svg("text", { x: 0, y: 9 }, String(high)),
    ...labels,
    ...series.flatMap((each, s) => {
      if (type === "bar") {
        const width = (step * 0.8) / series.length;
        return each.data.map((point, n) =>
          svg(
            "rect",
            {
              x: middle(n) - step * 0.4 + s * width,
              y: Math.min(y(point.value), y(0)),
              width,
              height: Math.abs(y(point.value) - y(0)),
              class: `series${s % 6}`,
            },
            svg("title", {}, `${each.name}, ${point.label}: ${point.value}`),
          ),
        );
      }
      const points = each.data.map((point, n) => `${middle(n)},${y(point.value)}`);
      const closed = type === "area" ? [`${middle(0)},${y(0)}`, ...points, `${middle(points.length - 1)},${y(0)}`] : points;
      return [svg(type === "area" ? "polygon" : "polyline", { points: closed.join(" "), class: `${type} series${s % 6}` })];
    }),
  ];
}
