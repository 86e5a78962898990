// Text as the server has taken it apart, and times in a person's zone.

import { el } from "./dom.js";

const TAGS = { bold: "strong", italic: "em", strike: "s", code: "code" };

/** Return the nodes of a text. */
export function nodes(spans) {
  return (spans || []).map((span) => {
    let node = document.createTextNode(span.text);
    if (span.url) node = el("a", { href: span.url, target: "_blank", rel: "noreferrer" }, node);
    for (const style of span.styles) {
      node = style === "mention" ? el("span", { class: "mention" }, node) : el(TAGS[style], {}, node);
    }
    return node;
  });
}

/** Return a text without its looks. */
export const plain = (spans) => (spans || []).map((span) => span.text).join("");

/** Return a date in a zone, such as `Mon 30 Nov`. */
export function dayOf(date, zone) {
  return date.toLocaleDateString("en-GB", { timeZone: zone, weekday: "short", day: "numeric", month: "short" }).replace(",", "");
}

/** Return a time of day in a zone. */
export function timeOf(date, zone) {
  return date.toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
}

/** Return a date as the line above its messages says it. */
export function dayLine(date, zone, now) {
  const day = dayOf(date, zone);
  if (day === dayOf(now, zone)) return "Today";
  if (day === dayOf(new Date(now - 86_400_000), zone)) return "Yesterday";
  return day;
}

export const dollars = (micros) => `$${(micros / 1e6).toFixed(6).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
