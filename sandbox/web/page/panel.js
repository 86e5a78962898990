// The panel for the outside world: time, machines, money, vendors, faults, and the requests that the servers receive.

import { post } from "./api.js";
import { button, el, keep, select } from "./dom.js";
import { Program } from "./program.js";
import { dollars } from "./text.js";

const SPEEDS = [[0, "Stand still"], [1, "1x"], [10, "10x"], [60, "60x"], [600, "600x"]];
const SERVERS = { slack: "Slack", compute: "Compute Clear", github: "GitHub" };

const ALL = "all requests";
const requestsOf = (fault) => (fault.endpoint === "*" ? ALL : fault.endpoint);

/** Return the description of a fault. `pairs` are the API's names of faults with their descriptions. */
const phraseOf = (pairs, word) => pairs.find(([each]) => each === word)[1];

/** Format a price with all of its digits, and with at least two decimal places. */
const priceOf = (rate) => `$${rate}`.replace(/^[^.]*$/, "$&.").replace(/\.\d?$/, (cents) => cents.padEnd(3, "0"));

/** Describe the utilization of a machine's GPUs. */
function use(gpus) {
  const percents = gpus.map((each) => each ?? "?");
  return new Set(percents).size > 1 ? `GPUs at ${percents.join(", ")}%` : `${gpus.length > 1 ? `${gpus.length} ` : ""}GPUs at ${percents[0]}%`;
}

/** Describe what is wrong with a GPU, or return an empty text if it has recovered. */
function trouble(gpu) {
  const words = [
    gpu.lost && "is lost",
    ...new Set(gpu.xids.map((xid) => `had Xid ${xid}`)),
    gpu.ecc > 0 && `had ${gpu.ecc} memory error${gpu.ecc === 1 ? "" : "s"}`,
    gpu.hot && "is slowed down by heat",
    gpu.power && "is slowed down by its power supply",
    gpu.remap_failed && "can't replace a memory row",
  ].filter(Boolean);
  return words.length ? `GPU ${gpu.gpu} ${words.join(", ")}.` : "";
}

/** Describe a job: its name and its state. */
function jobState(job) {
  if (job.runs) return `${job.name} runs${job.progress ? `: ${job.progress}` : ""}`;
  return job.status === null ? `${job.name} is gone` : `${job.name} ended, status ${job.status}`;
}

/** Create a section that remembers whether it is open after a reload. */
function section(title, ...children) {
  const name = `section ${title}`;
  const open = sessionStorage.getItem(name) ?? String(title === "Time" || title === "Machines");
  return el(
    "details",
    { open: open === "true", on: { toggle: (event) => sessionStorage.setItem(name, event.target.open) } },
    el("summary", {}, el("h3", {}, title)),
    ...children,
  );
}

function field(type, label, value, attributes = {}) {
  const node = el("input", { type, value, ...attributes });
  return [el("label", {}, `${label} `, node), node];
}

const number = (label, value, attributes = {}) => field("number", label, value, { min: 0, ...attributes });

const clockOf = (moment) => `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;

export class Panel {
  constructor(root, now, where) {
    this.now = now;
    this.program = new Program(where);
    this.time = el("p", { class: "clock" });
    this.passing = el("p", { role: "status", class: "hint" });
    this.speeds = el("div", { role: "group", "aria-label": "Speed of time", class: "actions" });
    this.machines = el("div");
    this.vendors = el("div");
    const [occasionsLabel, occasions] = number("How often (empty: from now on)", "", { min: 1 });
    this.occasions = () => (occasions.value ? Number(occasions.value) : null);
    this.faults = el("ul");
    this.faultForm = el("div");
    this.money = el("div", { class: "data" });
    this.traffic = el("div");
    this.addresses = el("div");
    this.programs = section("Program", this.program.root);
    this.programs.hidden = true;
    root.append(
      el("h2", {}, "Outside world"),
      section("Time", this.time, this.speeds, this.jumps(), this.passing),
      section("Machines", this.machines, button("Add a machine that nobody rented", () => this.addMachine())),
      this.programs,
      section("Money", this.money),
      section("Vendors", el("p", {}, occasionsLabel), this.vendors),
      section("Faults", this.faults, this.faultForm),
      section("Requests", this.traffic),
      section("Addresses", this.addresses),
    );
    setInterval(() => this.tick(), 1000);
  }

  /** Update the parts of the panel whose data is in `news`. */
  show(world, news) {
    if (news.clock) this.showClock(news.clock);
    if (news.machines) this.showMachines(world.machines, world.choices);
    if (news.bill || news.bot) this.showMoney(world.bill, world.bot, world.machines || []);
    if (news.bot) this.programs.hidden = !news.bot.api;
    if (news.modal) this.program.read(news.modal);
    if (news.vendors) this.showVendors(world.vendors, world.choices);
    if (news.choices) this.showFaultForm(world.choices);
    if (news.faults) this.showFaults(world.faults, world.choices);
    if (news.traffic) this.showTraffic(world.traffic);
    if (news.choices) this.showAddresses(world.choices.addresses);
  }

  // Time

  tick() {
    this.time.textContent = clockOf(this.now());
  }

  showClock(clock) {
    this.tick();
    keep(this.speeds, SPEEDS, {
      key: ([speed]) => speed,
      version: ([speed]) => speed === clock.speed,
      make: ([speed, text]) =>
        button(text, () => post("/_control/clock", { speed }), {
          "aria-pressed": String(speed === clock.speed),
          "data-focus": `speed ${speed}`,
        }),
    });
  }

  jumps() {
    const jump = (text, body) => button(text, () => this.passTime(text, body));
    return el(
      "div",
      { class: "actions" },
      jump("To what is due next", {}),
      jump("+10 min", { seconds: 600 }),
      jump("+1 h", { seconds: 3600 }),
      jump("+1 day", { seconds: 86400 }),
    );
  }

  async passTime(text, body) {
    if (this.busy) return;
    this.busy = true;
    this.passing.textContent = `Time passes: ${text} ...`;
    const answer = await post("/_control/time", body);
    const [from, to] = [answer.from, answer.now].map((moment) => moment && clockOf(new Date(moment)));
    this.passing.textContent = answer.error ? "" : `Time has passed, from ${from} to ${to}.`;
    this.busy = false;
  }

  // Machines

  addMachine() {
    const body = { name: `unknown-${Math.random().toString(36).slice(2, 6)}`, gpu_type: "H100", rate: "2.10" };
    return post("/compute/_control/resources", body);
  }

  showMachines(machines, choices) {
    keep(this.machines, machines.filter((machine) => machine.alive).toReversed(), {
      key: (machine) => machine.resource_id,
      version: (machine) => JSON.stringify(machine),
      make: (machine) => this.machine(machine, choices),
    });
    if (!machines.some((machine) => machine.alive)) this.machines.replaceChildren(el("p", { class: "hint" }, "None runs."));
  }

  machine(machine, choices) {
    const { gpus, connections, fault } = machine.use;
    const path = `/compute/_control/resources/${machine.resource_id}`;
    const [percentLabel, percent] = number("GPUs at %", gpus[0] ?? 0, { max: 100, "data-focus": "percent" });
    const [countLabel, count] = number("Connections", connections.length, { max: 100, "data-focus": "count" });
    const faults = [["", "Nothing"], ...choices.machine_faults];
    let wrong = fault || "";
    const set = () =>
      post(`${path}/use`, {
        phases: [{ all: Number(percent.value), connections: Number(count.value), fault: wrong || null }],
      });
    return el(
      "div",
      { class: "machine", role: "group", "aria-label": machine.name, tabindex: "-1" },
      el("p", {}, el("strong", {}, machine.name), ` ${machine.vendor}, ${machine.status}, ${priceOf(machine.rate)}/h`),
      el("p", {}, fault ? `What is wrong: ${phraseOf(choices.machine_faults, fault)}.` : `${use(gpus)}, ${connections.length} connected`),
      el(
        "div",
        { class: "actions" },
        percentLabel,
        countLabel,
        select("What is wrong", faults, wrong, (value) => (wrong = value), { "data-focus": "fault" }),
        button("Set use", set, { "data-focus": "set" }),
        button("Restart", () => post(`${path}/reboot`, {}), { "data-focus": "reboot" }),
        button("Vendor takes it back", () => post(`${path}/vanish`, { how: "deleted" }), { class: "danger", "data-focus": "vanish" }),
      ),
      machine.jobs === null ? null : this.jobs(machine, path),
      this.breaking(machine, path, choices),
    );
  }

  /** Create the list of a machine's jobs, with a form to start one. */
  jobs(machine, path) {
    const [nameLabel, name] = field("text", "Job", "python train.py", { "data-focus": "job" });
    const [loadLabel, load] = number("Load in %", 98, { max: 100, "data-focus": "load" });
    const start = () => post(`${path}/jobs`, { name: name.value, all: Number(load.value) });
    return [
      el("ul", { "aria-label": "Jobs" }, machine.jobs.map((job) => this.job(job, `${path}/jobs/${job.id}`))),
      el("div", { class: "actions" }, nameLabel, loadLabel, button("Start job", start, { "data-focus": "start" })),
    ];
  }

  job(job, path) {
    if (!job.runs) return el("li", {}, jobState(job));
    const focus = (part) => ({ "data-focus": `${job.id} ${part}` });
    const [sayLabel, text] = field("text", "Progress", "step 1200 of 8000, loss 2.1", focus("text"));
    const ends = (label, status) => button(label, () => post(path, { status }), focus(label));
    return el(
      "li",
      {},
      jobState(job),
      el(
        "div",
        { class: "actions", role: "group", "aria-label": job.name },
        sayLabel,
        button("Print", () => post(path, { say: text.value }), focus("say")),
        ends("Finish", 0),
        ends("Fail", 1),
        ends("Kill", 137),
      ),
    );
  }

  /** Create what is shown about broken GPUs, with a form to break one. */
  breaking(machine, path, choices) {
    const [gpuLabel, gpu] = number("GPU", 0, { max: machine.use.gpus.length - 1, "data-focus": "gpu" });
    let wrong = choices.gpu_troubles[0][0];
    const breaks = () => post(`${path}/gpus/${gpu.value}`, JSON.parse(wrong));
    return [
      ...machine.broken_gpus.map(trouble).filter(Boolean).map((text) => el("p", {}, text)),
      el(
        "div",
        { class: "actions" },
        gpuLabel,
        select("What breaks", choices.gpu_troubles, wrong, (value) => (wrong = value), { "data-focus": "trouble" }),
        button("Break", breaks, { class: "danger", "data-focus": "break" }),
      ),
    ];
  }

  // Money

  showMoney(bill, bot, machines) {
    if (!bill) return;
    const ledger = bot?.ledger;
    const gone = new Set(machines.filter((machine) => !machine.alive).map((machine) => machine.resource_id));
    const own = (line) => {
      if (!ledger) return "not known";
      const micros = ledger[line.resource_id];
      if (micros !== undefined) return `${dollars(micros)}${micros === line.micros ? ", equal" : ""}`;
      return gone.has(line.resource_id) ? "not yet" : "still running";
    };
    const total = ledger ? Object.values(ledger).reduce((sum, micros) => sum + micros, 0) : 0;
    const row = (name, billed, booked) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, billed), el("td", {}, booked));
    this.money.replaceChildren(
      el(
        "table",
        {},
        el("caption", {}, "The vendor's bill beside the bot's ledger"),
        el("tr", {}, ["Machine", "Bill", "Ledger"].map((name) => el("th", { scope: "col" }, name))),
        bill.lines.toReversed().map((line) => row(line.name, dollars(line.micros), own(line))),
        row("All", dollars(bill.total_micros), ledger ? dollars(total) : "not known"),
      ),
    );
  }

  // Vendors

  showVendors(vendors, choices) {
    const set = (name) => (behaviour) => post(`/compute/_control/vendors/${name}`, { behaviour, times: this.occasions() });
    keep(this.vendors, Object.entries(vendors), {
      key: ([name]) => name,
      version: ([, state]) => JSON.stringify(state),
      make: ([name, state]) =>
        el(
          "p",
          { tabindex: "-1" },
          select(name, choices.behaviours, state.behaviour, set(name), { "data-focus": name }),
          state.left === null ? null : ` ${state.left} more`,
        ),
    });
  }

  // Faults

  showFaultForm(choices) {
    const chosen = { server: "slack", endpoint: "*", kind: choices.fault_kinds[0][0] };
    const [timesLabel, times] = number("Times (empty: until removed)", 1, { min: 1 });
    const [secondsLabel, seconds] = number("If late, by how many seconds", 1);
    const [statusLabel, status] = number("If an error, which status", 500, { min: 200, max: 599 });
    const endpoint = el("span");
    const offer = () => {
      chosen.endpoint = "*";
      const names = [["*", ALL], ...choices.endpoints[chosen.server].map((name) => [name, name])];
      endpoint.replaceChildren(select("Request", names, "*", (value) => (chosen.endpoint = value)));
    };
    const add = () =>
      post(`/${chosen.server}/_control/faults`, {
        endpoint: chosen.endpoint,
        kind: chosen.kind,
        times: times.value ? Number(times.value) : null,
        seconds: Number(seconds.value),
        status: Number(status.value),
      });
    offer();
    this.faultForm.replaceChildren(
      el(
        "div",
        { class: "actions", role: "group", "aria-label": "New fault" },
        select("Server", Object.entries(SERVERS), "slack", (value) => ((chosen.server = value), offer())),
        endpoint,
        select("What happens", choices.fault_kinds, chosen.kind, (value) => (chosen.kind = value)),
        timesLabel,
        secondsLabel,
        statusLabel,
        button("Switch on", add),
      ),
    );
  }

  showFaults(faults, choices) {
    keep(this.faults, faults, {
      key: (fault) => `${fault.server} ${fault.id}`,
      version: (fault) => JSON.stringify(fault),
      make: (fault) =>
        el(
          "li",
          { tabindex: "-1" },
          `${SERVERS[fault.server]}, ${requestsOf(fault)}: ${phraseOf(choices.fault_kinds, fault.kind)} (${fault.hits} so far${fault.left === null ? "" : `, ${fault.left} more`}) `,
          button("Switch off", () => post(`/${fault.server}/_control/faults/${fault.id}/release`, {}), {
            "aria-label": `Switch off: ${phraseOf(choices.fault_kinds, fault.kind)}, ${requestsOf(fault)}`,
            "data-focus": "off",
          }),
        ),
    });
  }

  // Requests

  showTraffic(requests) {
    keep(this.traffic, requests.toReversed(), {
      key: (request) => `${request.server} ${request.n}`,
      version: (request) => request.status,
      make: (request) =>
        el(
          "details",
          { class: "request" },
          el(
            "summary",
            { "data-focus": "request" },
            `${request.at.slice(11, 19)} ${SERVERS[request.server]}: ${request.method} ${request.endpoint} ${request.status ?? "..."}`,
          ),
          el("pre", { tabindex: "0", "aria-label": "Body" }, request.body || "no body"),
        ),
    });
  }

  showAddresses(addresses) {
    this.addresses.replaceChildren(
      ...Object.entries(addresses).map(([name, url]) => el("p", {}, `${SERVERS[name]}: `, el("code", {}, url))),
    );
  }
}
