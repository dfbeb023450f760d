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

function describe(row) {
  const field = row.querySelector("input, select");
  const words = [...row.querySelectorAll(".gbg-meaning, .gbg-told")];
  if (!field || !words.length) return;
  for (const one of words) one.id ||= `gbg-words-${(numbered += 1)}`;
  const told = row.querySelector(".gbg-told")?.textContent.trim();
  const said = { "aria-describedby": words.map((one) => one.id).join(" "), "aria-invalid": String(Boolean(told)) };
  for (const [attribute, value] of Object.entries(said)) {
    if (field.getAttribute(attribute) !== value) field.setAttribute(attribute, value);
  }
}

export function follow(panel) {
  const node = panel.content.node;
  const look = () => {
    node.querySelectorAll(".jp-RenderedSVG img:not([alt])").forEach(name);
    node.querySelectorAll(".jp-RenderedImage img:not([alt])").forEach((image) => nameAfterMetadata(panel, image));
    node.querySelectorAll(".gbg-row").forEach(describe);
  };
  new MutationObserver(look).observe(node, { childList: true, subtree: true });
  look();
}
