// How states, times and names are said.
import { h } from "./dom.js";

const GOOD = /^(succeeded|success|healthy|running|inservice|ok|passed|available|active|ready|(create|update|import)_complete)$/i;
const BAD = /fail|denied|timed ?out|timedout|fault|unhealthy|rollback|alarm|error|aborted/i;
const CUT_SHORT = "Stopped"; // a deployment, an execution; a machine that is at rest is `stopped`
const BUSY = /progress|pending|initial|draining|terminating|shutting|stopping|queued|created|baking|submitted/i;
const TO_COME = "Pending"; // of a step or a lifecycle event, which has not begun; a machine that starts is `pending`
const SIGNS = { good: "✓", bad: "✕", busy: "◐", calm: "○" };

export function kind(status) {
  if (GOOD.test(status)) return "good";
  if (BAD.test(status) || status === CUT_SHORT) return "bad";
  return status !== TO_COME && BUSY.test(status) ? "busy" : "calm";
}

/** A state with its sign: colour is never all that tells. */
export const state = (status, text = plain(status)) =>
  h("span", { class: `state ${kind(status)}` }, h("i", { "aria-hidden": "true" }, SIGNS[kind(status)]), " ", text);

/** UPDATE_IN_PROGRESS, InProgress → in progress */
export const plain = (status) =>
  String(status).replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();

/** An action's or a step's failure; Automation says a command's output twice. */
export const gist = (failure) => failure.split(", OutputPayload=")[0];

/** Where a column says what it is about: the sign to see, the word to hear. */
export const sign = (status) =>
  h("span", { class: `state ${kind(status)}`, title: plain(status) }, h("i", { "aria-hidden": "true" }, SIGNS[kind(status)]), h("span", { class: "unseen" }, plain(status)));

export function seconds(count) {
  if (!Number.isFinite(count)) return "";
  const whole = Math.max(0, Math.round(count));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export const between = (from, to) => (from ? seconds(((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000) : "");
export const ago = (time) => (time ? `${between(time)} ago` : "");
export const clock = (time) => (time ? new Date(time).toLocaleTimeString([], { hourCycle: "h23" }) : "");
export const short = (id) => String(id ?? "").slice(0, 8);
export const tail = (name) => String(name ?? "").split(/[:/]/).at(-1);

/** ApplicationStop may go on in a second line, so that all of a deployment's events fit on a screen. */
export const words = (head) => head.split(/(?<=[a-z])(?=[A-Z])/).flatMap((part, at) => (at ? [h("wbr"), part] : [part]));

export const table = (caption, heads, rows, key) =>
  h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, words(head))))),
      h("tbody", {}, rows.map((cells) =>
        h("tr", key ? { "data-key": key(cells) } : {}, cells.map((cell, at) => h(at ? "td" : "th", at ? {} : { scope: "row" }, cell)))))));

/** What something printed: it scrolls, with the keyboard, too. */
export const printed = (name, text) => h("pre", { class: "log short", tabindex: "0", role: "region", "aria-label": name }, text);

export const empty = (title, ...what) => h("section", { class: "empty" }, h("h2", {}, title), ...what);
export const typed = (command) => h("code", { class: "typed" }, command);
export const card = (title, attributes, ...content) => {
  const id = `h-${attributes["data-key"] ?? title}`.replace(/[^\w-]/g, "-");
  return h("section", { ...attributes, class: `card ${attributes.class ?? ""}`, "aria-labelledby": id }, h("h2", { id }, title), ...content);
};
export const facts = (pairs) =>
  h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

const MOST_LETTERS = 200;

/** One line for an event; all of it is on the page of events. */
export function sentence(event) {
  const d = event.detail;
  const on = d["logical-resource-id"] ?? d.action ?? d.stage ?? d.pipeline ?? d.StepName ?? d.deploymentId ?? d["instance-id"] ?? d.instanceId
    ?? d.EC2InstanceId ?? d.AutoScalingGroupName ?? d["project-name"] ?? d.alarmName ?? d.target ?? tail(event.resources[0] ?? "");
  const machine = d.deploymentId && d.instanceId ? ` on ${tail(d.instanceId)}` : "";
  const said = [told(outcome(d)), d.description].filter(Boolean).join(", ");
  const line = [on + machine, said].filter(Boolean).join(": ");
  return line.length > MOST_LETTERS ? `${line.slice(0, MOST_LETTERS)}…` : line;
}

const outcome = (d) => d.message ?? d.what ?? d["status-details"]?.status ?? d.state ?? d.Status ?? d.status ?? d["build-status"] ?? d["completed-phase"] ?? d.StatusCode ?? "";

/** Some are documents: an alarm's state with its reason, what an alarm wrote to a topic. */
function told(said) {
  if (typeof said !== "string") return [said.value, said.reason].filter(Boolean).join(", ") || JSON.stringify(said);
  if (!said.startsWith("{")) return said;
  try {
    const { AlarmName, NewStateValue, NewStateReason } = JSON.parse(said);
    return AlarmName ? `${AlarmName} is ${NewStateValue}, ${NewStateReason}` : said;
  } catch {
    return said; // it only begins like one
  }
}
