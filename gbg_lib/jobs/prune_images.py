"""Once a week: golden AMIs that nobody needs go, with their snapshots and launch template versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property

from gbg_lib.checks import Check
from gbg_lib.errors import GateRefused
from gbg_lib.images import Lineage, PrunePlan, Usage, plan_pruning, prune, read_lineage, read_usage
from gbg_lib.images.pruning import Releases, check_pruned, named_by_records
from gbg_lib.pipeline import LEFT_BY
from gbg_lib.record.bucket import Bucket
from gbg_lib.record.store import Store, records
from gbg_lib.replay import clock
from gbg_lib.replay.files import as_found
from gbg_lib.steps import Step
from gbg_lib.teardown.activity import activities


class PruneImages(Step):
    @cached_property
    def recorded(self) -> frozenset[str]:
        """Images that records of the last `keep_recorded_days` name: of this machine, and of the bucket.

        Raises RecordError where the two tell different stories.
        """
        name = self.parameters.deployment
        store = Store(records(), name)
        as_found(store.index)
        Bucket(self.aws, self.base.get("RecordsBucketName", ""), name).fetch_index(store)
        since = clock.now() - timedelta(days=self.parameters.keep_recorded_days)
        return named_by_records(store.summaries(), since)

    @property
    def releases(self) -> Releases:
        """None where there is no pipeline."""
        pipeline = self.find_pipeline()
        if pipeline is None:
            return Releases()
        ended = {one.id for one in pipeline.all_executions() if one.status in LEFT_BY}
        return Releases(frozenset(ended), pipeline.retriable())

    @property
    def lineage(self) -> Lineage:
        return read_lineage(self.aws, self.parameters.deployment)

    @property
    def usage(self) -> Usage:
        return read_usage(self.aws)

    def decide(self) -> PrunePlan:
        """Raises GateRefused while a release, bake or deployment goes on: it decides what is in use."""
        if busy := activities(self.aws, self.parameters.deployment):
            raise GateRefused(
                "pruning images",
                f"{', '.join(one.thing for one in busy)} is going on",
                "it decides which images are in use; the next run looks again",
            )
        return plan_pruning(
            self.aws,
            self.parameters.deployment,
            last=self.parameters.keep_images,
            kept_images=self.recorded,
            releases=self.releases,
        )

    def apply(self, plan: PrunePlan) -> list[str]:
        """The ids that are gone."""
        return list(self.going(plan))

    def going(self, plan: PrunePlan) -> Iterator[str]:
        """Each id as it goes."""
        return prune(self.aws, plan)

    def check(self, plan: PrunePlan) -> list[Check]:
        return self.passed(check_pruned(self.aws, plan))

    def seen(self) -> dict[str, str]:
        """Every image that is left: a newer one may be one too many."""
        return {"golden AMIs": ", ".join(sorted(one.id for one in self.lineage.images)) or "none"}
