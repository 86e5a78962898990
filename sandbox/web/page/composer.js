// The field for typing messages and commands. While a command is typed, it lists matching commands with descriptions.

import { post } from "./api.js";
import { el } from "./dom.js";

const MOST = 8; // the maximum number of commands in the list

/**
 * Show a composer. `where()` returns the person and the channel; `help()` returns the commands with their descriptions;
 * `thread` is the ts of a thread, if any. `label` is for screen readers, `placeholder` is visible.
 */
export function composer(place, { id, label, placeholder, where, help, thread = null }) {
  let active = -1;
  const list = el("ul", { id: `${id}-help`, role: "listbox", "aria-label": "Commands" });
  const more = el("p", { class: "hint" });
  const hints = el("div", { class: "hints", hidden: true }, more, list);
  const text = el("input", {
    id: `${id}-text`,
    autocomplete: "off",
    placeholder,
    role: "combobox",
    "aria-expanded": "false",
    "aria-controls": list.id,
    "aria-autocomplete": "list",
    "aria-label": label,
    on: { input: typed, keydown: pressed, blur: () => close() },
  });
  const form = el(
    "form",
    { class: "composer", on: { submit: (event) => (event.preventDefault(), send()) } },
    hints,
    text,
    el("button", { type: "submit", class: "primary" }, "Send"),
  );
  place.replaceChildren(form);

  const draft = () => `draft ${where().user} ${where().channel} ${thread || ""}`;
  text.value = sessionStorage.getItem(draft()) || "";

  function typed() {
    sessionStorage.setItem(draft(), text.value);
    const found = matching(help(), text.value);
    more.textContent = found.length > MOST ? `The first ${MOST} of ${found.length} commands. Type on to see others.` : "Take one with the arrows and Enter.";
    show(found.slice(0, MOST));
  }

  function show(found) {
    active = -1;
    text.removeAttribute("aria-activedescendant");
    list.replaceChildren(
      ...found.map(([command, words], n) =>
        el(
          "li",
          {
            id: `${id}-help-${n}`,
            role: "option",
            "aria-selected": "false",
            "data-command": command,
            on: { mousedown: (event) => (event.preventDefault(), take(command)) },
          },
          el("strong", {}, command),
          " ",
          el("span", {}, words),
        ),
      ),
    );
    hints.hidden = !found.length;
    text.setAttribute("aria-expanded", String(!hints.hidden));
  }

  function close() {
    show([]);
  }

  function take(command) {
    text.value = command;
    sessionStorage.setItem(draft(), command);
    close();
  }

  function move(step) {
    const options = [...list.children];
    active = (active + step + options.length) % options.length;
    options.forEach((option, n) => option.setAttribute("aria-selected", String(n === active)));
    text.setAttribute("aria-activedescendant", options[active].id);
    options[active].scrollIntoView({ block: "nearest" });
  }

  function pressed(event) {
    if (hints.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : active < 0 ? 0 : -1);
    } else if (event.key === "Escape") {
      close();
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      take(list.children[active].dataset.command);
    }
  }

  async function send() {
    const line = text.value.trim();
    if (!line) return;
    const { user, channel } = where();
    close();
    text.value = "";
    sessionStorage.removeItem(draft());
    const command = !thread && /^(\/\S+)\s*([\s\S]*)$/.exec(line);
    if (command) await post("/slack/_control/command", { user, channel, command: command[1], text: command[2] });
    else await post("/slack/_control/say", { user, channel, text: line, thread_ts: thread });
  }
}

/** Return the commands that begin with the first two typed words. */
function matching(help, typed) {
  if (!typed.startsWith("/")) return [];
  const words = typed.toLowerCase().split(/\s+/).slice(0, 2).join(" ");
  return help.filter(([command]) => command !== typed && command.toLowerCase().startsWith(words));
}
