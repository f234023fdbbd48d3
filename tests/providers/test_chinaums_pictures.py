"""A picture is sent while it is made: what a broken line leaves of it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest
from provider_world import World, soon

from emulator.acquirer.ca import Authority
from emulator.faults import Fault
from posctl.model.deadline import Deadline
from posctl.model.errors import LinkFailed, LinkTimeout
from posctl.providers import Picture

FRONT = Picture("card_front", "card front", "image/jpeg")
LARGE = bytes(range(256)) * 6000  # 1.5 MB


@pytest.mark.req("R41")
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("pic_upload", "refuse_before"), "host.lost"),
        (Fault("pic_upload", "drop_answer"), "host.lost"),
        (Fault("pic_upload", "http_500"), "host.status"),
        (Fault("pic_upload", "garbage", body=b"<html>"), "provider.answer"),
    ],
    ids=lambda value: value.action if isinstance(value, Fault) else None,
)
def test_a_lost_upload_can_be_done_again(world: World, fault: Fault, code: str) -> None:
    world.service.faults.add(fault)
    with pytest.raises(LinkFailed) as caught:
        world.provider.upload(FRONT, LARGE, soon())
    assert (caught.value.code, caught.value.params["sent"]) == (code, True)
    held = world.provider.upload(FRONT, LARGE, soon())
    assert held.size == str(len(LARGE))


@pytest.mark.req("R43")
@pytest.mark.parametrize("cuts", [True, False], ids=["cut", "never read"])
def test_a_host_that_takes_only_the_beginning(
    world: World, authority: Authority, cuts: bool
) -> None:
    context, done = authority.server_context(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(1000)
                    done.wait(0 if cuts else 10)

        thread = threading.Thread(target=take)
        thread.start()
        provider = world.opened(url=f"https://127.0.0.1:{server.getsockname()[1]}")
        try:
            with pytest.raises(LinkFailed) as caught:
                provider.upload(FRONT, LARGE, Deadline(1.0))
        finally:
            done.set()
            thread.join()
    assert isinstance(caught.value, LinkTimeout) != cuts
    assert caught.value.params["sent"] is True
