"""Who may see the page: a browser tab that was opened on it, and no other page in that browser.

A page elsewhere can make a browser send requests here, and can make its own name resolve to 127.0.0.1
(DNS rebinding). It can't choose the Host header to be ours, nor leave out Origin and Sec-Fetch-Site.
https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
"""

from __future__ import annotations

from werkzeug import Request, Response

NAMES = ("localhost", "127.0.0.1")
"""what the port may be called; everything else is somebody's name for it"""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self' http://localhost:*",  # the site, for the visitors that the page can send
        "frame-src http://localhost:*",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def is_ours(request: Request) -> bool:
    """Whether it came over loopback to one of this machine's own names, with the port."""
    name, _, port = request.host.partition(":")
    on_loopback = request.remote_addr == "127.0.0.1"
    return on_loopback and name in NAMES and port == request.environ.get("SERVER_PORT")


def refusal(request: Request) -> str:
    """Why the request is not answered; empty when it may be."""
    if not is_ours(request):
        return f"this page is not called {request.host!r}"
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.host}":
        return f"{origin} is another page"
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not _opened(request):
        return "another page asked for it"
    return ""


def _opened(request: Request) -> bool:
    """Whether someone followed a link to the page: that shows it, in a tab of its own, to them alone."""
    return request.path == "/" and request.headers.get("Sec-Fetch-Dest") == "document"


def guarded(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
