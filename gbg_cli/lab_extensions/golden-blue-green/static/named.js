/* Names and descriptions for who can't see what belongs together.
 *
 * JupyterLab shows an SVG as an image and leaves its title inside, and a PNG without a word; a field of a form does not know the words
 * beside and below it (gbg_lib/views/form.py gives each a class).
 * https://www.w3.org/TR/svg-aam-1.0/ https://www.w3.org/TR/wai-aria-1.2/#aria-describedby
 */

const PREFIX = "data:image/svg+xml,";
let numbered = 0;

function name(image) {
  if (!image.src.startsWith(PREFIX)) return;
  const drawn = new DOMParser().parseFromString(decodeURIComponent(image.src.slice(PREFIX.length)), "image/svg+xml");
  image.alt = drawn.documentElement.getAttribute("aria-label") ?? "";
}

/* A PNG's words are in the metadata that came with it; JupyterLab keeps them and shows them nowhere. */
function nameAfterMetadata(panel, image) {
  const cell = panel.content.widgets.find((one) => one.node.contains(image));
  const outputs = cell?.model.outputs;
  for (let at = 0; at < (outputs?.length ?? 0); at += 1) {
    const { data, metadata } = outputs.get(at);
    const drawn = String(data["image/png"] ?? "").replaceAll(/\s/g, "");
    if (drawn && image.src === `data:image/png;base64,${drawn}`) image.alt = metadata["image/png"]?.alt ?? "";
  }
}

function idOf(element) {
  element.id ||= `gbg-words-${(numbered += 1)}`;
  return element.id;
}

function say(element, attributes) {
  for (const [attribute, value] of Object.entries(attributes)) {
    if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
  }
}

function describe(row) {
  const field = row.querySelector("input, select");
  const words = [...row.querySelectorAll(".gbg-meaning, .gbg-told")];
  if (!field || !words.length) return;
  const told = row.querySelector(".gbg-told")?.textContent.trim();
  say(field, { "aria-describedby": words.map(idOf).join(" "), "aria-invalid": String(Boolean(told)) });
}

/* A question, its answers, which of them is given, and the verdict, which is told when it comes. */
function ask(box) {
  const question = box.querySelector(".gbg-question");
  const verdict = box.querySelector(".gbg-verdict");
  if (!question || !verdict) return;
  say(box, { role: "group", "aria-labelledby": idOf(question) });
  say(verdict, { "aria-live": "polite" });
  for (const one of box.querySelectorAll("button")) say(one, { "aria-pressed": String(one.classList.contains("mod-active")) });
}

/* What a cell asks a person, who types the answer below it. */
function prompt(field) {
  const words = field.closest(".jp-Stdin")?.querySelector(".jp-Stdin-prompt");
  if (words) say(field, { "aria-labelledby": idOf(words) });
}

export function follow(panel) {
  const node = panel.content.node;
  const look = () => {
    node.querySelectorAll(".jp-RenderedSVG img:not([alt])").forEach(name);
    node.querySelectorAll(".jp-RenderedImage img:not([alt])").forEach((image) => nameAfterMetadata(panel, image));
    node.querySelectorAll(".gbg-row").forEach(describe);
    node.querySelectorAll(".gbg-question-box").forEach(ask);
    node.querySelectorAll(".jp-Stdin-input").forEach(prompt);
  };
  new MutationObserver(look).observe(node, { childList: true, subtree: true });
  look();
}
