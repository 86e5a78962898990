// Creates and replaces elements. External text becomes text nodes and attributes, but never HTML.

/** Create an element. `on` contains its listeners. Attributes that are false, null or undefined are left out. */
export function el(tag, { on = {}, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [event, listener] of Object.entries(on)) node.addEventListener(event, listener);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

/** Create an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

export function button(text, onClick, attributes = {}) {
  return el("button", { type: "button", on: { click: onClick }, ...attributes }, text);
}

/** Create a select element with its label. `options` are pairs of value and text. */
export function select(label, options, chosen, onChange, attributes = {}) {
  const menu = el(
    "select",
    { on: { change: () => onChange(menu.value) }, ...attributes },
    options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)),
  );
  return el("label", {}, `${label} `, menu);
}

/**
 * Update the children of `parent` to show `items`, in this order. A child is created anew only if its `version` has
 * changed. If the old child had the focus, the new one gets it, at the part with the same `data-focus`. Numbers that a
 * person has typed and not sent yet are kept in the same way.
 */
export function keep(parent, items, { key, version, make }) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    const state = String(version(item));
    const old = before.get(name);
    before.delete(name);
    let node = old;
    if (!old || old.dataset.version !== state) {
      node = make(item);
      node.dataset.key = name;
      node.dataset.version = state;
      if (old) {
        if (old === next) next = node;
        replaceKeepingInput(old, node);
      }
    }
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  for (const gone of before.values()) gone.remove();
}

function replaceKeepingInput(old, node) {
  const focused = old.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  const had = old.contains(document.activeElement);
  for (const typed of old.querySelectorAll("input[type=number][data-focus]")) {
    const same = node.querySelector(`[data-focus="${CSS.escape(typed.dataset.focus)}"]`);
    if (same && typed.value !== typed.defaultValue) same.value = typed.value;
  }
  old.replaceWith(node);
  if (!had) return;
  const same = focused && node.querySelector(`[data-focus="${CSS.escape(focused)}"]`);
  (same || node).focus();
}
