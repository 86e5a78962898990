// Renders the block data_visualization as a drawing, followed by its numbers as a table.

import { el, svg } from "./dom.js";

const LEAST_WIDTH = 220; // pixels
const MOST_WIDTH = 480;
const HEIGHT = 176;
const EDGE = 14;
const LABEL_GAP = 8; // pixels between two labels below the axis
const COLOURS = 6; // the number of colours in style.css

const colour = (n) => `series${n % COLOURS}`;

const pen = new OffscreenCanvas(1, 1).getContext("2d");
pen.font = "11px system-ui, sans-serif"; // the same font as in style.css

/** Return a figure that is redrawn for its actual width, so that its labels stay readable on a phone. */
export function chart({ chart: what, title }) {
  const names = what.type === "pie" ? what.segments.map((part) => part.label) : what.series.map((each) => each.name);
  const drawing = svg("svg", { role: "img", "aria-label": `${title}: the numbers follow as a table`, class: "chart", height: HEIGHT });
  const draw = (width) => {
    drawing.setAttribute("width", width);
    drawing.replaceChildren(...(what.type === "pie" ? pie(what.segments, width) : onAxes(what, width)));
  };
  const figure = el(
    "figure",
    {},
    el("figcaption", {}, title),
    drawing,
    names.length > 1 ? el("p", { class: "context" }, names.map((name, n) => [el("span", { class: `swatch ${colour(n)}` }), ` ${name}  `])) : null,
    el("details", {}, el("summary", {}, `Numbers: ${title}`), numbers(what)),
  );
  draw(MOST_WIDTH);
  new ResizeObserver(([{ contentRect }]) => draw(Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, contentRect.width)))).observe(figure);
  return figure;
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

/** Return the slices. Each is one dash of a circle, whose stroke is so wide that the dash fills the sector. */
function pie(segments, wide) {
  const total = segments.reduce((sum, part) => sum + part.value, 0);
  const radius = (HEIGHT - 2 * EDGE) / 4;
  const gap = segments.length > 1 ? total / 200 : 0;
  let before = 0;
  return segments.map((part, n) => {
    const slice = svg(
      "circle",
      {
        cx: wide / 2,
        cy: HEIGHT / 2,
        r: radius,
        "stroke-width": 2 * radius,
        pathLength: total,
        "stroke-dasharray": `${Math.max(part.value - gap, part.value / 2)} ${total}`,
        "stroke-dashoffset": -before,
        transform: `rotate(-90 ${wide / 2} ${HEIGHT / 2})`,
        class: `drawn ${colour(n)}`,
      },
      svg("title", {}, `${part.label}: ${part.value}`),
    );
    before += part.value;
    return slice;
  });
}

function onAxes({ type, series, axis_config: { categories } }, wide) {
  const values = series.flatMap((each) => each.data.map((point) => point.value));
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const y = (value) => EDGE + (HEIGHT - 2 * EDGE) * (1 - (value - low) / (high - low || 1));
  const step = (wide - 2 * EDGE) / categories.length;
  const middle = (n) => EDGE + step * (n + 0.5);
  return [
    svg("line", { x1: EDGE, x2: wide - EDGE, y1: y(0), y2: y(0), class: "axis" }),
    svg("text", { x: 0, y: 9 }, String(high)),
    ...labels(categories, middle, wide),
    ...series.flatMap((each, s) => (type === "bar" ? bars(each, s, series.length, { y, step, middle }) : line(each, s, type, { y, middle }))),
  ];
}

/** Return the labels below the axis. If they would overlap, keep the last one, and every second or third before it. */
function labels(categories, middle, wide) {
  const all = categories.map((label, n) => {
    const width = Math.ceil(pen.measureText(label).width) + 1; // text in an SVG can be slightly wider than measured
    return { label, width, x: Math.max(0, Math.min(middle(n) - width / 2, wide - width)) };
  });
  const each = (every) => all.filter((_, n) => (all.length - 1 - n) % every === 0);
  const fits = (shown) => shown.every(({ x, width }, n) => n + 1 === shown.length || x + width + LABEL_GAP <= shown[n + 1].x);
  let every = 1;
  while (!fits(each(every))) every += 1;
  return each(every).map(({ label, x }) => svg("text", { x, y: HEIGHT - 2 }, label));
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
