// Renders text that the server has split into spans, and formats times in a person's time zone.

import { el } from "./dom.js";

const TAGS = { bold: "strong", italic: "em", strike: "s", code: "code" };

/** Convert spans to DOM nodes. */
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

/** Return the text of spans without formatting. */
export const plain = (spans) => (spans || []).map((span) => span.text).join("");

/** Format a date in a time zone, such as `Mon 30 Nov`. */
export function dayOf(date, zone) {
  return date.toLocaleDateString("en-GB", { timeZone: zone, weekday: "short", day: "numeric", month: "short" }).replace(",", "");
}

/** Format a time of day in a time zone, such as `14:05`. */
export function timeOf(date, zone) {
  return date.toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
}

/** Return the text of the line above the messages of a day: `Today`, `Yesterday`, or a date. */
export function dayLine(date, zone, now) {
  const day = dayOf(date, zone);
  if (day === dayOf(now, zone)) return "Today";
  if (day === dayOf(new Date(now - 86_400_000), zone)) return "Yesterday";
  return day;
}

export const dollars = (micros) => `$${(micros / 1e6).toFixed(6).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
