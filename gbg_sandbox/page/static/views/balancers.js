import { traffic } from "../chart.js";
import { h } from "../dom.js";
import { known, sides } from "../state.js";
import { ago, card, empty, state, table, typed, words } from "../words.js";
import { visitors } from "./overview.js";

export const title = "Load balancer";

export function view() {
  if (!known.balancers.length) return [empty("There is no load balancer", h("p", {}, "Runbook 1 makes one: ", typed("./gbg run 1")))];
  const side = sides();
  return [
    card("Traffic", { "data-key": "traffic" }, traffic(), visitors()),
    ...known.balancers.map((one) => card(one.name, { "data-key": one.arn },
      h("p", {}, state(one.state), " ", h("a", { href: one.site, target: "_blank", rel: "noreferrer" }, one.site), " ", h("span", { class: "quiet" }, one.listeners.join(", "))),
      one.groups.map((group) => h("div", { "data-key": group.arn }, h("h3", {}, group.name), h("p", { class: "quiet" }, `health check ${group.check}`),
        group.targets.length ? table(`Targets of ${group.name}`, ["Target", "Port", "Fleet", "Health", "Why"], group.targets.map((target) => [
          h("a", { href: `#/machines/${target.instance}` }, h("code", {}, target.instance)), String(target.port),
          h("span", { class: `key ${side.of(target.instance)}` }, side.of(target.instance)), state(target.state), target.why]), (row) => row[0].textContent)
          : h("p", { class: "quiet" }, "No target is registered."))))),
    known.alarms.length > 0 && card("Alarms", { "data-key": "alarms" }, table("Alarms", ["Alarm", "State", "Since", "Metric", "Why"],
      known.alarms.map((one) => [one.name, state(one.state), ago(one.since), words(one.metric), one.why]))),
  ];
}
