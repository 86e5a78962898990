// "Try this": a guide through a rental in six steps, from the request to the bill. Each step uses control calls to do
// what people would do by hand, and highlights the message that changed.

import { post } from "./api.js";
import { button, el } from "./dom.js";

const [ANA, BEN, CLEO] = ["U0ANA0000", "U0BEN0000", "U0CLEO000"];
const [TRAINING, GPUS] = ["C0TRAIN00", "C0GPUS000"];
const PATIENCE = 30_000; // the milliseconds that a step waits for the bot
const FRESH = 15 * 60_000; // the milliseconds for which the prices of offers are certainly valid
const HALF_HOURS = 8; // the number of half hours after which the bot has certainly asked about an idle machine
const DONE = "guide done";

export class Guide {
  /**
   * `world` is the data of the page, and `now` returns its time. `go` changes the place (person, channel, thread), and
   * `where` returns it. `shown` updates the page after the highlighted message has changed.
   */
  constructor(root, { world, now, go, where, shown }) {
    Object.assign(this, { world, now, go, where, shown, pointed: null, running: null, waiting: new Set() });
    this.done = new Set(JSON.parse(sessionStorage.getItem(DONE) || "[]"));
    this.count = el("span", { class: "hint" });
    this.list = el("ol");
    this.said = el("p", { role: "status" });
    const small = matchMedia("(max-width: 1000px)").matches;
    root.append(el("details", { open: !small }, el("summary", {}, el("h2", {}, "Try this"), this.count), this.list), this.said);
    this.details = root.firstElementChild;
    this.steps = this.list.children;
    this.list.append(...STEPS.map((step, n) => el("li", {}, button(step.name, () => this.run(n), { "data-focus": `step ${n}` }), el("p", { class: "hint" }, step.does))));
    this.mark();
  }

  mark() {
    const next = STEPS.findIndex((_, n) => !this.done.has(n));
    this.count.textContent = next < 0 ? "all six steps done" : `step ${next + 1} of ${STEPS.length}: ${STEPS[next].name}`;
    [...this.steps].forEach((step, n) => {
      step.className = [this.done.has(n) ? "done" : "", n === next ? "next" : ""].join(" ").trim();
      const node = step.firstElementChild;
      if (this.running === n) node.setAttribute("aria-busy", "true");
      else node.removeAttribute("aria-busy");
      node.setAttribute("aria-description", this.done.has(n) ? "done" : "");
    });
  }

  async run(n) {
    if (this.running !== null) return;
    this.running = n;
    this.pointed = null;
    this.said.textContent = STEPS[n].does;
    this.mark();
    this.shown();
    try {
      const found = await STEPS[n].run(this);
      await this.at(found.user, found.message.channel);
      this.pointed = found.message;
      this.said.textContent = STEPS[n].then;
      this.done.add(n);
      sessionStorage.setItem(DONE, JSON.stringify([...this.done]));
      if (matchMedia("(max-width: 1000px)").matches) this.details.open = false;
      this.shown();
      document.querySelector(`#list [data-ts="${found.message.ts}"]`)?.scrollIntoView({ block: "center" });
    } catch (problem) {
      if (!(problem instanceof NotYet)) throw problem;
      this.said.textContent = problem.message;
    } finally {
      this.running = null;
      this.mark();
    }
  }

  // Building blocks of the steps

  /** Check again the conditions for which steps are waiting. Called when new data has arrived. */
  changed() {
    for (const look of [...this.waiting]) look();
  }

  /** Wait until `find` returns something, and return it. Throw NotYet if this takes too long. */
  until(find, what) {
    return new Promise((resolve, reject) => {
      const end = setTimeout(() => finish(() => reject(new NotYet(`${what} did not come. Try this step again, or look at Requests.`))), PATIENCE);
      const finish = (then) => {
        clearTimeout(end);
        this.waiting.delete(look);
        then();
      };
      const look = () => {
        const found = find();
        if (found) finish(() => resolve(found));
      };
      this.waiting.add(look);
      look();
    });
  }

  /** Show the page as a person who looks at a channel. Without `channel`, show their direct messages from the bot. */
  async at(user, channel) {
    if (this.where().user !== user) this.go({ user, channel: channel || "home" });
    const known = () => this.where().user === user && this.world.channels.find((each) => (channel ? each.id === channel : each.kind === "im"));
    const { id } = await this.until(known, "The channel");
    if (this.where().channel !== id) this.go({ channel: id });
    await this.until(() => this.where().channel === id && this.world.last !== undefined, "The channel");
    return id;
  }

  messages() {
    return [...this.world.messages.values()].filter((message) => !message.deleted).sort((a, b) => a.seq - b.seq);
  }

  /** Return the latest message of the app that changed after `since` and passes `test`, if there is one. */
  newest(test, since = 0) {
    return this.messages().findLast((message) => message.by_app && message.seq > since && test(message));
  }

  with(label, since) {
    return () => this.newest((message) => buttonOf(message, label), since);
  }

  type(user, text) {
    return post("/slack/_control/command", { user, channel: TRAINING, command: "/gpu", text });
  }

  /** Type a command that requests a machine, and return the message with the offers. */
  async ask(user, text, label = /^Rent from/) {
    await this.at(user, TRAINING);
    const since = this.world.last;
    await this.type(user, text);
    return this.until(this.with(label, since), "The offers");
  }

  async click(user, message, label) {
    const { block_id, action_id } = buttonOf(message, label);
    const { channel, ts, seq } = message;
    await post("/slack/_control/click", { user, channel, ts, seq, block_id, action_id });
  }

  /** Wait until `find` returns something, and return it. If a dialog opens before, submit it. */
  async confirmed(user, find, what) {
    const found = await this.until(() => find() || this.world.modal, what);
    if (found !== this.world.modal) return found;
    await post("/slack/_control/submit", { user, view_id: found.view_id, values: {} });
    return this.until(find, what);
  }

  /** Rent the first of these offers, and return the card. */
  async rent(user, offers) {
    const { key } = this.world.bot;
    if (key) await this.type(user, `key ${key}`);
    const since = this.world.last;
    await this.click(user, offers, /^Rent from/);
    return this.confirmed(user, () => this.newest(isCard, since), "The card");
  }

  pass(seconds) {
    return post("/_control/time", { seconds });
  }

  runs(user) {
    return (this.world.machines || []).some((machine) => machine.alive && machine.name.includes(user.toLowerCase()));
  }

  /** Make sure that Ana has a ready machine, and return its card. With `passes`, let 10 minutes pass in any case. */
  async ready(passes = false) {
    await this.at(ANA, TRAINING);
    if (!this.runs(ANA)) {
      const offers = this.with(/^Rent from/)();
      const fresh = offers && this.now() - offers.ts * 1000 < FRESH;
      await this.rent(ANA, fresh ? offers : await this.ask(ANA, ASKS));
    }
    const card = () => this.newest((message) => isCard(message) && /Ready|In use/.test(message.reads) && /Ana/.test(message.reads));
    if (passes || !card()) await this.pass(600);
    return this.until(card, "The machine");
  }
}

class NotYet extends Error {}

const buttonOf = (message, label) => message.buttons.find((each) => label.test(each.text));
const isCard = (message) => message.channel === TRAINING && !message.only_you && !message.thread_ts;
const ASKS = "get H100 EU for 6h -- fine-tune run 7";

const STEPS = [
  {
    name: "Ask for an H100",
    does: "Ana types /gpu get H100 EU for 6h.",
    then: "Only Ana sees these offers, and nothing is rented yet. Click one, or let the next step rent the first.",
    run: async (guide) => ({ user: ANA, message: await guide.ask(ANA, ASKS) }),
  },
  {
    name: "Let 10 minutes pass",
    does: "Ana's machine starts, and gets ready.",
    then: "The card follows the machine, and Ana's direct messages have its ssh command.",
    run: async (guide) => ({ user: ANA, message: await guide.ready(true) }),
  },
  {
    name: "Let a vendor sell out",
    does: "Cleo rents from Hyperstack, which refuses.",
    then: "Hyperstack was sold out, so Cleo gets the next offer, within what Cleo accepted. The thread says what happened.",
    run: async (guide) => {
      await post("/compute/_control/vendors/hyperstack", { behaviour: "sold_out", times: 1 });
      const offers = await guide.ask(CLEO, "get H100 EU for 2h");
      const card = await guide.rent(CLEO, offers);
      await guide.pass(60);
      const ofCard = (message) => [message.ts, message.thread_ts].includes(card.ts);
      await guide.until(() => guide.newest((message) => ofCard(message) && /sold out/.test(JSON.stringify(message))), "The refusal");
      return { user: CLEO, message: card };
    },
  },
  {
    name: "Look away until it is idle",
    does: "Nobody uses Ana's machine for a while.",
    then: "Nothing is destroyed for being idle: the bot asks Ana, who decides.",
    run: async (guide) => {
      await guide.ready();
      await guide.at(ANA);
      const since = guide.world.last;
      const asked = guide.with(/ask (again )?in \d+ h/, since);
      for (let n = 0; n < HALF_HOURS && !asked(); n += 1) await guide.pass(1800);
      return { user: ANA, message: await guide.until(asked, "The question") };
    },
  },
  {
    name: "Approve as Ben",
    does: "Ana asks for eight GPUs, which Ben has to approve.",
    then: "Ben approved up to the price that the button names. Ana was told, and the machine starts.",
    run: async (guide) => {
      const offers = await guide.ask(ANA, "get 8xH100 EU for 4h -- sweep 12", /^Ask for/);
      const since = guide.world.last;
      await guide.click(ANA, offers, /^Ask for/);
      await guide.confirmed(ANA, () => guide.newest(isCard, since), "The request");
      await guide.at(BEN, GPUS);
      const request = await guide.until(guide.with(/^Approve up to/, since), "The request");
      await guide.click(BEN, request, /^Approve up to/);
      const decided = () => {
        const now = guide.messages().find((message) => message.ts === request.ts);
        return now && !buttonOf(now, /^Approve up to/) && now;
      };
      return { user: BEN, message: await guide.confirmed(BEN, decided, "The approval") };
    },
  },
  {
    name: "See what it cost",
    does: "Ana types /gpu spend.",
    then: "What Ana and the team have spent. Money, in the panel, compares the vendor's bill with the bot's ledger.",
    run: async (guide) => {
      await guide.at(ANA, TRAINING);
      const since = guide.world.last;
      await guide.type(ANA, "spend");
      const sum = (message) => message.only_you && /\$\d/.test(message.reads);
      return { user: ANA, message: await guide.until(() => guide.newest(sum, since), "The sum") };
    },
  },
];
