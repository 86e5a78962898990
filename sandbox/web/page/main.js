// The main module of the page. The address contains the person, the place (a channel or the Home tab) and the thread.
// Everything else is stored by the sandbox, so that the page looks the same after a reload.

import { notice, post } from "./api.js";
import { blocks } from "./blocks.js";
import { composer } from "./composer.js";
import { button, el, keep } from "./dom.js";
import { Fold } from "./fold.js";
import { Guide } from "./guide.js";
import { follow } from "./live.js";
import { showMessages } from "./messages.js";
import { showModal } from "./modal.js";
import { Panel } from "./panel.js";
import { avatar, badge } from "./people.js";
import { dayOf, timeOf } from "./text.js";

const HOME = "home";
const get = (id) => document.getElementById(id);
const world = { people: [], channels: [], messages: new Map(), modal: null, home: null, bot: { help: [] } };
const clock = { at: 0, real: 0, speed: 1 };
const now = () => new Date(clock.at + (performance.now() - clock.real) * clock.speed);
const panel = new Panel(get("panel"), now, () => place);
const folds = { side: new Fold("side", false), panel: new Fold("panel", true) };
let place = { user: "", channel: "", thread: "" };
let taken = 0; // the number of messages received; it serves as a version, because a message can be sent again
let today = ""; // the current day in the time zone of the person who acts
let stop = () => {};
const guide = new Guide(get("guide"), { world, now, go, where: () => place, shown: () => (folds.panel.close(), show()) });

function readPlace() {
  const [user, channel, thread] = location.hash.replace(/^#\/?/, "").split("/");
  return { user: user || "U0ANA0000", channel: channel || "C0TRAIN00", thread: thread || "" };
}

function go(to) {
  const { user, channel, thread } = { ...place, thread: "", ...to };
  location.hash = `#/${user}/${channel}${thread ? `/${thread}` : ""}`;
}

function arrive() {
  const before = place;
  place = readPlace();
  if (place.user !== before.user) {
    Object.assign(world, { messages: new Map(), channels: [], modal: null, home: null });
    today = "";
    showModal(null, {});
    followPerson();
  }
  if (place.user !== before.user || place.channel !== before.channel) {
    notice("");
    folds.side.close();
    get("list").replaceChildren();
    showComposer();
    if (place.channel === HOME) openApp("home");
    else if (place.channel.startsWith("D")) openApp("messages");
  }
  if (place.thread !== before.thread || place.channel !== before.channel) openThread(before);
  show();
}

function followPerson() {
  stop();
  stop = follow(place.user, take, connected);
}

const openApp = (tab) => post("/slack/_control/home", { user: place.user, tab });

function connected(yes) {
  get("connection").textContent = yes ? "" : "No connection to the sandbox. Trying again ...";
}

function botConnected(yes) {
  get("bot").textContent = yes ? "" : "No bot is connected yet.";
}

function take(news) {
  for (const message of news.messages || []) world.messages.set(`${message.channel} ${message.ts}`, { ...message, taken: (taken += 1) });
  if (news.clock) Object.assign(clock, { at: Date.parse(news.clock.now), real: performance.now(), speed: news.clock.speed });
  for (const [name, part] of Object.entries(news)) if (name !== "messages") world[name] = part;
  if (news.connected !== undefined) botConnected(news.connected);
  panel.show(world, news);
  if (news.messages || news.people || news.channels || news.modal || news.home || news.clock) show();
  guide.changed();
}

/** Show the person's local time. At midnight, request all data again, because texts contain "today" and "tomorrow". */
function tick() {
  const { zone, name } = reader();
  if (!clock.at || !name) return; // not all data has arrived yet
  const day = dayOf(now(), zone);
  get("zone").textContent = `${name}'s time: ${timeOf(now(), zone)}, ${day} (${zone.replaceAll("_", " ")})`;
  if (today && day !== today) followPerson();
  today = day;
}

const inPlace = () =>
  [...world.messages.values()]
    .filter((message) => message.channel === place.channel && !message.deleted)
    .sort((a, b) => a.ts - b.ts);

const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts;

const nameOf = (user) => world.people.find((each) => each.id === user)?.name || "";

function reader() {
  const person = world.people.find((each) => each.id === place.user);
  return {
    user: place.user,
    name: person?.name || "",
    zone: person?.tz || "UTC",
    people: world.people,
    now,
    openThread: (thread) => go({ thread }),
    pointed: guide.pointed?.channel === place.channel ? guide.pointed.ts : null,
  };
}

function show() {
  if (!world.people.length || !clock.at) return;
  showPeople();
  tick();
  const all = inPlace();
  markRead(all);
  showPlaces();
  const channel = world.channels.find((each) => each.id === place.channel);
  get("place-title").textContent = titleOf(channel);
  document.title = `${get("place-title").textContent} (${nameOf(place.user)})`;
  const text = get("composer-text");
  if (text) text.placeholder = channel?.kind === "im" ? `Message ${channel.name}, or type /` : `Message #${channel?.name || ""}, or type /gpu`;
  if (place.channel === HOME) {
    showHome();
  } else {
    const replies = new Map();
    for (const message of all.filter(isReply)) replies.set(message.thread_ts, [...(replies.get(message.thread_ts) || []), message]);
    showMessages(get("list"), all.filter((message) => !isReply(message) || message.broadcast), reader(), { replies });
  }
  if (place.thread) {
    showMessages(get("thread-list"), all.filter((each) => [each.ts, each.thread_ts].includes(place.thread)), reader());
  }
  showModal(world.modal, reader());
}

function titleOf(channel) {
  if (place.channel === HOME) return "Home of the app";
  if (!channel) return "Not a channel of this person";
  return channel.kind === "im" ? channel.name : `#${channel.name}`;
}

function showHome() {
  const view = world.home;
  const act = (block, element, selected, entered) =>
    entered &&
    post("/slack/_control/click", {
      user: place.user,
      view_id: view.view_id,
      block_id: block.block_id,
      action_id: element.action_id,
      selected,
    });
  keep(get("list"), [view], {
    key: () => HOME,
    version: () => `${place.user} ${view?.hash}`,
    make: () =>
      el(
        "article",
        { class: "home", tabindex: "-1" },
        view
          ? blocks(view.blocks, { id: "home", values: view.values, people: world.people, act })
          : el("p", { class: "hint" }, "The app has shown nothing here yet."),
      ),
  });
}

function showPeople() {
  const people = world.people.filter((person) => !person.bot);
  const state = JSON.stringify([people, place.user]);
  const menu = get("person");
  if (menu.dataset.state === state) return;
  menu.dataset.state = state;
  menu.replaceChildren(
    ...people.map((person) => el("option", { value: person.id, selected: person.id === place.user }, person.name)),
  );
  get("actor").replaceChildren(avatar(place.user, nameOf(place.user)));
}

const readKey = (channel) => `read ${place.user} ${channel}`;

function markRead(all) {
  const last = Math.max(0, ...all.map((message) => Number(message.ts)));
  if (last) sessionStorage.setItem(readKey(place.channel), String(last));
}

/** Return the unread messages of a channel. Edits, and replies in threads, don't count. */
function unread(channel) {
  const read = Number(sessionStorage.getItem(readKey(channel)) || 0);
  return [...world.messages.values()].filter(
    (message) =>
      message.channel === channel &&
      message.author_id !== place.user &&
      !message.deleted &&
      (!isReply(message) || message.broadcast) &&
      Number(message.ts) > read,
  );
}

/** Show the places. Unread ones are bold; the number counts direct messages and mentions of the person. */
function showPlaces() {
  const places = [{ id: HOME, kind: HOME, name: "Home" }, ...world.channels].map((each) => {
    const fresh = unread(each.id);
    const mention = `@${nameOf(place.user)}`;
    return { ...each, fresh: fresh.length, own: each.kind === "im" ? fresh.length : fresh.filter((message) => message.reads.includes(mention)).length };
  });
  const label = (each) => {
    if (each.kind === "im") return [each.name, el("span", { class: "unseen" }, " (direct messages)"), badge()];
    return each.kind === HOME ? "Home" : `#${each.name}`;
  };
  keep(get("places"), places, {
    key: (each) => each.id,
    version: (each) => [each.name, each.id === place.channel, each.fresh, each.own].join(" "),
    make: (each) =>
      button(
        [
          label(each),
          each.own ? el("span", { class: "count" }, String(each.own)) : null,
          each.fresh ? el("span", { class: "unseen" }, " new") : null,
        ],
        () => go({ channel: each.id }),
        { class: each.fresh ? "fresh" : null, "aria-current": each.id === place.channel ? "page" : null, "data-focus": each.id },
      ),
  });
}

const where = () => place;
const help = () => world.bot.help;

function showComposer() {
  document.querySelector('#skip [href="#composer-text"]').hidden = place.channel === HOME;
  if (place.channel === HOME) get("composer").replaceChildren();
  else composer(get("composer"), { id: "composer", label: "A message, or a command such as /gpu help", where, help });
}

function openThread(before) {
  get("thread").hidden = !place.thread;
  document.body.classList.toggle("threaded", Boolean(place.thread));
  if (place.thread) {
    get("thread-list").replaceChildren();
    composer(get("thread-composer"), {
      id: "reply",
      label: "A reply. Slack runs no commands in threads.",
      placeholder: "Reply",
      where,
      help: () => [],
      thread: place.thread,
    });
    get("reply-text").focus();
  } else if (before.thread) {
    const [link, reply] = ["thread", "reply"].map((name) => document.querySelector(`[data-focus="${name} ${CSS.escape(before.thread)}"]`));
    (link || reply)?.focus();
  }
}

get("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address contains the place, so the link must not change it
  if (event.target.hash === "#panel") folds.panel.open();
  get(event.target.hash.slice(1))?.focus();
});
get("person").addEventListener("change", () => go({ user: get("person").value }));
get("thread-close").addEventListener("click", () => go({}));
window.addEventListener("hashchange", arrive);
setInterval(tick, 1000);
arrive();
