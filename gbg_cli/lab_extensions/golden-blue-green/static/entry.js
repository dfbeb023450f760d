/* What `gbg lab` adds to JupyterLab's page; each module beside this one does one thing to a notebook's panel.
 *
 * In the form in which JupyterLab loads prebuilt extensions, written by hand: there is nothing to build.
 * https://jupyterlab.readthedocs.io/en/stable/extension/extension_dev.html#prebuilt-extensions
 */
(() => {
  "use strict";

  const NAME = "golden-blue-green";
  const MODULES = ["./reloaded.js", "./in_sight.js", "./named.js"];
  const here = document.currentScript.src;
  let shared = {};

  /** One of JupyterLab's own modules. */
  async function own(name) {
    const [version] = Object.values(shared[name]);
    return (await version.get())();
  }

  async function get() {
    const { INotebookTracker } = await own("@jupyterlab/notebook");
    const modules = await Promise.all(MODULES.map((path) => import(new URL(path, here))));
    const follow = (panel) => modules.forEach((module) => module.follow(panel));
    const plugin = {
      id: `${NAME}:views`,
      autoStart: true,
      requires: [INotebookTracker],
      activate: (_, tracker) => {
        tracker.forEach(follow);
        tracker.widgetAdded.connect((_, panel) => follow(panel));
      },
    };
    return () => ({ __esModule: true, default: plugin });
  }

  const init = (scope) => {
    shared = scope;
  };
  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB[NAME] = { init, get };
})();
