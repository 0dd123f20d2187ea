"""A worker as the product's wiring makes it, with places at which a test may hurt it.

Owns: installing hooks around the composed worker. Must not: be imported by the product, or change what a worker does
where no hook strikes.

Usage: ``python worker.py TOLD`` with a JSON object, see ``Told``; settings come from the environment as always.

A hook looks for the file ``control``: ``{"point": …, "action": …}``. At that point it renames the file to
``control.fired`` and acts. Points of a sender: those of ``FaultPoint``; of every worker's transactions: ``begun``,
``produced``, ``offsets``, ``committed``; of a stage also ``amid``: a batch was taken in that others follow at once.
"""

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))  # what tests share: this is a program of its own

from halting import halt
from postcart.adapters.rdkafka import transaction
from postcart.errors import PostcartError, exit_code
from postcart.settings import load_settings
from postcart.wiring.logging import configure_logging

Kind = Literal["detect", "journey", "email"]


class Told(msgspec.Struct, kw_only=True):
    """What a test tells the process."""

    kind: Kind
    control: str
    """File that arms a hook."""
    limits: dict[str, float] = {}
    """Of the sender."""
    crash_on: str = ""
    """Text in a record that aborts the process when the stage, or the renderer, takes it up; empty: none."""
    descriptors: int = 0
    """Most open files; 0: as the machine has it."""


def run_of(kind: Kind) -> Callable[..., int]:
    """The product's wiring of this kind, imported only now: a process starts by importing, and many are started."""
    if kind == "email":
        from postcart.wiring import sender  # noqa: PLC0415

        return partial(sender.run_send, name=kind)
    from postcart.wiring import workers  # noqa: PLC0415

    return {"detect": workers.run_detect, "journey": workers.run_journey}[kind]


class Hook:
    """Acts once when it is armed for the point that is passed."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def __call__(self, point: str) -> None:
        """Pass the point."""
        if not self._control.exists():  # asked so, it takes no descriptor: a worker may have none left
            return
        try:
            armed = msgspec.json.decode(self._control.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return
        if armed["point"] != point:
            return
        self._control.rename(self._control.with_suffix(".fired"))
        if armed["action"] == "abort":
            os.abort()
        halt(signal.SIGKILL if armed["action"] == "kill" else signal.SIGSTOP)


def hook_transactions(hook: Hook) -> None:
    """Pass the points of a transaction."""

    class Producer(transaction.Producer):  # type: ignore[misc,name-defined]
        """As librdkafka's, with hooks."""

        def begin_transaction(self, *args: Any) -> Any:
            done = super().begin_transaction(*args)
            hook("begun")
            return done

        def send_offsets_to_transaction(self, *args: Any) -> Any:
            hook("produced")
            done = super().send_offsets_to_transaction(*args)
            hook("offsets")
            return done

        def commit_transaction(self, *args: Any) -> Any:
            done = super().commit_transaction(*args)
            hook("committed")
            return done

    transaction.Producer = Producer  # type: ignore[attr-defined]


def hook_sender(hook: Hook, told: Told) -> None:
    """Pass the points of a sender, with the limits that were told."""
    from postcart.wiring import sender  # noqa: PLC0415

    compose = sender.sender_config

    def composed(*args: Any, **kwargs: Any) -> Any:
        config = compose(*args, **kwargs)
        if told.crash_on:
            _abort_in(config.adapter, "prepare", lambda job, *_: told.crash_on in job.template)
        return replace(config, fault=hook, limits=replace(config.limits, **told.limits))

    sender.sender_config = composed


def hook_stage(name: str, hook: Hook, told: Told) -> None:
    """Pass the point between two batches of a turn; abort when a task takes up the record that crashes it."""
    from postcart.wiring import workers  # noqa: PLC0415

    compose = getattr(workers, f"{name}_spec")

    def composed(*args: Any, **kwargs: Any) -> Any:
        spec = compose(*args, **kwargs)

        def task(partition: int) -> Any:
            made = spec.task(partition)
            if told.crash_on:
                _abort_in(made, "process", lambda batch: any(_holds(record, told.crash_on) for record in batch.records))
            process = made.process

            def processed(batch: Any) -> None:
                process(batch)
                if batch.more:
                    hook("amid")

            made.process = processed
            return made

        return replace(spec, task=task)

    setattr(workers, f"{name}_spec", composed)


def _holds(record: Any, text: str) -> bool:
    return text.encode() in (record.value() or b"")


def _abort_in(owner: Any, method: str, strikes: Callable[..., bool]) -> None:
    proper = getattr(owner, method)

    def hooked(*args: Any, **kwargs: Any) -> Any:
        if strikes(*args):
            os.abort()
        return proper(*args, **kwargs)

    setattr(owner, method, hooked)


def _end_with_the_harness() -> None:
    os.read(0, 1)  # the harness holds the other end and never writes; sys.stdin's lock would abort a polite end
    os._exit(1)


def main() -> int:
    """Run the worker."""
    told = msgspec.json.decode(sys.argv[1], type=Told)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if told.descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (told.descriptors, told.descriptors))
    threading.Thread(target=_end_with_the_harness, name="lifeline", daemon=True).start()
    configure_logging(level="info", form="json")
    hook = Hook(Path(told.control))
    hook_transactions(hook)
    if told.kind == "email":
        hook_sender(hook, told)
    else:
        hook_stage(told.kind, hook, told)
    try:
        return run_of(told.kind)(load_settings(os.environ, None))  # noqa: TID251 -- a program of its own
    except PostcartError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
