// Shows the dialog that a person has open. Each change is sent to the sandbox immediately, so that a reload loses
// nothing.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { button, el } from "./dom.js";
import { TYPED } from "./inputs.js";

const dialog = () => document.getElementById("dialog");
const workspace = () => [document.getElementById("main"), document.getElementById("thread")];
let shown = null; // the view that is shown, with the person's id and the errors
let opener = null; // the element that had the focus before
const unsent = new Map(); // the latest value that hasn't been sent to the sandbox, by block_id and action_id
let sending = null;

/** Show a person's dialog, or close it if `view` is null. */
export function showModal(view, { user, people }) {
  if (!view) {
    if (shown) close();
    return;
  }
  const state = JSON.stringify([user, view.view_id, view.hash, view.errors]);
  if (shown?.state === state) return;
  const same = shown?.view.view_id === view.view_id;
  if (!shown) opener = document.activeElement;
  draw(view, { user, people, state, errors: view.errors }, same);
}

function draw(view, { user, people, state, errors }, same) {
  const typed = same ? readAll() : {};
  const focus = same ? document.activeElement?.dataset.focus : null;
  shown = { view, user, people, state };
  const act = (block, element, selected, entered) => change(view, user, block, element, selected, entered);
  const title = el("h2", { id: "dialog-title", tabindex: "-1" }, view.title);
  const form = el(
    "form",
    { on: { submit: (event) => (event.preventDefault(), submit(view, user)) } },
    el("div", { class: "body" }, blocks(view.blocks, { id: `v${view.view_id}`, values: view.values, people, errors, act })),
    el(
      "div",
      { class: "actions" },
      button(view.close || "Cancel", () => leave(view, user), { "data-focus": "close" }),
      view.submit ? el("button", { type: "submit", class: "primary", "data-focus": "submit" }, view.submit) : null,
    ),
  );
  const box = el(
    "div",
    {
      role: "dialog",
      "aria-labelledby": "dialog-title",
      on: { keydown: (event) => event.key === "Escape" && leave(view, user) },
    },
    title,
    form,
  );
  dialog().replaceChildren(box);
  for (const part of workspace()) part.inert = true;
  for (const node of inputs()) {
    const [block, action] = JSON.parse(node.dataset.input);
    const before = typed[block]?.[action];
    if (before !== undefined) node.write(before);
  }
  const wrong = Object.keys(errors || {}).length ? box.querySelector("[aria-invalid]") : null;
  const first = box.querySelector(".field input, .field textarea, .field select");
  const again = focus && box.querySelector(`[data-focus="${CSS.escape(focus)}"]`);
  (wrong || again || first || title).focus();
}

const inputs = () => [...dialog().querySelectorAll("[data-input]")];

function readAll() {
  const values = {};
  for (const node of inputs()) {
    const [block, action] = JSON.parse(node.dataset.input);
    (values[block] ||= {})[action] = node.read();
  }
  return values;
}

/**
 * Handle a change of a value. For elements outside input blocks, and in input blocks with dispatch_action, the app is
 * notified. For typed text, this happens when Enter is pressed, or for each character if the element requests this.
 * Return a promise if something is sent.
 */
function change(view, user, block, element, selected, entered) {
  const asks = block.type !== "input" || block.dispatch_action;
  const each = element.dispatch_action_config?.trigger_actions_on?.includes("on_character_entered");
  if (element.type === TYPED && (asks && !each ? !entered : entered && !asks)) return undefined;
  if (element.type === "button") return flush().then(() => click(view, user, block, element, null));
  unsent.set(`${block.block_id} ${element.action_id}`, () => click(view, user, block, element, selected));
  return flush();
}

function click(view, user, block, element, selected) {
  return post("/slack/_control/click", {
    user,
    view_id: view.view_id,
    block_id: block.block_id,
    action_id: element.action_id,
    selected,
  });
}

/** Send the unsent values one after the other, so that the latest value of an element arrives last. */
function flush() {
  sending ||= (async () => {
    while (unsent.size) {
      const [name, send] = unsent.entries().next().value;
      unsent.delete(name);
      await send();
    }
    sending = null;
  })();
  return sending;
}

async function submit(view, user) {
  await flush();
  const outcome = await post("/slack/_control/submit", { user, view_id: view.view_id, values: readAll() });
  if (outcome.error === "incomplete" && shown?.view.view_id === view.view_id) {
    draw(shown.view, { ...shown, errors: outcome.errors }, true);
  }
}

async function leave(view, user) {
  await post("/slack/_control/close", { user, view_id: view.view_id });
}

function close() {
  const focused = dialog().contains(document.activeElement);
  shown = null;
  unsent.clear();
  dialog().replaceChildren();
  for (const part of workspace()) part.inert = false;
  if (!focused) return;
  if (opener?.isConnected) opener.focus();
  else document.getElementById("list").focus();
}

