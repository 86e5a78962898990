// The block rich_text. The sandbox's Slack takes it with text to copy only.

import { el } from "./dom.js";

export function richText(block) {
  return el("div", { class: "rich" }, block.elements.map((part) =>
    el("pre", { class: "copy" }, part.elements.map((each) => document.createTextNode(each.text)))));
}
