// Renders the block rich_text. The sandbox's Slack accepts only preformatted text in it, which people can copy.

import { el } from "./dom.js";

export function richText(block) {
  return el("div", { class: "rich" }, block.elements.map((part) =>
    el("pre", { class: "copy" }, part.elements.map((each) => document.createTextNode(each.text)))));
}
