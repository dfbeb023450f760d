import { h } from "../dom.js";
import { known, sides } from "../state.js";
import { ago, card, clock, empty, facts, state, table, tail, typed } from "../words.js";

export const title = "Machines";
let commands = { of: "", at: 0, found: [] };
let streams = [];

export function view(instance) {
  if (!known.machines.length) return [empty("No machine runs", h("p", {}, "Runbook 1 starts a first fleet: ", typed("./gbg run 1")))];
  const side = sides();
  const one = known.machines.find((each) => each.id === instance);
  return [
    one && detail(one),
    card("All machines", { "data-key": "all" }, table("Machines", ["Machine", "State", "Name", "Fleet", "Image", "Address", "Zone", "Launched"], known.machines.map((each) => [
      h("a", { href: `#/machines/${each.id}`, "aria-current": each.id === instance ? "true" : null }, h("code", {}, each.id)),
      state(each.state), each.name, each.group ? [h("span", { class: `key ${side.of(each.id)}` }, side.of(each.id)), " ", each.group] : "",
      h("code", {}, each.image), h("code", {}, each.address), each.zone, ago(each.launched)]), (row) => row[0].textContent)),
  ];
}

function detail(one) {
  ask(one.id);
  const link = (name, text) => h("li", {}, h("a", { href: `#/machines/${one.id}/text/${name}` }, text));
  const logs = streams.flatMap(({ group, streams: found }) => found.filter((each) => each.name.includes(one.id)).map((each) => [group, each.name]));
  return card(`${one.name || "Machine"} ${one.id}`, { "data-key": one.id },
    facts([["state", state(one.state)], ["why", one.why], ["type", one.type], ["image", h("code", {}, one.image)], ["address", h("code", {}, one.address)], ["launched", ago(one.launched)]]),
    h("h3", {}, "Console and logs"),
    h("ul", { class: "links" }, link(`console/${one.id}`, "Console"), logs.map(([group, name]) => link(`log/${group}!${name}`, `${tail(name)} (${group})`))),
    h("h3", {}, "Commands that ran in its shell"),
    commands.of === one.id && commands.found.length
      ? table("Commands", ["When", "Document", "State", "Comment"], commands.found.map((each) => [
        clock(each.time), h("a", { href: `#/machines/${one.id}/text/command/${each.id}/${one.id}` }, each.document), state(each.status), each.comment]))
      : h("p", { class: "quiet" }, "None through its agent."));
}

/** Commands and log streams are asked for when someone looks at a machine, every two seconds. */
function ask(instance) {
  if (commands.of === instance && Date.now() - commands.at < 2000) return;
  commands = { of: instance, at: Date.now(), found: commands.of === instance ? commands.found : [] };
  const get = async (path) => (await fetch(`/_gbg/page/${path}`)).json();
  Promise.all([get(`commands/${instance}`), get("logs")]).then(([ran, logs]) => {
    if (commands.of === instance) commands.found = ran;
    streams = logs;
  }, () => {}); // the stream tells when the sandbox has gone
}
