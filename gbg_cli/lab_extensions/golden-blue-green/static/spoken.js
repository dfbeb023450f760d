/* How far a view is, for who hears it: the first words of its headline, at most every ten seconds, as long as its cell runs.
 *
 * A view changes four times a second. Read aloud as it changes it would be noise; not read at all, silence.
 * https://www.w3.org/TR/wai-aria-1.2/#aria-live
 */

const REST = 10_000;
const RUNNING = /\*/;

const place = document.createElement("div");
place.id = "gbg-spoken";
place.setAttribute("role", "status");
Object.assign(place.style, { position: "absolute", width: "1px", height: "1px", overflow: "hidden", clipPath: "inset(50%)" });
document.body.append(place);

let next = "";
let last = 0;
let timer = 0;

function speak() {
  timer = 0;
  last = Date.now();
  place.textContent = next;
}

/* "3 of 5 stages and gates done; 13 s so far" → what stands before the time, which is always another. */
function hear(view) {
  const cell = view.closest(".jp-Cell");
  const words = view.firstElementChild?.textContent.split(/[;,]/)[0].trim();
  if (!words || words === next || !RUNNING.test(cell?.querySelector(".jp-InputPrompt")?.textContent ?? "")) return;
  next = words;
  timer ||= setTimeout(speak, Math.max(0, last + REST - Date.now()));
}

export function follow(panel) {
  const { node } = panel.content;
  const look = () => node.querySelectorAll("[role=region][aria-label='In words']").forEach(hear);
  new MutationObserver(look).observe(node, { childList: true, subtree: true });
}
