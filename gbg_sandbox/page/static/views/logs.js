import { h } from "../dom.js";
import { ago, card, empty } from "../words.js";

export const title = "Logs";
let groups = null;
let asked = 0;

export function view() {
  if (Date.now() - asked > 2000) {
    asked = Date.now();
    fetch("/_gbg/page/logs").then((answer) => answer.json()).then((found) => { groups = found; }, () => {}); // the stream tells when it's gone
  }
  if (!groups) return [h("p", { class: "quiet" }, "Asking the sandbox …")];
  if (!groups.length) return [empty("There are no log groups", h("p", {}, "Builds, functions, bakes and machines write into CloudWatch Logs once they exist."))];
  return groups.map(({ group, streams }) => card(group, { "data-key": group }, streams.length
    ? h("ul", { class: "links" }, streams.map((one) => h("li", {}, h("a", { href: `#/logs/text/log/${group}!${one.name}` }, one.name), " ",
      h("span", { class: "quiet" }, one.last ? ago(new Date(one.last).toISOString()) : ""))))
    : h("p", { class: "quiet" }, "Nothing was written yet.")));
}
