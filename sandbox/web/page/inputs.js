// Renders the Block Kit elements in which a person types or makes a choice.

import { el } from "./dom.js";
import { plain } from "./text.js";

export const TYPED = "plain_text_input";
const DAY = "datepicker";

/** Convert an element's value from Slack's format to a text, the value of an option, or a list of such values. */
function selectedOf(value) {
  if (!value) return null;
  if (value.selected_options) return value.selected_options.map((option) => option.value);
  if (value.selected_users) return value.selected_users;
  return value.selected_option?.value ?? value.selected_user ?? value.selected_date ?? value.value ?? null;
}

/**
 * Create an element to type or choose in. `set(selected, entered)` is called for each change; `entered` is false while
 * a person is still typing. `node.read()` returns the current value, and `node.write(selected)` sets it.
 */
export function input(element, { id, label, value, people, set, described, invalid, required }) {
  const chosen = selectedOf(value);
  const common = {
    id,
    "data-focus": id,
    "aria-describedby": described,
    "aria-invalid": invalid ? "true" : null,
    "aria-required": required ? "true" : null,
  };
  if (element.type === TYPED) return typed(element, common, chosen, set);
  if (element.type === DAY) return day({ ...common, "aria-label": label }, chosen, set);
  const options = optionsOf(element, people);
  if (element.type === "static_select" || element.type === "users_select") {
    return menu(element, { ...common, "aria-label": label }, options, chosen, set);
  }
  const several = element.type !== "radio_buttons";
  return choices({ ...common, "aria-label": label, role: several ? "group" : "radiogroup" }, options, chosen, several, set);
}

function typed(element, common, chosen, set) {
  const node = el(element.multiline ? "textarea" : "input", {
    ...common,
    placeholder: plain(element.placeholder) || null,
    autocomplete: "off",
    rows: element.multiline ? 4 : null,
    on: {
      input: () => set(node.value, false),
      keydown: (event) => {
        if (event.key !== "Enter" || element.multiline) return;
        if (set(node.value, true)) event.preventDefault(); // the app is notified, so don't submit the form
      },
    },
  });
  node.value = chosen || "";
  node.read = () => node.value;
  node.write = (selected) => (node.value = selected || "");
  return node;
}

function day(common, chosen, set) {
  const node = el("input", { ...common, type: "date", on: { change: () => set(node.value || null, true) } });
  node.read = () => node.value || null;
  node.write = (selected) => (node.value = selected || "");
  node.write(chosen);
  return node;
}

function menu(element, common, options, chosen, set) {
  const node = el(
    "select",
    { ...common, on: { change: () => set(node.value || null, true) } },
    el("option", { value: "" }, plain(element.placeholder) || "Choose"),
    groupsOf(element, options),
  );
  node.read = () => node.value || null;
  node.write = (selected) => (node.value = selected || "");
  node.write(chosen);
  return node;
}

function groupsOf(element, options) {
  const option = (each) => el("option", { value: each.value }, each.text);
  if (!element.option_groups) return options.map(option);
  return element.option_groups.map((group) =>
    el("optgroup", { label: plain(group.label) }, group.options.map(fromOption).map(option)),
  );
}

function choices(common, options, chosen, several, set) {
  const boxes = options.map((option) =>
    el("input", {
      type: several ? "checkbox" : "radio",
      name: common.id,
      value: option.value,
      "data-focus": `${common.id} ${option.value}`,
      on: { change: () => set(node.read(), true) },
    }),
  );
  const node = el(
    "div",
    { ...common, class: "choices" },
    options.map((option, n) => el("label", {}, boxes[n], ` ${option.text}`)),
  );
  node.read = () => {
    const values = boxes.filter((box) => box.checked).map((box) => box.value);
    return several ? values : (values[0] ?? null);
  };
  node.write = (selected) => {
    for (const box of boxes) box.checked = (several ? selected || [] : [selected]).includes(box.value);
  };
  node.write(chosen);
  return node;
}

const fromOption = (option) => ({ value: option.value, text: plain(option.text) });

function optionsOf(element, people) {
  if (element.type.endsWith("users_select")) {
    return people.filter((person) => !person.bot).map((person) => ({ value: person.id, text: person.name }));
  }
  if (element.option_groups) return element.option_groups.flatMap((group) => group.options.map(fromOption));
  return (element.options || []).map(fromOption);
}
