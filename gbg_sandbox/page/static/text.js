// A text that is read along while it grows. It stays at its end unless someone scrolled up.

const PAUSE = 250;
let going = null;

/** Show the text of this name in the element, until another is. */
export function readAlong(element, name) {
  if (going?.element === element && going.name === name && element.isConnected) return;
  stop();
  const mine = { element, name, tag: "", timer: 0 };
  going = mine;
  element.textContent = "";
  const look = async () => {
    if (going !== mine) return;
    if (!element.isConnected) return stop();
    if (!document.hidden) await once(mine);
    if (going === mine) mine.timer = setTimeout(look, PAUSE);
  };
  look();
}

export function stop() {
  clearTimeout(going?.timer);
  going = null;
}

async function once(mine) {
  try {
    const answer = await fetch(`/_gbg/page/text/${mine.name.split("/").map(encodeURIComponent).join("/")}`,
      { headers: mine.tag ? { "If-None-Match": mine.tag } : {} });
    if (answer.status === 304) return;
    const text = await answer.text();
    if (going !== mine) return;
    mine.tag = answer.headers.get("ETag") ?? "";
    const atEnd = mine.element.scrollHeight - mine.element.scrollTop - mine.element.clientHeight < 30;
    if (mine.element.textContent !== text) mine.element.textContent = text || "(nothing yet)";
    if (atEnd) mine.element.scrollTop = mine.element.scrollHeight;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the sandbox went away: the stream tells so
  }
}
