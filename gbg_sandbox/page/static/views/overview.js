import { traffic } from "../chart.js";
import { h } from "../dom.js";
import { denials, known, releases, sides } from "../state.js";
import { ago, between, card, clock, empty, facts, gist, kind, plain, sentence, short, state, typed } from "../words.js";
import { back, board } from "./pipeline.js";

export const title = "Overview";

export function view() {
  if (!known.stacks.length && !known.machines.length) return [first()];
  const pipeline = known.pipelines[0];
  return [
    h("div", { class: "three" }, site(), now(), release()),
    pipeline && card("Pipeline", { "data-key": "board" }, board(pipeline)),
    h("div", { class: "two" },
      card("Traffic", { "data-key": "traffic" }, traffic(), visitors()),
      card("Fleets", { "data-key": "fleets" }, fleets())),
    card("Latest events", { "data-key": "latest" }, latest()),
  ];
}

function first() {
  return empty("Nothing has been made here yet", h("p", {}, "This is an AWS on your machine, and this page is its console. Type one of these in the project's folder, and watch it happen here:"),
    h("dl", { class: "ways" },
      h("div", {}, h("dt", {}, typed("./gbg demo")), h("dd", {}, "everything at once: two releases of a web application, a few minutes")),
      h("div", {}, h("dt", {}, typed("./gbg run 1")), h("dd", {}, "one step at a time: network, load balancer and a first fleet; then 2, 3 and 4")),
      h("div", {}, h("dt", {}, typed('eval "$(./gbg env)"')), h("dd", {}, "your own shell: aws, boto3 and git work against it"))));
}

function site() {
  if (!known.balancers.length) return card("Site", { "data-key": "site" }, h("p", { class: "quiet" }, "There is no load balancer yet: runbook 1 makes one."));
  const side = sides();
  return card("Site", { "data-key": "site" }, known.balancers.map((balancer) => {
    const targets = balancer.groups.flatMap((group) => group.targets);
    const healthy = targets.filter((one) => one.state === "healthy");
    const colours = [...new Set(healthy.map((one) => side.of(one.instance)))];
    return h("div", { "data-key": balancer.arn },
      h("p", { class: "big" }, state(healthy.length ? "healthy" : targets.length ? "unhealthy" : "unused", healthy.length ? "serving" : "not serving")),
      h("p", {}, h("a", { href: balancer.site, target: "_blank", rel: "noreferrer" }, balancer.site, h("span", { class: "unseen" }, " (opens a new tab)"))),
      h("p", { class: "quiet" }, `${healthy.length} of ${targets.length} targets healthy · ${balancer.name}`, colours.map((one) => [" · ", h("span", { class: `key ${one}` }, one)])));
  }));
}

function goingOn() {
  const say = (what, items, name, href) => items.filter((one) => one.going_on).map((one) => [what, name(one), href, one.started ?? one.created]);
  return [
    ...say("Stack", known.stacks, (one) => `${one.name}: ${plain(one.status)}`, "#/stacks"),
    ...say("Bake", known.bakes, (one) => one.steps.find((step) => step.status === "InProgress")?.name ?? plain(one.status), "#/bakes"),
    ...say("Build", known.builds, (one) => plain(one.phase), "#/pipeline"),
    ...say("Deployment", known.deployments, (one) => (one.terminating_blue ? "green serves; blue waits to be terminated" : plain(one.status)), "#/deployments"),
  ];
}

function now() {
  const found = goingOn();
  return card("Now", { "data-key": "now" }, found.length
    ? h("ul", { class: "plainlist" }, found.map(([what, name, href, since]) =>
      h("li", {}, h("a", { href }, state("InProgress", what)), " ", name, " ", h("span", { class: "quiet" }, between(since)))))
    : [h("p", { class: "big" }, state("calm", "at rest")), h("p", { class: "quiet" }, next())]);
}

function next() {
  if (!known.pipelines.length) return ["Next: ", typed("./gbg run 1 2 3 4")];
  if (releases()[0]?.status === "Stopped") return ["The last release was stopped. The next push releases again; ", typed("./gbg run 5"), " shows the ways back."];
  if (kind(releases()[0]?.status) === "bad") {
    return ["The last release failed. A commit that mends it releases again; ", typed("./gbg run 5"), " shows the ways back; ", typed("./gbg drill --mend"), " ends a drill."];
  }
  return ["A push releases: ", typed("./gbg run 2 -p headline=Mine"), " makes one, ", typed("./gbg run 4"), " follows it."];
}

function release() {
  const newest = releases()[0];
  if (!newest) return card("Last release", { "data-key": "release" }, h("p", { class: "quiet" }, "None yet: a pipeline comes with runbook 3."));
  const failed = newest.actions.find((one) => one.status === "Failed");
  const image = newest.actions.flatMap((one) => Object.values(one.outputs ?? {})).find((one) => /^ami-/.test(one));
  return card("Last release", { "data-key": "release" },
    h("p", { class: "big" }, state(newest.status), " ", h("span", { class: "quiet" }, between(newest.started, newest.status === "InProgress" ? null : newest.updated))),
    h("p", {}, newest.message.split("\n")[0] || "(no message)"),
    newest.back_to && h("p", {}, back(newest)),
    failed && [h("p", { class: "why" }, `${failed.stage}: ${gist(failed.error || failed.summary)}`), h("p", {}, closer(failed, newest))],
    facts([["commit", h("code", {}, short(newest.commit))], ["golden AMI", image && h("code", {}, image)], ["began", ago(newest.started)]]));
}

/** Where what failed is told step by step. */
function closer(failed, release) {
  const baking = known.bakes.some((one) => kind(one.status) === "bad" && Date.parse(one.started) >= Date.parse(release.started));
  const [href, text] = failed.provider === "CodeDeploy" ? ["#/deployments", "The deployment, machine by machine"]
    : baking ? ["#/bakes", "The bake, step by step"]
      : failed.provider === "CodeBuild" ? ["#/pipeline", "The build, phase by phase"] : ["#/logs", "What its function logged"];
  return h("a", { href }, text);
}

function fleets() {
  if (!known.fleets.length) return h("p", { class: "quiet" }, "There is no Auto Scaling group.");
  const side = sides();
  return known.fleets.map((fleet) => h("div", { class: `fleet ${side.group(fleet.name)}`, "data-key": fleet.name },
    h("h3", {}, h("span", { class: `key ${side.group(fleet.name)}` }, side.group(fleet.name)), " ", fleet.name),
    h("ul", { class: "plainlist" }, fleet.instances.map((one) => h("li", { "data-key": one.id },
      h("a", { href: `#/machines/${one.id}` }, h("code", {}, one.id)), " ", state(one.lifecycle), " ", h("span", { class: "quiet" }, one.zone)))),
    !fleet.instances.length && h("p", { class: "quiet" }, `no machine yet, ${fleet.desired} wanted`)));
}

function latest() {
  const found = known.events.slice(-8).reverse();
  return [h("ul", { class: "plainlist events" }, found.map((event) => h("li", { "data-key": String(event.number) },
    h("time", { datetime: event.time }, clock(event.time)), " ", h("span", { class: "source" }, event.source.replace("aws.", "")), " ", sentence(event)))),
  h("p", {}, h("a", { href: "#/events" }, `All events`), denials().length ? [" · ", h("a", { href: "#/denials" }, state("denied", `${denials().length} denials`))] : "")];
}

export const visitors = () => known.balancers.length
  ? h("p", {}, h("button", { type: "button", "data-do": "visitors", "aria-pressed": String(visiting()) }, visiting() ? "Stop sending visitors" : "Send visitors"),
    " ", h("span", { class: "quiet" }, "This browser asks the site five times a second."))
  : "";

let timer = 0;
export const visiting = () => timer !== 0;
export function sendVisitors() {
  if (timer) {
    clearInterval(timer);
    timer = 0;
    return;
  }
  timer = setInterval(() => {
    const site = known.balancers[0]?.site;
    if (site && known.connected) fetch(site, { mode: "no-cors", cache: "no-store", credentials: "omit" }).catch(() => {}); // the chart shows what was answered
  }, 200);
}
