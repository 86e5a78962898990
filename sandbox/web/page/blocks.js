// Renders the Block Kit blocks of messages, dialogs and the Home tab.

import { chart } from "./chart.js";
import { el } from "./dom.js";
import { input } from "./inputs.js";
import { plan, task } from "./plan.js";
import { richText } from "./rich_text.js";
import { table } from "./table.js";
import { nodes, plain } from "./text.js";

/**
 * Return the DOM elements for blocks. `place` describes the message or view that contains them:
 *
 * id      a prefix that makes the ids of their elements unique on the page
 * values  the chosen values, by block_id and action_id
 * people  the people that a menu of people offers
 * errors  error messages, by block_id
 * act     called with the block, the element, the new value, and whether the value is complete
 */
export function blocks(all, place) {
  return all.map((block) => (RENDER[block.type] || unknown)(block, place));
}

const RENDER = {
  section: (block, place) =>
    el(
      "div",
      { class: "section" },
      el(
        "div",
        { class: "text" },
        block.text ? el("p", {}, nodes(block.text)) : null,
        block.fields ? el("div", { class: "fields" }, block.fields.map((field) => el("p", {}, nodes(field)))) : null,
      ),
      block.accessory ? element(block, block.accessory, place) : null,
    ),
  header: (block) => el("h2", { class: "header" }, nodes(block.text)),
  divider: () => el("hr"),
  context: (block) => el("p", { class: "context" }, block.elements.map((each) => el("span", {}, nodes(each)))),
  actions: (block, place) => el("div", { class: "actions" }, block.elements.map((each) => element(block, each, place))),
  input: labelled,
  rich_text: richText,
  plan,
  task_card: task,
  alert: (block) => {
    const level = LEVELS[block.level] ? block.level : "default";
    return el("div", { class: `alert ${level}` }, el("span", { class: "unseen" }, LEVELS[level]), el("p", {}, nodes(block.text)));
  },
  data_table: table,
  data_visualization: chart,
};

const LEVELS = { default: "Note: ", info: "Note: ", warning: "Warning: ", error: "Error: ", success: "Done: " };

const unknown = (block) => el("p", { class: "context" }, `This page does not know the block "${block.type}".`);

function element(block, what, place) {
  const focus = `${place.id} ${block.block_id} ${what.action_id}`;
  if (what.type !== "button") {
    const value = place.values[block.block_id]?.[what.action_id];
    const label = plain(what.placeholder) || "Choose";
    const set = (selected, entered) => place.act(block, what, selected, entered);
    return input(what, { id: focus, label, value, people: place.people, set });
  }
  const node = el(
    "button",
    {
      type: "button",
      class: what.style,
      "data-focus": focus,
      "aria-label": what.accessibility_label,
      on: {
        click: async () => {
          if (what.url) window.open(what.url, "_blank", "noreferrer");
          if (node.getAttribute("aria-busy")) return;
          node.setAttribute("aria-busy", "true");
          await place.act(block, what, null, true);
          node.removeAttribute("aria-busy");
        },
      },
    },
    plain(what.text),
  );
  return node;
}

function labelled(block, place) {
  const id = `${place.id} ${block.block_id} ${block.element.action_id}`.replaceAll(" ", "-");
  const error = place.errors?.[block.block_id];
  const label = plain(block.label);
  const what = input(block.element, {
    id,
    label,
    value: place.values[block.block_id]?.[block.element.action_id],
    people: place.people,
    set: (selected, entered) => place.act(block, block.element, selected, entered),
    described: [block.hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ") || null,
    invalid: Boolean(error),
    required: !block.optional,
  });
  what.dataset.input = JSON.stringify([block.block_id, block.element.action_id]);
  return el(
    "div",
    { class: "field" },
    el(what.getAttribute("role") ? "span" : "label", what.getAttribute("role") ? {} : { for: id }, label, block.optional ? " (optional)" : ""),
    what,
    block.hint ? el("p", { class: "hint", id: `${id}-hint` }, nodes(block.hint)) : null,
    error ? el("p", { class: "error", id: `${id}-error` }, error) : null,
  );
}
