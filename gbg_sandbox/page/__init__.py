"""The sandbox's own page: what AWS's console would show, live, for a browser on this machine.

It only reads. Each module in `sections/` asks the services for one part of the picture, the feed sends what
changed as server-sent events, and `static/` holds plain HTML, CSS and ES modules.
"""
