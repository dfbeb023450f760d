/* What one waits for stays in sight, and so does where one is.
 *
 * Shift-Enter moves on to the next cell, and the browser holds that one where it is while a view above it
 * grows: upwards, out of sight. Here a notebook grows downwards, and a view that begins is brought up once.
 * https://developer.mozilla.org/en-US/docs/Web/CSS/overflow-anchor
 */

const FOCUS = `
  .jp-OutputArea :is(button, input, select, summary, a):focus-visible {
    outline: 2px solid var(--jp-brand-color1) !important;
    outline-offset: 2px;
  }`;

const style = document.createElement("style");
style.textContent = FOCUS;
document.head.append(style);

export function follow(panel) {
  panel.content.outerNode.style.overflowAnchor = "none";
  let last = "";
  panel.sessionContext.iopubMessage.connect((context, message) => {
    const { msg_id, session } = message.parent_header;
    const { cell } = message.content.transient ?? {};
    if (!cell || msg_id === last || session !== context.session?.kernel?.clientId) return;
    last = msg_id;
    const found = panel.content.widgets.find((one) => one.model.id === cell);
    requestAnimationFrame(() => found?.node.scrollIntoView({ block: "start" }));
  });
}
