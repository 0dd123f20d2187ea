"""A webhook's receiver that would lead the sender to other machines.

Owns: that row: a name that changes its address, answers that redirect, and an ear at the place they lead to. Must not:
resolve a name anywhere but in the worker.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from faults.channels import Ledger, open_channels
from faults.scenario import Outcome, Surroundings
from postcart.adapters.sandbox.certificate import certificate
from postcart.adapters.sandbox.webhook import Delivery, WebhookSandbox
from postcart.adapters.web_server import WebServer
from stream.channel_rig import ROOT
from stream.sender_rig import now_ms

_HOST, _HERE, _THERE = "hooks.example", "127.0.0.1", "127.0.0.2"
_RESOLVER = f"""\
import itertools, socket

_ask, _turn = socket.getaddrinfo, itertools.count(1)


def _answer(host, *args, **kwargs):
    if host not in ("{_HOST}", b"{_HOST}"):
        return _ask(host, *args, **kwargs)
    return _ask("{_THERE}" if next(_turn) % 8 == 0 else "{_HERE}", *args, **kwargs)


socket.getaddrinfo = _answer
"""
"""What the worker's Python begins with: a resolver that every eighth time names another address."""


@contextmanager
def _ear(port: int) -> Iterator[list[object]]:
    """Whoever connects to that port of the other address."""
    heard: list[object] = []
    with socket.create_server((_THERE, port)) as listening:

        def listen() -> None:
            while True:
                try:
                    connection, who = listening.accept()
                except OSError:
                    return
                heard.append(who)
                connection.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield heard
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def elsewhere(about: Surroundings) -> Outcome:
    """Every tenth answer redirects, every eighth look at the name leads elsewhere; refused jobs come back.

    So few that no job is refused ten times: that would be the end of it.
    """
    ledger, turns = Ledger(), iter(range(1_000_000_000))
    (about.folder / "tls").mkdir()
    (about.folder / "sitecustomize.py").write_text(_RESOLVER)
    tls = certificate(about.folder / "tls", now_ms=now_ms(), names=(_HOST,))
    sandbox = WebhookSandbox(bytes(range(32)), now_ms=now_ms, tell=ledger)
    with WebServer(sandbox.app, tls=tls, drain_s=1).running() as web, _ear(web.port) as heard:
        places = (
            f"http://{_THERE}:{web.port}/latest/meta-data/",
            f"https://{_THERE}:{web.port}/",
            f"//{_THERE}:{web.port}",
        )

        def reply(_: Delivery) -> tuple[int, dict[str, str]]:
            turn = next(turns)
            return (307, {"location": places[turn // 10 % len(places)]}) if turn % 10 == 0 else (204, {})

        sandbox.reply = reply
        variables = {
            "POSTCART_WEBHOOK__URL": f"https://{_HOST}:{web.port}/hook",
            "POSTCART_WEBHOOK__PORTS": f"[{web.port}]",
            "POSTCART_WEBHOOK__ALLOWED_NETWORKS": f'["{_HERE}/32"]',
            "POSTCART_WEBHOOK__CA_FILE": str(tls.certificate),
            "PYTHONPATH": f"{about.folder}:{ROOT / 'src'}",
        }
        with open_channels(about, ledger=ledger, impatient=True, **variables) as world:
            world.meet("webhook")
            for _ in range(about.events):
                world.emit("webhook")
            world.rig.start("webhook", "worker", "send", "webhook")
            world.settle()
            statuses = {receipt.status for receipt in world.receipts() if receipt.outcome == "not_accepted"}
            problems = [f"{len(heard)} connections elsewhere"] if heard else []
            problems += [f"no job was refused as {status}" for status in ("307", "unsafe") if status not in statuses]
            return world.outcome(problems)
