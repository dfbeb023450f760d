// Requests a second, blue below green, errors above: two minutes that move. The same figures stand beneath as text.
import { h } from "./dom.js";
import { known, sides } from "./state.js";

const SECONDS = 120;
const WIDTH = 720;
const HEIGHT = 150;
const LEFT = 30;
const BOTTOM = 18;

export function traffic() {
  const now = Math.floor(Date.now() / 1000);
  const side = sides();
  const columns = Array.from({ length: SECONDS }, () => ({ blue: 0, green: 0, errors: 0, milliseconds: 0 }));
  for (const { time, targets } of known.traffic) {
    const column = columns[SECONDS - 1 - (now - Math.floor(time))];
    for (const one of column ? targets : []) {
      column[side.of(one.instance)] += one.requests;
      column.errors += one.errors;
      column.milliseconds = Math.max(column.milliseconds, one.milliseconds);
    }
  }
  const most = nice(Math.max(4, ...columns.map((one) => one.blue + one.green)));
  const text = said(columns.slice(-12, -1));
  return h("figure", { class: "traffic" }, drawing(columns, most, text), h("figcaption", {},
    h("span", { class: "key blue" }, "blue"), h("span", { class: "key green" }, "green"), h("span", { class: "key errors" }, "5xx"),
    h("span", { class: "said" }, text)));
}

function drawing(columns, most, text) {
  const wide = (WIDTH - LEFT) / SECONDS;
  const high = (count) => (count / most) * (HEIGHT - BOTTOM - 8);
  const floor = HEIGHT - BOTTOM;
  const bars = columns.map((one, at) => {
    const x = LEFT + at * wide;
    const bar = (count, below, name) => count > 0 &&
      h("rect", { class: name, x, y: floor - high(below + count), width: Math.max(1, wide - 1), height: high(count) });
    return h("g", {}, bar(one.blue, 0, "blue"), bar(one.green, one.blue, "green"),
      one.errors > 0 && h("path", { class: "errors", d: `M${x} 2l4 6m0 -6l-4 6` }));
  });
  const line = (count) => [h("line", { x1: LEFT, x2: WIDTH, y1: floor - high(count), y2: floor - high(count) }),
    h("text", { x: LEFT - 5, y: floor - high(count) + 4, "text-anchor": "end" }, String(count))];
  const times = [90, 60, 30].map((back) => h("text", { x: LEFT + (SECONDS - back) * wide, y: HEIGHT - 3, "text-anchor": "middle" }, `−${back} s`));
  return h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Requests a second. ${text}` },
    h("defs", {}, h("pattern", { id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      h("rect", { width: 5, height: 5, class: "ground" }), h("rect", { width: 1.6, height: 5, class: "stripe" }))),
    [0, most / 2, most].map(line), bars, times, h("text", { x: WIDTH, y: HEIGHT - 3, "text-anchor": "end" }, "now"));
}

function said(last) {
  const sum = (name) => last.reduce((total, one) => total + one[name], 0);
  const all = sum("blue") + sum("green");
  if (!all) return "no requests in the last seconds";
  const green = Math.round((100 * sum("green")) / all);
  const each = (all / last.length).toFixed(1);
  const errors = sum("errors") ? `${sum("errors")} errors` : "no errors";
  return `${each} requests a second · ${100 - green} % blue, ${green} % green · ${errors} · ${Math.max(...last.map((one) => one.milliseconds))} ms`;
}

function nice(count) {
  const step = 10 ** Math.floor(Math.log10(count));
  return [1, 2, 4, 10].map((each) => each * step).find((each) => each >= count);
}
