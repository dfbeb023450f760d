import { h } from "../dom.js";
import { known, latest } from "../state.js";
import { ago, between, card, empty, facts, gist, kind, plain, seconds, short, state, table, tail, typed, words } from "../words.js";

export const title = "Pipeline";

export function view() {
  if (!known.pipelines.length) return [empty("There is no pipeline", h("p", {}, "Runbooks 1 to 3 make one: ", typed("./gbg run 1 2 3")))];
  return [
    ...known.pipelines.map((one) => card(one.name, { "data-key": one.name }, board(one), executions(one))),
    known.builds.length > 0 && card("Builds", { "data-key": "builds" }, known.builds.map(build)),
  ];
}

/** What a way back is: a stage once more, with what it had in a release before. */
export const back = (execution) => `↩ back to what release ${short(execution.back_to)} had`;

/** Stages in a row, each with the newest execution that reached it. */
export function board(pipeline) {
  const newest = pipeline.executions[0];
  const newestOf = latest(newest?.actions ?? []);
  return h("ol", { class: "board" }, pipeline.stages.map((stage) => {
    const actions = newestOf.filter((one) => one.stage === stage.name);
    const none = newest?.back_to ? "not run again" : "not yet";
    const status = actions.find((one) => kind(one.status) !== "good")?.status ?? actions.at(-1)?.status ?? none;
    const last = actions.at(-1);
    return h("li", { class: `stage ${kind(status)}`, "data-key": stage.name },
      h("h3", {}, stage.name),
      h("p", {}, state(status), " ", h("span", { class: "quiet" }, last && between(last.started, kind(status) === "busy" ? null : last.updated))),
      h("p", { class: "quiet" }, stage.providers.join(", "), stage.open ? "" : " · closed"),
      actions.filter((one) => one.error).map((one) => h("p", { class: "why" }, gist(one.error))));
  }));
}

function executions(pipeline) {
  if (!pipeline.executions.length) return h("p", { class: "quiet" }, "No execution yet: a push starts one, or ", typed("./gbg run 4"));
  return pipeline.executions.map((one, at) => h("details", { class: "line", "data-key": one.id, open: at === 0 },
    h("summary", {}, state(one.status), " ", h("b", {}, one.message.split("\n")[0] || short(one.id)), " ",
      h("span", { class: "quiet" }, `${short(one.commit)} · ${one.trigger} · ${ago(one.started)} · ${between(one.started, one.status === "InProgress" ? null : one.updated)}`)),
    one.back_to && h("p", {}, back(one)),
    one.summary && h("p", { class: "why" }, one.summary),
    table(`Actions of ${short(one.id)}`, ["Stage", "Action", "Provider", "State", "Took", "What it says"], one.actions.map((action) => [
      words(action.stage), words(action.name), words(action.provider), state(action.status), between(action.started, action.status === "InProgress" ? null : action.updated),
      action.error || action.summary.split("\n")[0] || tail(action.external)]))));
}

function build(one) {
  return h("details", { class: "line", "data-key": one.id, open: one.going_on },
    h("summary", {}, state(one.status), " ", h("b", {}, one.project), " ", h("span", { class: "quiet" }, `${ago(one.started)} · ${between(one.started, one.ended)}`)),
    table(`Phases of ${one.id}`, ["Phase", "State", "Took", "Why"], one.phases.map((phase) => [plain(phase.name), state(phase.status), seconds(phase.seconds), phase.why])),
    one.log[1] && h("p", {}, h("a", { href: `#/logs/text/log/${one.log[0]}!${one.log[1]}` }, "The build's log")));
}
