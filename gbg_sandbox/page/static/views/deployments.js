import { h } from "../dom.js";
import { known } from "../state.js";
import { ago, between, card, empty, plain, sign, state, table, typed } from "../words.js";

export const title = "Deployments";

export function view() {
  if (!known.deployments.length) return [empty("Nothing has been deployed", h("p", {}, "The last stage of a release deploys: ", typed("./gbg run 4")))];
  return known.deployments.map((one) => card(one.id, { "data-key": one.id },
    h("p", {}, state(one.status), " ", h("span", { class: "quiet" }, `${one.application} / ${one.group} · ${one.blue_green ? "blue/green" : "in place"} · ${ago(one.created)} · ${between(one.created, one.ended)}`)),
    one.error && h("p", { class: "why" }, one.error), one.rollback && h("p", { class: "why" }, one.rollback),
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
  const failed = targets.flatMap((target) => target.events.filter((event) => event.log || event.status === "Failed").map((event) => ({ target, event })));
  return h("div", { "data-key": `${deployment.id}-${side}` },
    side && h("h3", {}, h("span", { class: `key ${side}` }, side)),
    table(`Lifecycle events of ${deployment.id}, ${side}`, ["Machine", "State", ...names], targets.map((target) => [
      h("a", { href: `#/machines/${target.instance}` }, h("code", {}, target.instance)), state(target.status), ...names.map((name) => cell(target, name))])),
    failed.map(({ target, event }) => h("details", { class: "line", open: event.status === "Failed", "data-key": target.instance + event.name },
      h("summary", {}, state(event.status), ` ${event.name} on ${target.instance} ${event.script}`),
      event.status === "Failed" && h("p", { class: "why" }, `${plain(event.code)}: ${event.message}`), event.log && h("pre", { class: "log short", tabindex: "0" }, event.log))));
}
