import { h } from "../dom.js";
import { denials } from "../state.js";
import { card, clock, empty, table, tail } from "../words.js";

export const title = "IAM denials";

export function view() {
  const found = denials().reverse();
  if (!found.length) return [empty("Nobody was denied anything", h("p", {}, "When a role lacks a right, the call it made stands here with the action and the resource to put into its policy."))];
  return [card("Newest first", { "data-key": "denials" }, table("IAM denials", ["When", "Who", "Action", "Resource", "What AWS says"], found.map(({ time, detail }) => [
    clock(time), h("code", {}, detail.principal.split(":").at(-1)), h("code", {}, detail.action), h("code", {}, detail.resource), detail.message]),
  ))];
}
