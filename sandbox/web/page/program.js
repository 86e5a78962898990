// The panel's section "Program": makes a token in Slack, and uses it as a program would, over the bot's real REST API.

import { post } from "./api.js";
import { button, el } from "./dom.js";

const KEPT = "program"; // what sessionStorage keeps, so that the section looks the same after a reload
const EVERY = 2000; // the milliseconds between two looks at a rental
const FINAL = new Set(["ended", "denied", "expired", "sold_out", "refused"]);
const SECRET = /\bgpb_[0-9A-Za-z]{40,60}\b/;

const utc = (moment) => moment && `${moment.slice(0, 19).replace("T", " ")} UTC`;

/** Return the answer to a request, or an object whose `wrong` says why there is none. */
async function ask(method, path, headers = {}, body = undefined) {
  try {
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    const answer = text ? JSON.parse(text) : {};
    return response.ok ? answer : { wrong: answer.detail || answer.title || answer.error || `Status ${response.status}.` };
  } catch {
    return { wrong: "The sandbox does not answer. Start it again: make sandbox" };
  }
}

export class Program {
  /** `where` returns the person and the place of the page. */
  constructor(where) {
    this.where = where;
    this.kept = { secret: "", words: "H100 EU for 1h max $4 total", key: "", login: "", ...JSON.parse(sessionStorage.getItem(KEPT) || "{}") };
    this.secret = this.field("Secret of a token", "secret", { type: "password", autocomplete: "off", spellcheck: "false" });
    this.words = this.field("Request", "words", { type: "text" });
    this.key = this.field("Key", "key", { type: "text", spellcheck: "false" });
    this.said = el("p", { role: "status" });
    this.facts = el("dl");
    this.buttons = {
      rent: button("Rent", () => this.rent()),
      beat: button("Heartbeat", () => this.beat()),
      release: button("Release", () => this.release()),
    };
    this.root = el(
      "div",
      {},
      el("p", { class: "hint" }, "Rents as a script would, with a token and without a click."),
      el("div", { class: "actions" }, button("Make a token", () => this.makeToken()), button("Log in by code", () => this.logIn()), this.secret.label),
      el("div", { class: "actions" }, this.words.label, this.key.label, Object.values(this.buttons)),
      this.said,
      this.facts,
    );
    this.show(null);
    setInterval(() => Promise.all([this.look(), this.lookAtLogin()]), EVERY);
  }

  field(label, name, attributes) {
    const node = el("input", { ...attributes, value: this.kept[name], "data-focus": `program ${name}`, on: { input: () => this.keep({ [name]: node.value.trim() }) } });
    return { label: el("label", {}, `${label} `, node), node };
  }

  keep(changes) {
    Object.assign(this.kept, changes);
    sessionStorage.setItem(KEPT, JSON.stringify(this.kept));
  }

  /** Use a key from now on. */
  use(key) {
    this.key.node.value = key;
    this.keep({ key });
  }

  /** Type `/gpu token` as the person who acts. The dialog that it opens makes the token. */
  async makeToken() {
    const { user, channel } = this.where();
    this.said.textContent = "Fill in the dialog. Its last step shows the secret, which this section then uses.";
    await post("/slack/_control/command", { user, channel: channel.startsWith("C") ? channel : "C0TRAIN00", command: "/gpu", text: "token" });
  }

  /** Take over the secret if a dialog shows one. */
  read(modal) {
    const found = modal && JSON.stringify(modal.blocks).match(SECRET);
    if (!found || found[0] === this.kept.secret) return;
    this.useToken(found[0], "The secret is in the field. Nobody else can see it.");
  }

  /** Use a token from now on, and say so. */
  useToken(secret, said) {
    this.secret.node.value = secret;
    this.keep({ secret, login: "" });
    this.use("");
    this.show(null);
    this.said.textContent = said;
  }

  /** Ask for a token, as `gpubot agent login` does. A person then types the code in Slack. */
  async logIn() {
    const found = await ask("POST", "/program/logins");
    if (found.wrong) {
      this.said.textContent = found.wrong;
      return;
    }
    this.keep({ login: found.id });
    this.lookAtLogin();
  }

  /** Look at the login again, until the token was made or the code has expired. */
  async lookAtLogin() {
    const { login } = this.kept;
    if (!login || this.lookingAtLogin) return;
    this.lookingAtLogin = true;
    const found = await ask("GET", `/program/logins/${login}`);
    this.lookingAtLogin = false;
    if (login !== this.kept.login) return;
    if (found.state === "waiting") {
      this.said.textContent = `In Slack, type: /gpu token ${found.code}`; // also after a reload
    } else if (found.secret) {
      this.useToken(found.secret, `Logged in as ${found.token}. The secret is in the field, and was never in Slack.`);
    } else if (found.wrong || found.state === "expired") {
      this.keep({ login: "" });
      this.said.textContent = found.wrong || "Nobody made a token with this code in time.";
    }
  }

  // Calls of the API

  async call(method, path, headers = {}, body = undefined) {
    if (!this.kept.secret) return { wrong: "A program needs a token. Make one, or paste its secret." };
    return ask(method, `/program/v1/${path}`, { Authorization: `Bearer ${this.kept.secret}`, ...headers }, body);
  }

  async rent() {
    // With the same key, a second click makes no second machine. A key is never used again once its rental is over.
    if (!this.kept.key || FINAL.has(this.rental?.state)) this.use(`run-${Math.random().toString(36).slice(2, 8)}`);
    const headers = { "Idempotency-Key": this.kept.key, "Content-Type": "application/json" };
    this.answer(await this.call("POST", "rentals", headers, { words: this.kept.words, heartbeat: true }));
  }

  async beat() {
    if (this.rental) this.answer(await this.call("POST", `rentals/${this.rental.id}/heartbeat`));
  }

  async release() {
    if (this.rental) this.answer(await this.call("DELETE", `rentals/${this.rental.id}`, {}));
  }

  /** Look at the rental again, until it is over. */
  async look() {
    const { key, secret } = this.kept;
    const over = this.rental?.key === key && FINAL.has(this.rental.state);
    if (!secret || !key || this.looking || over) return;
    this.looking = true;
    const found = await this.call("GET", `rentals?key=${encodeURIComponent(key)}`);
    this.looking = false;
    if (found.rentals?.length && key === this.kept.key) this.show(found.rentals[0]);
  }

  answer(found) {
    if (found.wrong) this.said.textContent = found.wrong;
    else if (found.id) this.show(found);
    else this.look();
  }

  // What is shown

  show(rental) {
    const words = (of) => of && `${of.reason} ${of.next_step}`.trim();
    const before = words(this.rental);
    this.rental = rental;
    this.buttons.beat.disabled = this.buttons.release.disabled = !rental || FINAL.has(rental.state);
    const fact = (name, value) => (value ? [el("dt", {}, name), el("dd", {}, value)] : []);
    this.facts.replaceChildren(
      ...(rental
        ? [
            fact("State", rental.state),
            fact("GPUs", rental.gpu),
            fact("Ends", utc(rental.ends_at)),
            fact("Next heartbeat by", utc(rental.heartbeat_until)),
            fact("Spent", rental.money && `$${rental.money.spent} of at most $${rental.money.at_most}`),
            fact("Left of the token", rental.money && `$${rental.money.left}`),
            fact("Login", rental.ssh?.command),
          ].flat()
        : []),
    );
    if (rental && words(rental) !== before) this.said.textContent = words(rental);
  }
}
