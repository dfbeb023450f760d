import { h } from "../dom.js";
import { known } from "../state.js";
import { ago, between, card, empty, plain, printed, sign, state, table, typed } from "../words.js";

export const title = "Deployments";

export function view() {
  if (!known.deployments.length) return [empty("Nothing has been deployed", h("p", {}, "The last stage of a release deploys: ", typed("./gbg run 4")))];
  return known.deployments.map((one) => card(one.id, { "data-key": one.id },
    h("p", {}, state(one.status), " ", h("span", { class: "quiet" }, `${one.application} / ${one.group} · ${one.blue_green ? "blue/green" : "in place"} · ${ago(one.created)} · ${between(one.created, one.ended)}`)),
    one.error && h("p", { class: "why" }, one.error), one.rollback && h("p", {}, `↩ ${one.rollback}`),
    one.messages.map((message) => h("p", { class: "quiet" }, message)),
    one.terminating_blue && one.going_on && h("p", {}, "Green has the traffic; blue waits to be terminated."),
    ["green", "blue", ""].map((side) => machines(one, side))));
}

function machines(deployment, side) {
  const targets = deployment.targets.filter((one) => one.side === side);
  if (!targets.length) return "";
  const names = [...new Set(targets.flatMap((one) => one.events.map((event) => event.name)))];
  const cell = (target, name) => {
    const event = target.events.find((each) => each.name === name);
    return event ? [sign(event.status), " ", h("span", { class: "quiet" }, event.started && between(event.started, event.ended ?? (event.status === "InProgress" ? null : event.started)))] : "";
  };
  const told = targets.flatMap((target) => target.events.filter((event) => event.log || event.status === "Failed").map((event) => ({ target, event })));
  const well = told.filter(({ event }) => event.status !== "Failed");
  return h("div", { "data-key": `${deployment.id}-${side}` },
    side && h("h3", {}, h("span", { class: `key ${side}` }, side)),
    table(`Lifecycle events of ${deployment.id}, ${side}`, ["Machine", "State", ...names], targets.map((target) => [
      h("a", { href: `#/machines/${target.instance}` }, h("code", {}, target.instance)), state(target.status), ...names.map((name) => cell(target, name))])),
    told.filter((one) => !well.includes(one)).map((one) => hook(deployment, one)),
    well.length > 0 && h("details", { class: "line", "data-key": `${deployment.id}-${side}-hooks` }, h("summary", {}, `What ${well.length === 1 ? "a hook" : `${well.length} hooks`} printed`), well.map((one) => hook(deployment, one))));
}

function hook(deployment, { target, event }) {
  return h("details", { class: "line", open: event.status === "Failed", "data-key": target.instance + event.name },
    h("summary", {}, state(event.status), ` ${event.name} on ${target.instance} ${event.script}`),
    event.status === "Failed" && h("p", { class: "why" }, reason(deployment, event)), event.log && printed(`Output of ${event.name} on ${target.instance}`, event.log));
}

/** CodeDeploy tells what a script did; an event that was cut off in the middle has nothing to tell. */
function reason(deployment, event) {
  if (event.message) return `${plain(event.code)}: ${event.message}`;
  if (deployment.status === "Stopped") return "It was going on when the deployment was stopped.";
  return `${plain(event.code) || "failed"}: CodeDeploy tells no more of it than above`;
}
