"""The honesty table rests on names that AWS has."""

from __future__ import annotations

import pytest
from botocore import xform_name

from gbg_sandbox.gateway.models import service_model, signing_names
from gbg_sandbox.service import Service
from gbg_sandbox.services import service_classes


@pytest.mark.parametrize("service", service_classes(), ids=lambda service: service.name)
def test_every_operation_that_a_service_tells_of_is_one_of_aws(service: type[Service]) -> None:
    known = {xform_name(name) for name in service_model(service.name).operation_names}
    assert set(service.coverage()) - known == set()


@pytest.mark.parametrize("service", service_classes(), ids=lambda service: service.name)
def test_a_service_is_found_by_the_name_that_its_requests_are_signed_with(service: type[Service]) -> None:
    assert signing_names([service.name]) == {service_model(service.name).signing_name: [service.name]}
