// What the sandbox has told this tab. A hidden tab is told nothing and asks anew when it is seen again.

export const known = {
  about: null, connected: false,
  stacks: [], pipelines: [], bakes: [], builds: [], deployments: [], fleets: [], machines: [], balancers: [], alarms: [],
  problems: {}, events: [], traffic: [], loaded: false,
};
const SECTIONS = ["stacks", "pipelines", "bakes", "builds", "deployments", "fleets", "machines", "balancers", "alarms"];
const MOST_EVENTS = 3000;
const TRAFFIC_SECONDS = 180;
let source = null;

export function follow(changed) {
  const open = () => {
    source?.close();
    source = null;
    if (!document.hidden) source = connect(changed);
  };
  document.addEventListener("visibilitychange", open);
  open();
}

function connect(changed) {
  const made = new EventSource("/_gbg/page/stream");
  const on = (name, take) => made.addEventListener(name, (event) => { take(JSON.parse(event.data)); changed(); });
  on("about", (about) => Object.assign(known, { about, connected: true, events: [], traffic: [] }));
  for (const name of SECTIONS) {
    on(name, ({ items, problem }) => { known[name] = items; known.problems[name] = problem; known.loaded = true; });
  }
  on("events", (fresh) => { known.events = [...known.events, ...fresh].slice(-MOST_EVENTS); });
  on("traffic", (fresh) => {
    const since = Date.now() / 1000 - TRAFFIC_SECONDS;
    known.traffic = [...known.traffic, ...fresh].filter((one) => one.time > since);
  });
  made.onerror = () => { known.connected = false; changed(); };
  return made;
}

export const denials = () => known.events.filter((event) => event.type === "IAM Denial");
/** Of a stage that was tried again, or an action of it, the newest try. */
export const latest = (actions) => [...new Map(actions.map((one) => [`${one.stage} ${one.name}`, one])).values()];
export const releases = () => known.pipelines.flatMap((one) => one.executions.map((each) => ({ ...each, pipeline: one.name, actions: latest(each.actions) })))
  .sort((a, b) => Date.parse(b.started) - Date.parse(a.started));

/** "blue" serves before the newest deployment, "green" after it. */
export function sides() {
  const newest = known.deployments.find((one) => one.blue_green);
  const green = new Set(newest?.targets.filter((one) => one.side === "green").map((one) => one.instance));
  const groups = new Set(known.fleets.filter((one) => newest && one.deployment === newest.id).map((one) => one.name));
  for (const name of newest?.green_groups ?? []) groups.add(name);
  for (const machine of known.machines) if (groups.has(machine.group)) green.add(machine.id);
  return { of: (instance) => (green.has(instance) ? "green" : "blue"), group: (name) => (groups.has(name) ? "green" : "blue") };
}
