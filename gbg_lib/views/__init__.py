"""What a reader sees: tables, pictures, live lines. Only here are pandas, matplotlib and IPython imported.

Every view leaves a static form in a saved notebook.
"""

from gbg_lib.views.banner import banner, replay_banner
from gbg_lib.views.checks import checks, checks_table
from gbg_lib.views.differences import drift_table, orphans_table, repair_table, swept_table
from gbg_lib.views.drills import tasks_table, times_table
from gbg_lib.views.facts import facts_table
from gbg_lib.views.form import form
from gbg_lib.views.gates import gates_table, person
from gbg_lib.views.happened import what_happened, what_was_read
from gbg_lib.views.images import images_table, packages_table, pruning_table, revocation_table
from gbg_lib.views.live import show_progress, show_release, show_stack, show_teardown
from gbg_lib.views.plans import acknowledge, plan_table, release_costs
from gbg_lib.views.predict import predict
from gbg_lib.views.record_chart import record_chart
from gbg_lib.views.record_page import export
from gbg_lib.views.record_tables import (
    chain_table,
    decisions_table,
    differences_table,
    everything,
    failure_view,
    missing_table,
    notes_table,
    record_table,
    recorded_table,
    story_table,
    timeline_table,
    verified_table,
)
from gbg_lib.views.releases import rates_table, releases_table
from gbg_lib.views.site import site
from gbg_lib.views.stages import stages_picture
from gbg_lib.views.tables import (
    actions_table,
    fleets_table,
    lifecycle_table,
    outputs_table,
    parameters_table,
    release_table,
)
from gbg_lib.views.teardown import (
    inventory_table,
    removal_table,
    stacks_table,
    strangers_table,
)
from gbg_lib.views.ways import ways_table

__all__ = [
    "acknowledge",
    "actions_table",
    "banner",
    "chain_table",
    "checks",
    "checks_table",
    "decisions_table",
    "differences_table",
    "drift_table",
    "everything",
    "export",
    "facts_table",
    "failure_view",
    "fleets_table",
    "form",
    "gates_table",
    "images_table",
    "inventory_table",
    "lifecycle_table",
    "missing_table",
    "notes_table",
    "orphans_table",
    "outputs_table",
    "packages_table",
    "parameters_table",
    "person",
    "plan_table",
    "predict",
    "pruning_table",
    "rates_table",
    "record_chart",
    "record_table",
    "recorded_table",
    "release_costs",
    "release_table",
    "releases_table",
    "removal_table",
    "repair_table",
    "replay_banner",
    "revocation_table",
    "show_progress",
    "show_release",
    "show_stack",
    "show_teardown",
    "site",
    "stacks_table",
    "stages_picture",
    "story_table",
    "strangers_table",
    "swept_table",
    "tasks_table",
    "timeline_table",
    "times_table",
    "verified_table",
    "ways_table",
    "what_happened",
    "what_was_read",
]
