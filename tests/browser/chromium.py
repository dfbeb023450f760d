"""A real headless Chromium, driven through its DevTools protocol: what is visible, what the console says.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import websocket

SECONDS = 180
CONTROL, SHIFT = 2, 8
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "Backspace": (8, ""), " ": (32, " ")}
"""a key's code for Windows, which Chromium goes by everywhere, and what it types"""
MIDDLE = """
(found => {
  found.scrollIntoView({block: "center", inline: "nearest"});
  const box = found.getBoundingClientRect();
  const x = box.x + box.width / 2, y = box.y + box.height / 2;
  const top = document.elementFromPoint(x, y);
  return {x, y, free: found.contains(top) || (top?.contains(found) ?? false), covering: top?.outerHTML ?? ""};
})(%s)
"""
DESKTOP = (1280, 900)
PHONE = (390, 844)


class Chromium:
    """One browser process with one tab."""

    def __init__(self, program: str, profile: Path, quiet: tuple[str, ...]) -> None:
        argv = [program, *quiet, "--remote-debugging-port=0", "--remote-allow-origins=*"]
        self._process = subprocess.Popen(
            [*argv, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = self._port(profile / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            page = next(one for one in json.load(answer) if one["type"] == "page")
        self._socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=SECONDS)
        self._numbers = itertools.count(1)
        self._loads = 0
        self.errors: list[str] = []
        """what the console showed as an error, and exceptions that nobody caught"""
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.look()

    def _port(self, told: Path) -> str:
        deadline = time.monotonic() + SECONDS
        while not told.exists() or not told.read_text().strip():
            assert self._process.poll() is None, "Chromium ended at once"
            assert time.monotonic() < deadline, "Chromium tells no port"
            time.sleep(0.05)
        return told.read_text().splitlines()[0]

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(SECONDS)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Page.loadEventFired":
            self._loads += 1
        elif message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif message.get("method") == "Page.javascriptDialogOpening":
            accept = {"id": next(self._numbers), "method": "Page.handleJavaScriptDialog"}
            self._socket.send(json.dumps({**accept, "params": {"accept": True}}))
        elif message.get("method") == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(json.dumps(params["args"]))

    def look(self, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
        """As on a screen of this size, `scheme` light or dark."""
        wide, high = size
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=wide,
            height=high,
            deviceScaleFactor=1,
            mobile=wide < 600,
        )
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url: str) -> None:
        """Until the page is there; another place in the same page (`#`) is there at once."""
        before = self._loads
        another_page = "loaderId" in self.send("Page.navigate", url=url)
        self._wait_for_load(before if another_page else -1)

    def reload(self) -> None:
        """Until the new page is there, of which the old one knows nothing."""
        before = self._loads
        self.send("Page.reload")
        self._wait_for_load(before)

    def _wait_for_load(self, before: int) -> None:
        while self._loads == before:
            self._note(json.loads(self._socket.recv()))

    def value(self, script: str) -> Any:
        """What a JavaScript expression gives; a promise is waited for."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self) -> str:
        return str(self.value("document.body ? document.body.innerText : ''"))

    def until(self, true: str, seconds: float = SECONDS) -> None:
        """Wait until a JavaScript expression is true; fails with what is visible."""
        deadline = time.monotonic() + seconds
        while not self.value(f"Boolean({true})"):
            assert time.monotonic() < deadline, f"{true} never held; visible is:\n{self.text()}"
            time.sleep(0.05)

    def until_seen(self, text: str, seconds: float = SECONDS) -> None:
        self.until(f"document.body && document.body.innerText.includes({json.dumps(text)})", seconds)

    # --- hands ---

    def click(self, element: str, times: int = 1) -> None:
        """With the mouse, in the middle of what a JavaScript expression gives; nothing may lie on it."""
        at = self.value(MIDDLE % element)
        assert at["free"], f"{element} can't be clicked: {at['covering'][:200]} lies on it"
        place = {"x": at["x"], "y": at["y"]}
        self.send("Input.dispatchMouseEvent", type="mouseMoved", **place)
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=count, **place)

    def press(self, key: str, modifiers: int = 0) -> None:
        code, typed = KEYS[key]
        same = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=typed, **same)
        self.send("Input.dispatchKeyEvent", type="keyUp", **same)

    def select_all(self) -> None:
        """Ctrl+A in what has the focus."""
        same = {"key": "a", "code": "KeyA", "windowsVirtualKeyCode": 65, "modifiers": CONTROL}
        self.send("Input.dispatchKeyEvent", type="keyDown", commands=["selectAll"], **same)
        self.send("Input.dispatchKeyEvent", type="keyUp", **same)

    def type(self, text: str) -> None:
        """Letter by letter, into what has the focus."""
        for letter in text:
            self.send("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=letter)

    def accessible(self, within: str) -> list[tuple[str, str, str]]:
        """Role, name and description of what a screen reader is told of an element and all in it."""
        parts = ("role", "name", "description")
        told = [[one.get(part, {}).get("value", "") for part in parts] for one in self._told(within)]
        return [(role, name, description) for role, name, description in told]

    def nameless(self, within: str) -> list[str]:
        """What a screen reader can't name of what it stops at: what takes the focus, pictures, tables."""
        found = []
        for one in self._told(within):
            role = one["role"]["value"]
            stops = any(each["name"] == "focusable" and each["value"]["value"] for each in one["properties"])
            named = one.get("name", {}).get("value", "").strip()
            if not named and (stops or role in ("image", "table", "progressbar")) and role != "main":
                found.append(role)
        return found

    def _told(self, within: str) -> list[dict[str, Any]]:
        """https://chromedevtools.github.io/devtools-protocol/tot/Accessibility/#method-queryAXTree"""
        found = self.send("Runtime.evaluate", expression=within)["result"]["objectId"]
        nodes = self.send("Accessibility.queryAXTree", objectId=found)["nodes"]
        return [one for one in nodes if not one["ignored"]]

    def keep(self, path: Path) -> None:
        """A screenshot of what fits on the screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))
