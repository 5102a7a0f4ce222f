"""Faults: each kind, at the requests they are for."""

import socket
import time
from collections.abc import Callable

import httpx
import pytest

from nss.lab.cloud import CloudLab, Fault, finalize_fault
from nss.lab.cloud.faults import FINALIZE_ANSWERS, FinalizeAnswer

STREAMS = "/api/discovery/streams/"


def test_a_status_is_answered_in_the_words_of_the_server(
    lab: CloudLab, api: httpx.Client, begin: Callable[..., str], put: Callable[..., httpx.Response]
) -> None:
    url = begin()
    lab.faults.add(
        Fault("mcas", "streams", status=429),
        Fault("mcas", "streams", status=429, retry_after="7", body=b"later"),
        Fault("mcas", "streams"),
        Fault("blob", "put"),
        Fault("entra", "token", status=503),
    )
    throttled, later, broken = (api.get(STREAMS) for _ in range(3))
    assert (throttled.status_code, throttled.json(), "retry-after" in throttled.headers) == (
        429,
        {"detail": "Request was throttled. Expected available in 35 seconds."},
        False,
    )
    assert (later.status_code, later.content, later.headers["retry-after"]) == (429, b"later", "7")
    assert broken.status_code == 503
    busy = put(url, b"x")
    assert (busy.status_code, busy.headers["x-ms-error-code"]) == (503, "ServerBusy")
    sign_in = api.post(lab.authentication_url, data={})
    assert (sign_in.status_code, sign_in.json()["error"]) == (503, "temporarily_unavailable")
    assert [api.get(STREAMS).status_code, put(url, b"x").status_code] == [200, 201]


def test_faults_skip_and_end_as_they_are_told(lab: CloudLab, api: httpx.Client) -> None:
    lab.faults.add(Fault("mcas", "STREAMS", status=500, skip=1, times=2))
    assert [api.get(STREAMS).status_code for _ in range(4)] == [200, 500, 500, 200]
    assert lab.faults.active == []


def test_a_fault_without_an_end_lasts_until_it_is_switched_off(
    lab: CloudLab, api: httpx.Client
) -> None:
    fault = Fault("mcas", status=502, times=None)
    lab.faults.add(fault)
    assert [api.get(path).status_code for path in (STREAMS, "/x", STREAMS)] == [502] * 3
    assert lab.faults.active == [fault]
    lab.faults.clear()
    assert api.get(STREAMS).status_code == 200


def test_a_fault_is_for_its_server_and_its_path(
    lab: CloudLab, api: httpx.Client, begin: Callable[..., str], put: Callable[..., httpx.Response]
) -> None:
    url = begin()
    lab.faults.add(
        Fault("entra", ""), Fault("mcas", "done_upload"), Fault("blob", "comp=blocklist")
    )
    assert api.get(STREAMS).status_code == 200
    assert put(f"{url}&comp=block&blockid=QUJD", b"x").status_code == 201
    assert put(f"{url}&comp=blocklist", b"").status_code == 503


def test_a_fault_waits_with_the_answer_until_the_body_has_come(
    lab: CloudLab, begin: Callable[..., str], put: Callable[..., httpx.Response]
) -> None:
    url = begin()
    lab.faults.add(Fault("blob", "put", status=500))
    assert put(url, b"x" * (8 << 20)).status_code == 500


def test_latency_comes_before_the_answer(lab: CloudLab, api: httpx.Client) -> None:
    lab.faults.add(Fault("mcas", "streams", "latency", secs=0.2))
    start = time.monotonic()
    assert api.get(STREAMS).status_code == 200
    assert time.monotonic() - start >= 0.2


def test_a_reset_does_nothing_and_answers_nothing(
    lab: CloudLab, begin: Callable[..., str], put: Callable[..., httpx.Response]
) -> None:
    url = begin()
    lab.faults.add(Fault("blob", "put", "reset"))
    with pytest.raises(httpx.TransportError):
        put(url, b"x")
    slot = lab.blobs.slot(url)
    assert slot is not None
    assert slot.path is None
    assert lab.requests[-1].status == 0


def test_a_reset_may_come_after_the_work_is_done(
    lab: CloudLab,
    begin: Callable[..., str],
    put: Callable[..., httpx.Response],
    finish: Callable[..., httpx.Response],
) -> None:
    url = begin()
    put(url, b"x")
    lab.faults.add(Fault("mcas", "done_upload", "after"))
    with pytest.raises(httpx.TransportError):
        finish(url)
    assert len(lab.mcas.uploads) == 1
    assert lab.requests[-1].status == 0


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("name", FINALIZE_ANSWERS)
def test_a_finalize_can_be_answered_with_200_and_no_success(
    lab: CloudLab,
    begin: Callable[..., str],
    put: Callable[..., httpx.Response],
    finish: Callable[..., httpx.Response],
    name: FinalizeAnswer,
    is_done: bool,  # noqa: FBT001 - of pytest
) -> None:
    url = begin()
    put(url, b"x")
    lab.faults.add(finalize_fault(name, is_done=is_done))
    answer = finish(url)
    assert (answer.status_code, answer.content) == (200, FINALIZE_ANSWERS[name])
    assert len(lab.mcas.uploads) == is_done
    assert finish(url).json()["success"] is True
    assert len(lab.mcas.uploads) == 1


def test_a_truncated_answer_breaks_off_after_the_work_is_done(
    lab: CloudLab, api: httpx.Client, begin: Callable[..., str], put: Callable[..., httpx.Response]
) -> None:
    url = begin()
    lab.faults.add(Fault("mcas", "streams", "truncated"), Fault("blob", "put", "truncated"))
    cut = "without sending complete message body"
    with pytest.raises(httpx.RemoteProtocolError, match=cut):
        api.get(STREAMS)
    with pytest.raises(httpx.RemoteProtocolError, match=cut):
        put(url, b"x")
    slot = lab.blobs.slot(url)
    assert slot is not None
    assert slot.size_bytes == 1
    assert [request.status for request in lab.requests] == [200, 200, 201]


def test_a_web_page_is_answered_with_a_good_status(lab: CloudLab, api: httpx.Client) -> None:
    lab.faults.add(Fault("mcas", "streams", "html"))
    answer = api.get(STREAMS)
    assert (answer.status_code, answer.text[:15]) == (200, "<!DOCTYPE html>")


def test_a_request_that_hangs_gets_no_answer(lab: CloudLab, api: httpx.Client) -> None:
    lab.faults.add(Fault("mcas", "streams", "hang"), Fault("mcas", "streams", "hang", secs=0.05))
    with pytest.raises(httpx.ReadTimeout):
        api.get(STREAMS, timeout=0.1)
    with pytest.raises(httpx.TransportError):
        api.get(STREAMS)
    assert [request.status for request in lab.requests] == [0, 0]


def test_faulty_requests_count_against_the_limit(lab: CloudLab, api: httpx.Client) -> None:
    lab.mcas.requests_per_minute = 1
    lab.faults.add(Fault("mcas", "streams", status=500, times=None))
    assert api.get(STREAMS).status_code == 500
    api.get(STREAMS)
    assert lab.complaints == ["more than 1 API requests in a minute"]


def test_the_lab_ends_all_that_is_under_way(lab: CloudLab, api: httpx.Client) -> None:
    lab.faults.add(Fault("mcas", "", "hang"), Fault("mcas", "", "latency", secs=3600))
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            api.get(STREAMS, timeout=0.1)
    port = httpx.URL(lab.api_url).port
    lab.__exit__()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port or 0))


def test_what_is_no_http_is_refused(lab: CloudLab) -> None:
    port = httpx.URL(lab.control_url).port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=5) as connection:
        connection.sendall(b"\x00\xff\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 400"
