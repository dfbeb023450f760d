/* Live views go on after the page was loaded again.
 *
 * JupyterLab brings a kernel's answers to whoever asked. A page that was loaded again did not ask: it shows
 * what was saved, and drops what a running cell still says. A live view tells with its messages which cell it
 * belongs to, and which part of the view it is (gbg_lib/views/cell.py); so the new page can bring them there.
 * https://jupyter-client.readthedocs.io/en/stable/messaging.html#update-display-data
 */

/** What a notebook keeps of a message, in its own form; nothing of one that shows nothing. */
const KEPT = {
  display_data: ({ data, metadata }) => ({ output_type: "display_data", data, metadata }),
  update_display_data: ({ data, metadata }) => ({ output_type: "display_data", data, metadata }),
  stream: ({ name, text }) => ({ output_type: "stream", name, text }),
  error: ({ ename, evalue, traceback }) => ({ output_type: "error", ename, evalue, traceback }),
};

/** A cell that runs for a page that is gone; as JupyterLab does, it trusts what a kernel says, but not a file. */
class Running {
  constructor(cell, count) {
    this.cell = cell;
    this.count = count;
    if (!cell.trusted) cell.outputs.clear();
    cell.trusted = true;
    cell.executionState = "running";
  }

  hear({ header, content }) {
    const output = KEPT[header.msg_type]?.(content);
    if (output) this.put(output);
    if (header.msg_type === "status" && content.execution_state === "idle") {
      this.cell.executionCount = this.count;
      this.cell.executionState = "idle";
    }
  }

  /** Over the same part of the view, where that was saved. */
  put(output) {
    const outputs = this.cell.outputs;
    const part = output.metadata?.gbg_view;
    const numbers = Array.from({ length: outputs.length }, (_, number) => number);
    const place = part ? numbers.find((number) => outputs.get(number).metadata.gbg_view === part) : undefined;
    if (place === undefined) outputs.add(output);
    else outputs.set(place, output);
  }
}

export function follow(panel) {
  const running = new Map(); // by the id of the request that a page made before this one
  panel.sessionContext.iopubMessage.connect((context, message) => {
    const { msg_id, session } = message.parent_header;
    if (!session || session === context.session?.kernel?.clientId) return;
    const { cell, count } = message.content.transient ?? {};
    if (cell && !running.has(msg_id)) {
      const found = Array.from(panel.content.model?.cells ?? []).find((one) => one.id === cell);
      if (found?.outputs) running.set(msg_id, new Running(found, count));
    }
    running.get(msg_id)?.hear(message);
  });
}
