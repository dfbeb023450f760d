/* What `gbg lab` adds to JupyterLab's page; each module beside this one does one thing to a notebook's panel.
 * package.json turns off JupyterLab's executor of cells, for which there is one here.
 *
 * In the form in which JupyterLab loads prebuilt extensions, written by hand: there is nothing to build.
 * https://jupyterlab.readthedocs.io/en/stable/extension/extension_dev.html#prebuilt-extensions
 */
(() => {
  "use strict";

  const NAME = "golden-blue-green";
  const MODULES = ["./reloaded.js", "./in_sight.js", "./named.js", "./spoken.js"];
  const here = document.currentScript.src;
  let shared = {};

  /** One of JupyterLab's own modules. */
  async function own(name) {
    const [version] = Object.values(shared[name]);
    return (await version.get())();
  }

  /** Each module follows every notebook's panel. */
  function views(tracker, modules) {
    const follow = (panel) => modules.forEach((module) => module.follow(panel));
    tracker.forEach(follow);
    tracker.widgetAdded.connect((_, panel) => follow(panel));
  }

  /** In place of JupyterLab's own, which drops a cell that is run before its kernel is there. */
  function executor(runCell) {
    return {
      runCell: async (options) => {
        await options.sessionContext?.ready;
        return runCell(options);
      },
    };
  }

  async function get() {
    const { INotebookCellExecutor, INotebookTracker, runCell } = await own("@jupyterlab/notebook");
    const modules = await Promise.all(MODULES.map((path) => import(new URL(path, here))));
    const plugins = [
      {
        id: `${NAME}:views`,
        autoStart: true,
        requires: [INotebookTracker],
        activate: (_, tracker) => views(tracker, modules),
      },
      {
        id: `${NAME}:cell-executor`,
        autoStart: true,
        provides: INotebookCellExecutor,
        activate: () => executor(runCell),
      },
    ];
    return () => ({ __esModule: true, default: plugins });
  }

  const init = (scope) => {
    shared = scope;
  };
  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB[NAME] = { init, get };
})();
