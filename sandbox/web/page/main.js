// The page: who acts, what they look at, and what changes. The address has the person, the place and the thread,
// and the sandbox everything else, so that a reload shows the same.

import { notice, post } from "./api.js";
import { blocks } from "./blocks.js";
import { composer } from "./composer.js";
import { button, el, keep } from "./dom.js";
import { follow } from "./live.js";
import { showMessages } from "./messages.js";
import { showModal } from "./modal.js";
import { Panel } from "./panel.js";

const HOME = "home";
const get = (id) => document.getElementById(id);
const world = { people: [], channels: [], messages: new Map(), modal: null, home: null, bot: { help: [] } };
const clock = { at: 0, real: 0, speed: 1 };
const now = () => new Date(clock.at + (performance.now() - clock.real) * clock.speed);
const panel = new Panel(get("panel"), now);
let place = { user: "", channel: "", thread: "" };
let stop = () => {};

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
    stop();
    Object.assign(world, { messages: new Map(), channels: [], modal: null, home: null });
    showModal(null, {});
    stop = follow(place.user, take, connected);
  }
  if (place.user !== before.user || place.channel !== before.channel) {
    notice("");
    get("list").replaceChildren();
    showComposer();
    if (place.channel === HOME) openApp("home");
    else if (place.channel.startsWith("D")) openApp("messages");
  }
  if (place.thread !== before.thread || place.channel !== before.channel) openThread(before);
  show();
}

const openApp = (tab) => post("/slack/_control/home", { user: place.user, tab });

function connected(yes) {
  get("connection").textContent = yes ? "" : "No connection to the sandbox. Trying again ...";
}

function botConnected(yes) {
  get("bot").textContent = yes ? "" : "No bot is connected yet.";
}

function take(news) {
  for (const message of news.messages || []) world.messages.set(`${message.channel} ${message.ts}`, message);
  if (news.clock) Object.assign(clock, { at: Date.parse(news.clock.now), real: performance.now(), speed: news.clock.speed });
  for (const [name, part] of Object.entries(news)) if (name !== "messages") world[name] = part;
  if (news.connected !== undefined) botConnected(news.connected);
  panel.show(world, news);
  if (news.messages || news.people || news.channels || news.modal || news.home) show();
}

const inPlace = () =>
  [...world.messages.values()]
    .filter((message) => message.channel === place.channel && !message.deleted)
    .sort((a, b) => a.ts - b.ts);

const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts;

function reader() {
  const person = world.people.find((each) => each.id === place.user);
  return { user: place.user, zone: person?.tz || "UTC", people: world.people, now, openThread: (thread) => go({ thread }) };
}

function show() {
  if (!world.people.length) return;
  showPeople();
  const all = inPlace();
  markRead(all);
  showPlaces();
  const channel = world.channels.find((each) => each.id === place.channel);
  get("place-title").textContent = titleOf(channel);
  document.title = `${get("place-title").textContent} (${reader().people.find((each) => each.id === place.user)?.name})`;
  if (place.channel === HOME) {
    showHome();
  } else {
    const replies = new Map();
    for (const message of all) if (isReply(message)) replies.set(message.thread_ts, (replies.get(message.thread_ts) || 0) + 1);
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
  return channel.kind === "im" ? `Direct messages with ${channel.name}` : `#${channel.name}`;
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
        { class: "message", tabindex: "-1" },
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
}

const readKey = (channel) => `read ${place.user} ${channel}`;

function markRead(all) {
  const last = Math.max(0, ...all.map((message) => message.seq));
  if (last) sessionStorage.setItem(readKey(place.channel), String(last));
}

function unread(channel) {
  const read = Number(sessionStorage.getItem(readKey(channel)) || 0);
  const mine = (message) => message.channel === channel && message.author_id !== place.user;
  return [...world.messages.values()].filter((message) => mine(message) && !message.deleted && message.seq > read).length;
}

function showPlaces() {
  const places = [{ id: HOME, kind: HOME, name: "Home" }, ...world.channels];
  const name = ({ kind, name }) => ({ home: "Home", im: `${name} (direct messages)` })[kind] || `#${name}`;
  keep(get("places"), places, {
    key: (each) => each.id,
    version: (each) => [each.name, each.id === place.channel, unread(each.id)].join(" "),
    make: (each) =>
      button(
        [name(each), unread(each.id) ? el("span", { class: "count" }, ` ${unread(each.id)} new`) : null],
        () => go({ channel: each.id }),
        { "aria-current": each.id === place.channel ? "page" : null, "data-focus": each.id },
      ),
  });
}

const where = () => place;
const help = () => world.bot.help;

function showComposer() {
  if (place.channel === HOME) get("composer").replaceChildren();
  else composer(get("composer"), { id: "composer", label: "A message, or a command such as /gpu help", where, help });
}

function openThread(before) {
  get("thread").hidden = !place.thread;
  if (place.thread) {
    get("thread-list").replaceChildren();
    composer(get("thread-composer"), { id: "reply", label: "A reply. Slack runs no commands in threads.", where, help: () => [], thread: place.thread });
    get("reply-text").focus();
  } else if (before.thread) {
    document.querySelector(`[data-focus="thread ${CSS.escape(before.thread)}"]`)?.focus();
  }
}

get("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the place
  get(event.target.hash.slice(1))?.focus();
});
get("person").addEventListener("change", () => go({ user: get("person").value }));
get("thread-close").addEventListener("click", () => go({}));
window.addEventListener("hashchange", arrive);
arrive();
