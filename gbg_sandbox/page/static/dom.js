// Elements from plain calls, and a patch that turns what is shown into what should be shown: focus, scroll,
// selection and opened details stay. Text is always text: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "path", "rect", "line", "text", "title", "defs", "pattern"]);

/** h("a", {href: "#/", class: "x"}, "text", child, [more]) */
export function h(name, attributes = {}, ...children) {
  const made = DRAWN.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false && one !== ""));
  return made;
}

/** Make `shown`'s children those of `wanted`. */
export function patch(shown, wanted) {
  const keyed = new Map();
  for (const child of shown.childNodes) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let at = shown.firstChild;
  for (const fresh of [...wanted.childNodes]) {
    const key = fresh.dataset?.key;
    const old = key ? keyed.get(key) : at?.dataset?.key ? null : at;
    if (!old || old.nodeName !== fresh.nodeName) {
      shown.insertBefore(fresh, at);
      continue;
    }
    if (old === at) at = at.nextSibling;
    else shown.insertBefore(old, at);
    patchOne(old, fresh);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function patchOne(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE || "own" in old.dataset) return; // its own module fills it
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value && !theirs(old, name)) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !theirs(old, name)) old.removeAttribute(name);
  }
  patch(old, fresh);
}

/** What the person at the page decides. */
const theirs = (element, name) => element.nodeName === "DETAILS" && name === "open";
