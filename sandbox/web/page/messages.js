// Renders the messages of a channel or a thread.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { button, el, keep } from "./dom.js";
import { avatar, badge } from "./people.js";
import { dayLine, dayOf, timeOf } from "./text.js";

const NEAR = 80; // a list scrolled to within this many pixels of its end follows new messages
const MOST_FACES = 3; // the maximum number of avatars next to the number of replies

const at = (message) => new Date(message.ts * 1000);

/**
 * Show the messages in `list`, with a line above each day. `reader` contains the person's id and time zone, all people,
 * the time, `openThread`, and the ts of the message that the guide highlights. With `replies`, which maps a ts to its
 * replies, each message has a button that opens its thread.
 */
export function showMessages(list, messages, reader, { replies } = {}) {
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
  const items = [];
  let day = "";
  for (const message of messages) {
    if (dayOf(at(message), reader.zone) !== day) items.push({ line: (day = dayOf(at(message), reader.zone)), message });
    items.push({ message });
  }
  keep(list, items, {
    key: ({ line, message }) => line || message.ts,
    version: ({ line, message }) => (line ? dayLine(at(message), reader.zone, reader.now()) : versionOf(message, reader, replies)),
    make: ({ line, message }) =>
      line ? el("p", { class: "day" }, el("span", {}, dayLine(at(message), reader.zone, reader.now()))) : article(message, reader, replies),
  });
  if (!messages.length) list.replaceChildren(el("p", { class: "hint" }, "Nothing yet."));
  if (follows) list.scrollTop = list.scrollHeight;
}

function versionOf(message, reader, replies) {
  const last = replies?.get(message.ts)?.at(-1);
  return [message.taken, last?.ts, reader.pointed === message.ts].join(" ");
}

function article(message, reader, replies) {
  const act = (block, element, selected, entered) =>
    entered &&
    post("/slack/_control/click", {
      user: reader.user,
      channel: message.channel,
      ts: message.ts,
      seq: message.seq,
      block_id: block.block_id,
      action_id: element.action_id,
      selected,
    });
  const place = { id: `m${message.channel}${message.ts}`, values: message.values, people: reader.people, act };
  const said = el("p", { class: "said", hidden: true });
  return el(
    "article",
    { class: reader.pointed === message.ts ? "message pointed" : "message", tabindex: "-1", "data-ts": message.ts },
    message.only_you ? el("p", { class: "hint above" }, "Only visible to you") : null,
    message.broadcast ? el("p", { class: "hint above" }, "Replied to a thread") : null,
    avatar(message.author_id, message.author, message.by_app),
    el(
      "div",
      { class: "content" },
      el(
        "header",
        {},
        el("strong", {}, message.author),
        message.by_app ? badge() : null,
        el("time", {}, timeOf(at(message), reader.zone)),
      ),
      blocks(message.blocks, place),
      message.edited ? el("p", { class: "edited" }, "(edited)") : null,
      message.files.map((file) => el("p", { class: "file" }, el("a", { href: file.url, target: "_blank", rel: "noreferrer" }, file.name))),
      said,
      replies && !message.only_you ? threadOf(message, reader, replies.get(message.ts)) : null,
    ),
    tools(message, reader, Boolean(replies), said),
  );
}

/** Return the line below a message with replies. It shows their authors, their number, and the time of the last one. */
function threadOf(message, reader, replies) {
  if (!replies) return null;
  const faces = new Map(replies.map((reply) => [reply.author_id, reply]));
  return el(
    "p",
    { class: "replies" },
    [...faces.values()].slice(0, MOST_FACES).map((reply) => avatar(reply.author_id, reply.author, reply.by_app)),
    button(`${replies.length} ${replies.length === 1 ? "reply" : "replies"}`, () => reader.openThread(message.ts), {
      class: "link",
      "data-focus": `thread ${message.ts}`,
    }),
    el("span", { class: "hint" }, `Last reply at ${timeOf(at(replies.at(-1)), reader.zone)}`),
  );
}

/** Return the toolbar of a message. It is visible while the mouse is over the message, or the focus is in it. */
function tools(message, reader, threads, said) {
  const notification = button("Notification", () => {
    said.hidden = !said.hidden;
    said.textContent = said.hidden ? "" : message.text;
    notification.setAttribute("aria-expanded", String(!said.hidden));
  }, { "aria-expanded": "false", "data-focus": "notification", title: "What a notification and a screen reader say of this message" });
  const all = [
    threads && !message.only_you
      ? button("Reply in thread", () => reader.openThread(message.ts), { "data-focus": `reply ${message.ts}` })
      : null,
    message.by_app ? notification : null,
    button("Copy text", () => navigator.clipboard?.writeText(message.reads), { "data-focus": "copy" }),
  ].filter(Boolean);
  const reach = (chosen) => all.forEach((each) => (each.tabIndex = each === chosen ? 0 : -1));
  reach(all[0]);
  return el(
    "div",
    {
      class: "tools",
      role: "toolbar",
      "aria-label": `Message at ${timeOf(at(message), reader.zone)}`,
      on: {
        keydown: (event) => {
          const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
          if (!step) return;
          const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
          reach(next);
          next.focus();
        },
      },
    },
    all,
  );
}
