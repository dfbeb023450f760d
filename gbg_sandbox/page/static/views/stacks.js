import { h } from "../dom.js";
import { known } from "../state.js";
import { ago, card, clock, empty, facts, kind, state, table, typed } from "../words.js";

export const title = "Stacks";

export function view() {
  if (!known.stacks.length) return [empty("There is no stack", h("p", {}, "Runbook 1 makes the first: ", typed("./gbg run 1")))];
  return known.stacks.map((stack) => {
    const done = stack.resources.filter((one) => kind(one.status) === "good").length;
    return card(stack.name, { "data-key": stack.name },
      h("p", {}, state(stack.status), " ", h("span", { class: "quiet" }, `${done} of ${stack.resources.length} resources complete · ${ago(stack.created)}`)),
      stack.going_on && h("progress", { max: String(stack.resources.length || 1), value: String(done), "aria-label": `${stack.name}: resources complete` }),
      stack.why && h("p", { class: "why" }, stack.why),
      h("p", { class: "quiet" }, stack.about),
      h("details", { class: "line" }, h("summary", {}, `Outputs (${Object.keys(stack.outputs).length})`), facts(Object.entries(stack.outputs).map(([name, value]) => [name, h("code", {}, value)]))),
      h("details", { class: "line", open: stack.going_on }, h("summary", {}, `Resources (${stack.resources.length})`),
        table(`Resources of ${stack.name}`, ["Resource", "Type", "State", "Physical id", "Why"], stack.resources.map((one) => [
          one.name, one.type.replace("AWS::", ""), state(one.status), h("code", {}, one.id), one.why]), (row) => row[0])),
      h("details", { class: "line" }, h("summary", {}, `Events (the newest ${stack.events.length})`),
        table(`Events of ${stack.name}`, ["When", "Resource", "State", "Why"], stack.events.map((one) => [clock(one.time), one.name, state(one.status), one.why]))));
  });
}
