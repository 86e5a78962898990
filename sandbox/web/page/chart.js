// The block data_visualization: a drawing for the eye, and the numbers as a table.

import { el } from "./dom.js";

const WIDTH = 420;
const HEIGHT = 176;
const EDGE = 14;
const MOST_LABELS = 5; // below the axis: a week such as "23 to 29 Nov" is wide
const COLOURS = 6; // that style.css has

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

const colour = (n) => `series${n % COLOURS}`;

export function chart({ chart: what, title }) {
  const names = what.type === "pie" ? what.segments.map((part) => part.label) : what.series.map((each) => each.name);
  return el(
    "figure",
    {},
    el("figcaption", {}, title),
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: the numbers follow as a table`, class: "chart" },
      ...(what.type === "pie" ? pie(what.segments) : onAxes(what)),
    ),
    names.length > 1 ? el("p", { class: "context" }, names.map((name, n) => [el("span", { class: `swatch ${colour(n)}` }), ` ${name}  `])) : null,
    el("details", {}, el("summary", {}, `Numbers: ${title}`), numbers(what)),
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

/** Return the slices, each the dash of a circle whose stroke is as wide as its radius. */
function pie(segments) {
  const total = segments.reduce((sum, part) => sum + part.value, 0);
  const radius = (HEIGHT - 2 * EDGE) / 4;
  const gap = segments.length > 1 ? total / 200 : 0;
  let before = 0;
  return segments.map((part, n) => {
    const slice = svg(
      "circle",
      {
        cx: WIDTH / 2,
        cy: HEIGHT / 2,
        r: radius,
        "stroke-width": 2 * radius,
        pathLength: total,
        "stroke-dasharray": `${Math.max(part.value - gap, part.value / 2)} ${total}`,
        "stroke-dashoffset": -before,
        transform: `rotate(-90 ${WIDTH / 2} ${HEIGHT / 2})`,
        class: `drawn ${colour(n)}`,
      },
      svg("title", {}, `${part.label}: ${part.value}`),
    );
    before += part.value;
    return slice;
  });
}

function onAxes({ type, series, axis_config: { categories } }) {
  const values = series.flatMap((each) => each.data.map((point) => point.value));
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const y = (value) => EDGE + (HEIGHT - 2 * EDGE) * (1 - (value - low) / (high - low || 1));
  const step = (WIDTH - 2 * EDGE) / categories.length;
  const middle = (n) => EDGE + step * (n + 0.5);
  const every = Math.ceil(categories.length / MOST_LABELS);
  return [
    svg("line", { x1: EDGE, x2: WIDTH - EDGE, y1: y(0), y2: y(0), class: "axis" }),
    svg("text", { x: 0, y: 9 }, String(high)),
    ...categories.map((label, n) => (n % every ? "" : svg("text", { x: middle(n), y: HEIGHT - 2, "text-anchor": "middle" }, label))),
    ...series.flatMap((each, s) => (type === "bar" ? bars(each, s, series.length, { y, step, middle }) : line(each, s, type, { y, middle }))),
  ];
}

const named = (series, point) => svg("title", {}, `${series.name}, ${point.label}: ${point.value}`);

function bars(series, s, many, { y, step, middle }) {
  const width = (step * 0.8) / many;
  return series.data.map((point, n) => {
    const x = middle(n) - step * 0.4 + s * width;
    const [top, height] = [Math.min(y(point.value), y(0)), Math.abs(y(point.value) - y(0))];
    return svg("rect", { x, y: top, width, height, class: colour(s) }, named(series, point));
  });
}

function line(series, s, type, { y, middle }) {
  const points = series.data.map((point, n) => `${middle(n)},${y(point.value)}`);
  const ground = [`${middle(0)},${y(0)}`, `${middle(points.length - 1)},${y(0)}`];
  return [
    type === "area" ? svg("polygon", { points: [ground[0], ...points, ground[1]].join(" "), class: `area ${colour(s)}` }) : "",
    svg("polyline", { points: points.join(" "), "stroke-width": 2, class: `drawn ${colour(s)}` }),
    ...series.data.map((point, n) => svg("circle", { cx: middle(n), cy: y(point.value), r: 3, class: colour(s) }, named(series, point))),
  ];
}
