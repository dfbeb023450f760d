import { h, patch } from "./dom.js";
import { denials, follow, known, releases } from "./state.js";
import { readAlong, stop } from "./text.js";
import { kind, plain, state } from "./words.js";
import * as balancers from "./views/balancers.js";
import * as bakes from "./views/bakes.js";
import * as denied from "./views/denials.js";
import * as deployments from "./views/deployments.js";
import * as events from "./views/events.js";
import * as logs from "./views/logs.js";
import * as machines from "./views/machines.js";
import * as overview from "./views/overview.js";
import * as pipeline from "./views/pipeline.js";
import * as stacks from "./views/stacks.js";

const VIEWS = { "": overview, pipeline, bakes, deployments, machines, balancer: balancers, stacks, events, logs, denials: denied };
const COUNTS = { bakes: "bakes", deployments: "deployments", machines: "machines", stacks: "stacks" };
const place = (id) => document.getElementById(id);
let due = false;

/** "#/machines/i-1/text/console/i-1" → view, what of it, text to read along */
function where() {
  const [path, text = ""] = decodeURIComponent(location.hash.replace(/^#\//, "")).split(/\/?text\/(.*)/s);
  const [name, ...rest] = path.split("/");
  return { name: name in VIEWS ? name : "", of: rest.join("/"), text };
}

function draw() {
  due = false;
  const { name, of, text } = where();
  const shown = VIEWS[name];
  document.title = `${shown.title} · Sandbox`;
  patch(place("top"), h("div", {}, top()));
  patch(place("nav"), h("div", {}, links(name)));
  const reader = text && h("section", { class: "card reader", "data-key": "reader", "aria-labelledby": "reading" }, h("h2", { id: "reading" }, text),
    h("pre", { class: "log", tabindex: "0", role: "region", "aria-labelledby": "reading", id: "text", "data-own": "text", "data-key": `text ${text}` }),
    h("p", {}, h("a", { href: `#/${[name, of].filter(Boolean).join("/")}` }, "Close")));
  patch(place("main"), h("div", {}, h("h1", {}, shown.title), problems(), reader,
    known.loaded ? shown.view(of) : h("p", { class: "quiet" }, "Asking the sandbox …")));
  if (text) readAlong(place("text"), text);
  else stop();
}

function top() {
  const { about } = known;
  return [h("a", { class: "name", href: "#/" }, h("span", { class: "mark", "aria-hidden": "true" }), "Sandbox"),
    about && h("span", { class: "about" }, `${about.region} · account ${about.account} · ${about.machines} machines · waits ${about.scale}× faster`),
    h("span", { class: `live ${known.connected ? "on" : "off"}` }, known.connected ? "live" : "not connected")];
}

function links(current) {
  const busy = { pipeline: known.pipelines, bakes: known.bakes, deployments: known.deployments, stacks: known.stacks };
  return h("ul", {}, Object.entries(VIEWS).map(([name, { title }]) => {
    const count = name === "denials" ? denials().length : COUNTS[name] ? known[COUNTS[name]].length : 0;
    return h("li", {}, h("a", { href: `#/${name}`, "aria-current": name === current ? "page" : null }, h("span", {}, title),
      busy[name]?.some((one) => one.going_on) ? h("span", { class: "state busy" }, h("i", { "aria-hidden": "true" }, "◐"), h("span", { class: "unseen" }, " going on"))
        : count > 0 && h("span", { class: name === "denials" ? "count bad" : "count" }, String(count))));
  }));
}

const problems = () => Object.entries(known.problems).filter(([, problem]) => problem).map(([name, problem]) =>
  h("p", { class: "why" }, `The sandbox could not read its ${name}: ${problem}`));

function later() {
  if (due) return;
  due = true;
  requestAnimationFrame(draw);
}

let told = { release: null, denials: null, connected: true };

/** Turning points only: a screen reader is not read every event. */
function speak() {
  if (!known.loaded) return;
  const newest = releases()[0];
  const failed = newest?.actions.find((one) => kind(one.status) === "bad");
  const since = Date.parse(known.about?.now);
  const fresh = denials().filter((one) => Date.parse(one.time) > since).length; // older ones are no news to who comes back
  const now = { release: newest ? `Release ${plain(newest.status)}${failed ? `, at ${failed.stage}` : ""}` : "", denials: fresh, connected: known.connected };
  const said = [
    now.connected !== told.connected && (now.connected ? "The sandbox answers again" : "The sandbox does not answer"),
    told.release !== null && now.release !== told.release && now.release,
    told.denials !== null && now.denials > told.denials && `A call was denied, ${denials().length} in all`,
  ].filter(Boolean);
  if (said.length) place("spoken").textContent = said.join(". ");
  told = now;
}

addEventListener("hashchange", () => {
  draw();
  place("main").focus({ preventScroll: true });
  scrollTo(0, 0);
});
addEventListener("keydown", ({ key }) => {
  const { name, of, text } = where();
  if (key === "Escape" && text) location.hash = `#/${[name, of].filter(Boolean).join("/")}`;
});
addEventListener("click", (event) => {
  if (event.target.closest?.(".skip")) {
    event.preventDefault(); // the address says which section is shown
    place("main").focus();
  }
  const what = event.target.closest?.("[data-do]")?.dataset.do;
  if (what === "visitors") { overview.sendVisitors(); draw(); }
});
addEventListener("input", (event) => {
  if (event.target.dataset.do === "filter") { events.filter.text = event.target.value; later(); }
});
follow(() => { later(); speak(); });
setInterval(() => { if (!document.hidden) later(); }, 1000);
draw();
