"""Fleets: groups of the deployment with their machines, images and health behind the load balancer."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from gbg_lib.fleet import Page, fleets, read_page
from gbg_lib.images import golden_images
from tests.unit.aws_fakes import connected
from tests.unit.group_fakes import FakeGroups
from tests.unit.site import serving


def test_fleets_know_their_machines_images_and_health() -> None:
    cloud = FakeGroups({"gbg-green": ["i-2", "i-3"], "gbg-blue": []}, {"i-2": "healthy", "i-3": "initial"})
    aws = connected(autoscaling=cloud, ec2=cloud, elbv2=cloud)
    blue, green = fleets(aws, "gbg", "arn:target-group")
    assert (blue.group, blue.instances, blue.serving) == ("gbg-blue", (), 0)
    assert (green.group, green.desired, green.template_version, green.serving) == ("gbg-green", 2, "2", 1)
    assert [(one.id, one.image, one.target_health) for one in green.instances] == [
        ("i-2", "ami-1", "healthy"),
        ("i-3", "ami-1", "initial"),
    ]


def test_a_machine_that_ec2_does_not_show_yet_leaves_the_others_seen() -> None:
    cloud = FakeGroups({"gbg-blue": ["i-1", "i-2"]}, {"i-1": "healthy"})
    cloud.unknown = {"i-2"}
    [fleet] = fleets(connected(autoscaling=cloud, ec2=cloud, elbv2=cloud), "gbg", "arn:target-group")
    assert [(one.id, one.image) for one in fleet.instances] == [("i-1", "ami-1"), ("i-2", "")]


def test_golden_images_come_newest_first() -> None:
    cloud = FakeGroups({}, {})
    cloud.golden = ["ami-old", "ami-new"]
    assert [image.id for image in golden_images(connected(ec2=cloud), "gbg")] == ["ami-new", "ami-old"]


def test_a_page_tells_its_release() -> None:
    with serving({"/health": '{"commit": "5f2c", "started": 3}'}) as site:
        page = read_page(site + "health")
        assert (page.status, page.facts) == (200, {"commit": "5f2c", "started": "3"})
        assert read_page(site + "other").status == 503


def test_no_answer_is_told_not_raised() -> None:
    nobody = read_page("http://127.0.0.1:1/")
    assert nobody.status == 0 and "refused" in nobody.body


def test_a_page_that_breaks_off_is_told_not_raised() -> None:
    """As a machine answers that ends in the middle of it."""

    class BreaksOff(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"<h1>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), BreaksOff) as server:
        Thread(target=server.handle_request, daemon=True).start()
        page = read_page(f"http://127.0.0.1:{server.server_port}/")
    assert page.status == 0 and "IncompleteRead" in page.body


@pytest.mark.parametrize("body", ["<html>", '["a"]', ""])
def test_a_page_that_is_no_object_has_no_facts(body: str) -> None:
    assert Page("http://h/", 200, body).facts == {}
