// The messages of a channel, and of a thread.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { button, el, keep } from "./dom.js";
import { timeOf } from "./text.js";

const NEAR = 80; // pixels from the end within which a list follows new messages

/**
 * Show the messages in `list`. `reader` has the person's id and zone, all people, the time, and `openThread`.
 * With `replies`, which has the number of replies by ts, each message has a button to its thread.
 */
export function showMessages(list, messages, reader, { replies } = {}) {
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
  keep(list, messages, {
    key: (message) => message.ts,
    version: (message) => `${reader.user} ${message.seq} ${replies ? (replies.get(message.ts) || 0) : ""}`,
    make: (message) => article(message, reader, replies),
  });
  if (!messages.length) list.replaceChildren(el("p", { class: "hint" }, "Nothing yet."));
  if (follows) list.scrollTop = list.scrollHeight;
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
  const count = replies?.get(message.ts) || 0;
  const thread = () => reader.openThread(message.ts);
  return el(
    "article",
    { class: message.only_you ? "message private" : "message", tabindex: "-1", "data-ts": message.ts },
    el(
      "header",
      {},
      el("strong", { class: message.by_app ? "app" : null }, message.author),
      " ",
      el("time", {}, timeOf(new Date(message.ts * 1000), reader.zone, reader.now())),
      message.only_you ? el("span", { class: "hint" }, " Only visible to you") : null,
      message.edited ? el("span", { class: "hint" }, " (edited)") : null,
      message.broadcast ? el("span", { class: "hint" }, " replied to a thread") : null,
    ),
    blocks(message.blocks, place),
    message.files.map((file) => el("p", {}, el("a", { href: file.url, target: "_blank", rel: "noreferrer" }, file.name))),
    replies && !message.only_you
      ? button(count ? `${count} ${count === 1 ? "reply" : "replies"}` : "Reply in thread", thread, {
          class: "link",
          "data-focus": `thread ${message.ts}`,
        })
      : null,
  );
}
