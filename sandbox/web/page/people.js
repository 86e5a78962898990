// Renders avatars, which show a person's initials on a background colour, and the app's badge.

import { el } from "./dom.js";

const COLOURS = 8; // the number of colours in style.css

/** Create a person's avatar, or the app's icon. Screen readers skip it, because the name is next to it. */
export function avatar(id, name, isApp = false) {
  if (isApp) return el("span", { class: "avatar app", "aria-hidden": "true" });
  const sum = [...id].reduce((total, sign) => total + sign.codePointAt(0), 0);
  const initials = name.split(/\s+/).slice(0, 2).map((word) => [...word][0] || "").join("").toUpperCase();
  return el("span", { class: `avatar person${sum % COLOURS}`, "aria-hidden": "true" }, initials);
}

export const badge = () => el("span", { class: "badge" }, "APP");
