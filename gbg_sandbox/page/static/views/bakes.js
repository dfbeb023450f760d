import { h } from "../dom.js";
import { known } from "../state.js";
import { ago, between, card, empty, facts, gist, printed, state, typed } from "../words.js";

export const title = "Bakes";

export function view() {
  if (!known.bakes.length) return [empty("Nothing has been baked", h("p", {}, "A release begins with a golden AMI: ", typed("./gbg run 4")))];
  return known.bakes.map((bake) => card(bake.document, { "data-key": bake.id },
    h("p", {}, state(bake.status), " ", h("span", { class: "quiet" }, `${ago(bake.started)} · ${between(bake.started, bake.ended)} · ${bake.id}`)),
    bake.failure && h("p", { class: "why" }, cause(bake)),
    h("details", { class: "line" }, h("summary", {}, "Parameters and outputs"), facts(Object.entries({ ...bake.parameters, ...bake.outputs }).map(([name, value]) => [name, h("code", {}, value)]))),
    h("ol", { class: "steps" }, bake.steps.map((step) => one(bake, step)))));
}

/** A bake ends with a step that says it failed; the step that failed first says why. */
function cause(bake) {
  const first = bake.steps.find((step) => step.failure);
  return first ? `${first.name}: ${gist(first.failure)}` : bake.failure;
}

function one(bake, step) {
  const line = [state(step.status), " ", h("b", {}, step.name), " ", h("span", { class: "quiet" }, `${step.action.replace("aws:", "")} ${between(step.started, step.ended)}`)];
  if (!step.output && !step.failure) return h("li", { "data-key": step.name }, h("p", { class: "line" }, line));
  return h("li", { "data-key": step.name }, h("details", { class: "line", open: step.status === "InProgress" || step.status === "Failed" },
    h("summary", {}, line), step.failure && h("p", { class: "why" }, step.failure),
    step.output && printed(`Output of ${step.name}`, step.output.slice(-1500)),
    step.output && h("p", {}, h("a", { href: `#/bakes/text/step/${bake.id}/${step.name}` }, "Whole output, read along"))));
}
