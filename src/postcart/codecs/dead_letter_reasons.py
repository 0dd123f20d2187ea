"""Why records die: what each reason means, and what to do about it.

Owns: that table, which is both the command's hint and the section in docs/errors.md. Must not: decide what is dead.
"""

from typing import Final, NamedTuple

RENDER: Final = "render"
"""The reason that is no ``UnreadableRecord``: a job whose template failed."""


class Advice(NamedTuple):
    """What is known of a reason: ``meaning`` completes "the record is", ``remedy`` says what to do."""

    meaning: str
    remedy: str


REASONS: Final[dict[str, Advice]] = {
    "framing": Advice(
        "Neither JSON nor one of the two Avro framings, or empty.",
        "Look at the first bytes in `postcart dead show ID`: another producer may write to this topic, or compress or"
        " encrypt by itself. Mend the producer. What the event was can be written anew with `postcart dead edit ID`.",
    ),
    "schema_unknown": Advice(
        "Avro, by a schema that neither the registry nor `schemas/` has.",
        "Check `POSTCART_SCHEMA_REGISTRY_URL`, register the schema there, or bring a release that has it. Then"
        " `postcart dead redrive --reason schema_unknown --check` says how many can be read now.",
    ),
    "decode": Advice(
        "Damaged, or not by the schema that it names.",
        "`postcart dead show ID` points at the byte where reading ends. A producer that cuts off or escapes wrongly has"
        " to be mended; single records are mended with `postcart dead edit ID`.",
    ),
    "invalid": Advice(
        "Readable, but a field is missing or not allowed.",
        "`postcart dead show ID` names every field that is wrong; `postcart dead edit ID --set FIELD=VALUE` mends one"
        " record. If many have the same fault, mend the producer and let it send them again.",
    ),
    "oversized": Advice(
        "Larger than what is allowed.",
        "The letter keeps the first 64 KiB and the place of the rest. `postcart dead edit ID` makes it smaller, as long"
        " as the original is still in its topic.",
    ),
    "key_missing": Advice(
        "Without a key, so nobody can say to which partition it belongs.",
        "`postcart dead redrive --rekey` writes it under the visitor or person that it is about. Let the producer set"
        " the key.",
    ),
    "key_sentinel": Advice(
        "The key stands for nobody: `guest`, `null`, `0` … All nobodies would become one visitor.",
        "If the event itself names a visitor: `postcart dead redrive --rekey`; else `postcart dead edit ID --set"
        " visitor_id=…` with the real one, if it is known anywhere. Let the producer leave such events out.",
    ),
    "key_mismatch": Advice(
        "The key is not the visitor or person that the record is about.",
        "`postcart dead redrive --rekey` writes it under the right key. Let the producer set that key: `postcart topics"
        " check` tells which.",
    ),
    "status_unknown": Advice(
        "A carrier's status that no file under `carriers/` gives a meaning to.",
        "The detail names the word and the file. Add it there, restart the `track` workers, then `postcart dead redrive"
        " --reason status_unknown`.",
    ),
    "answer": Advice(
        "A question to a carrier whose answer is not as its file under `carriers/answers/` says.",
        "The detail says what is wrong, the header `answer` holds what came. Mend the file, or ask the provider what"
        " has changed, restart the `poll` workers, then `postcart dead redrive --reason answer` asks again. Parcels on"
        " their way are asked about again anyway.",
    ),
    RENDER: Advice(
        "A job whose template failed; its receipt says rejected.",
        "The detail names file, line and variable. Mend the template, try it with `postcart preview`, roll it out, then"
        " `postcart dead redrive --reason render`: each job is sent as a new revision, and never if it was accepted or"
        " is uncertain.",
    ),
    "crashed": Advice(
        "The process ended, again and again, while it worked on this record.",
        "A fault of Postcart or of a library: report it with `postcart dead show ID`. Redrive it after an update only:"
        " with the same release it ends the worker as before, until it is set aside once more.",
    ),
}
"""Reason → advice. Every reason of ``UnreadableRecord`` is in it; a test holds that."""

_UNKNOWN: Final = Advice("A reason that this release does not know.", "Use the release that the workers run.")


def advice(reason: str) -> Advice:
    """What is known of ``reason``, also if a newer release set the record aside."""
    return REASONS.get(reason, _UNKNOWN)


def anchor(reason: str) -> str:
    """The heading in docs/errors.md about it, as a link's target."""
    return reason.replace("_", "-") if reason in REASONS else "unreadable"
