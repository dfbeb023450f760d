"""Live views: outputs that change while something goes on, and hold its last state afterwards."""

from gbg_lib.views.live.release import show_release
from gbg_lib.views.live.stack import show_stack
from gbg_lib.views.live.steps import show_progress, show_teardown

__all__ = ["show_progress", "show_release", "show_stack", "show_teardown"]
