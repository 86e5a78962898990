// Renders the blocks plan and task_card: a checklist that the app updates as tasks are completed.

import { el, svg } from "./dom.js";
import { richText } from "./rich_text.js";

// The text for screen readers and the icon for each status.
const STATUS = {
  pending: ["not begun", () => [svg("circle", { cx: 8, cy: 8, r: 6, class: "ring" })]],
  in_progress: [
    "in progress",
    () => [svg("circle", { cx: 8, cy: 8, r: 6, class: "ring" }), svg("path", { d: "M8 2a6 6 0 0 1 6 6", class: "stroke" })],
  ],
  complete: ["done", () => [svg("circle", { cx: 8, cy: 8, r: 7, class: "disc" }), svg("path", { d: "M5 8.2l2.2 2.2L11.2 6", class: "sign" })]],
  error: ["failed", () => [svg("circle", { cx: 8, cy: 8, r: 7, class: "disc" }), svg("path", { d: "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8", class: "sign" })]],
};

export function plan(block) {
  return el("div", { class: "plan" }, el("h2", {}, block.title), el("ol", {}, block.tasks.map((each) => el("li", {}, task(each)))));
}

export function task(block) {
  const status = STATUS[block.status] ? block.status : "pending";
  const [words, drawn] = STATUS[status];
  return el(
    "div",
    { class: `task ${status}` },
    svg("svg", { viewBox: "0 0 16 16", class: "mark", "aria-hidden": "true" }, ...drawn()),
    el(
      "div",
      {},
      el("p", {}, block.title, el("span", { class: "unseen" }, `, ${words}`)),
      [block.details, block.output].filter(Boolean).map(richText),
    ),
  );
}
