"""Fakes take only what AWS would take: parameters are checked against botocore's model of the operation."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator


@cache
def _operations(service: str) -> dict[str, Any]:
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


def checked(service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """`given`, if it is a valid request. Raises AssertionError with botocore's report."""
    report = ParamValidator().validate(given, _operations(service)[operation].input_shape)
    assert not report.has_errors(), report.generate_report()
    return given
