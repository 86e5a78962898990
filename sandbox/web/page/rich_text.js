// The block rich_text: paragraphs, lists, quotes, and text to copy.

import { el } from "./dom.js";

const TAGS = { bold: "strong", italic: "em", strike: "s", code: "code" };
const KINDS = {
  rich_text_section: (part) => el("p", {}, inline(part)),
  rich_text_preformatted: (part) => el("pre", { class: "copy" }, inline(part)),
  rich_text_quote: (part) => el("blockquote", {}, inline(part)),
  rich_text_list: (part) =>
    el(part.style === "ordered" ? "ol" : "ul", {}, part.elements.map((each) => el("li", {}, inline(each)))),
};

export function richText(block) {
  return el("div", { class: "rich" }, block.elements.map((part) => KINDS[part.type]?.(part)));
}

/** Return texts and links. Mentions and dates are not shown by their names here: the bot sends none in rich text. */
function inline(part) {
  return part.elements.map((each) => {
    let node = document.createTextNode(each.text ?? each.url ?? each.fallback ?? "");
    if (/^(https?:\/\/|mailto:)/.test(each.url)) node = el("a", { href: each.url, target: "_blank", rel: "noreferrer" }, node);
    for (const [style, tag] of Object.entries(TAGS)) if (each.style?.[style]) node = el(tag, {}, node);
    return node;
  });
}
