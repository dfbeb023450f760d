import { h } from "../dom.js";
import { known } from "../state.js";
import { card, clock, empty, printed, sentence } from "../words.js";

export const title = "Events";
const SHOWN = 300;
export const filter = { text: "" };

export function view() {
  if (!known.events.length) return [empty("Nothing has happened yet", h("p", {}, "Every change of state in the sandbox is an event; they appear here as they happen."))];
  const wanted = filter.text.toLowerCase();
  const found = known.events.filter((one) => !wanted || JSON.stringify(one).toLowerCase().includes(wanted)).slice(-SHOWN).reverse();
  return [card("Events, newest first", { "data-key": "events" },
    h("p", {}, h("label", { for: "filter" }, "Only those with "), h("input", { id: "filter", type: "search", "data-do": "filter", autocomplete: "off" }),
      " ", h("span", { class: "quiet" }, `${found.length} shown`)),
    h("ul", { class: "plainlist events" }, found.map((event) => h("li", { "data-key": String(event.number) }, h("details", {},
      h("summary", {}, h("time", { datetime: event.time }, clock(event.time)), " ", h("span", { class: "source" }, event.source.replace("aws.", "")), " ",
        h("b", {}, event.type), " ", sentence(event)),
      printed(`All of ${event.type}`, JSON.stringify({ detail: event.detail, resources: event.resources }, null, 1)))))))];
}
