"""``postcart dead edit``: one record, mended by hand.

Owns: the command: where the change comes from, the diff, and how refusals are told. Must not: judge the record (codecs)
or write it (adapters.dead_letters).
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from postcart.cli.dead.options import ByOption, DeadPlace, UnmaskOption, dead_place, now_ms, who
from postcart.cli.dead.showing import LetterArgument, put_on_record, the_letter
from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_json

if TYPE_CHECKING:
    from postcart.adapters.dead_letters import Case
    from postcart.codecs.dead_letter_edit import Revision
    from postcart.codecs.field_problems import FieldProblem
    from postcart.codecs.payload_forms import Form
    from postcart.codecs.topic_contracts import TopicContract


_LONG = 300


def edit(  # noqa: PLR0917 -- typer calls it by name
    letter_id: LetterArgument,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change a field, as lines[0].quantity=2.")
    ] = None,
    unsets: Annotated[list[str] | None, typer.Option("--unset", metavar="FIELD", help="Take a field away.")] = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="FILE", help="Take the whole record from a file; - for stdin.")
    ] = None,
    rekey: Annotated[bool, typer.Option("--rekey", help="Change nothing but the key.")] = False,
    print_: Annotated[
        bool, typer.Option("--print", help="Print the record, to be edited and given by --file.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--as-json", help="Write JSON, also if the record came in an Avro framing.")
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Write it; without this only the diff is shown.")] = False,
    unmask: UnmaskOption = False,
    by: ByOption = None,
    output: OutputOption = "table",
) -> None:
    """Change one record, check it, and write it to its topic.

    Without --set, --unset, --file and --rekey an editor opens ($VISUAL, $EDITOR). The result is judged by the decoder
    of the stage that set it aside, all problems at once. The key follows from the record, Avro stays Avro, an event
    keeps its id. A job becomes a new revision, and is refused if it was accepted, is uncertain or is on its way.
    Contact data is masked; a mask that is left as it is stands for what it hides. Exit code 1 if it was refused.
    """
    from postcart.adapters.dead_letters import settled  # noqa: PLC0415

    place = dead_place()
    case = the_letter(place, letter_id)
    session = _Session(place, case, unmask=unmask)
    if unmask:
        put_on_record(place, case, by)
    if print_:
        typer.echo(session.text(session.form.document))
        return
    if (told := settled(case)) is not None:
        _refuse(told)
    document = session.changed(sets or [], unsets or [], file=file, rekey=rekey)
    revised = session.revise(document, as_json=as_json)
    if isinstance(revised, list):
        _refuse_problems(revised)
    session.refuse_job()
    if output == "table":
        typer.echo(session.diff(revised), nl=False)
    if execute:
        session.write(revised, who(by))
    if output == "json":
        print_json(session.report(revised, executed=execute))
    say(f"changed: {', '.join(revised.fields) or 'nothing but the revision'}")
    say(f"written to {case.letter.topic}" if execute else "nothing was written; add --execute to do it")


class _Session:
    """A letter under the operator's hands."""

    def __init__(self, place: DeadPlace, case: "Case", *, unmask: bool) -> None:
        from postcart.adapters.dead_letters import original_value  # noqa: PLC0415
        from postcart.codecs.payload_forms import taken_apart  # noqa: PLC0415
        from postcart.wiring.dead_letters import job_topics, topic_contracts  # noqa: PLC0415

        contract = topic_contracts(place.settings).get(case.letter.topic)
        if contract is None:
            _refuse(f"{case.letter.topic} is no topic of these settings: check POSTCART_TOPIC_PREFIX and _SHOP_PREFIX")
        self._place, self._case, self._unmask = place, case, unmask
        self._contract: TopicContract = contract
        self._jobs = job_topics(place.settings)
        try:
            self._original = original_value(place.client, case.letter)
        except LookupError:
            say("the whole original is gone from its topic; what is left of it are the first 64 KiB")
            self._original = case.letter.value
        self.form: Form = taken_apart(self._original, contract.subject, contract.registry)

    def text(self, document: Any) -> str:
        """A document as it is edited; where there is none, the original as far as it is text."""
        from postcart.codecs.contact_masking import masked, masked_text  # noqa: PLC0415

        if document is not None:
            shown = document if self._unmask else masked(document)
            return json.dumps(shown, indent=2, ensure_ascii=False)
        if self.form.read_as != "text" or self._original is None:
            say("the record can't be taken apart; write it anew, as a JSON object")
            return "{}"
        plain = self._original.decode()
        return plain if self._unmask else masked_text(plain)

    def changed(self, sets: list[str], unsets: list[str], *, file: str | None, rekey: bool) -> Any:
        """The document as the operator wants it, with what is masked put back."""
        from postcart.codecs.dead_letter_edit import with_value, without  # noqa: PLC0415

        document = self.form.document
        if file is not None:
            document = self._parsed(_read(file))
        elif not (sets or unsets or rekey):
            document = self._parsed(_from_editor(self.text(document)))
        if document is None:
            _refuse("the record can't be taken apart, so there are no fields; give it whole: --print, then --file")
        try:
            for path in unsets:
                document = without(document, path)
            for one in sets:
                path, equals, text = one.partition("=")
                if not equals:
                    raise typer.BadParameter(f"{one}: write FIELD=VALUE", param_hint="--set")
                document = with_value(document, path, text, self._contract)
        except ValueError as error:
            _refuse(str(error))
        return document

    def revise(self, document: Any, *, as_json: bool) -> "Revision | list[FieldProblem]":
        """The record of it, or what is wrong."""
        from postcart.adapters.dead_letters import REVISION_HEADER, header  # noqa: PLC0415
        from postcart.codecs.dead_letter_edit import revise  # noqa: PLC0415

        earlier = header(self._case.letter, REVISION_HEADER) or ""
        return revise(
            self._original,
            self._case.letter.key,
            document,
            form=self.form,
            contract=self._contract,
            earlier=int(earlier) if earlier.isdigit() else 0,
            as_json=as_json,
        )

    def refuse_job(self) -> None:
        """A dry run says so already; before it is written it is looked at once more."""
        from postcart.adapters.dead_letters import standing_of  # noqa: PLC0415
        from postcart.codecs.topic_contracts import job_of  # noqa: PLC0415
        from postcart.domain.revisions import refusal  # noqa: PLC0415

        job = job_of(self._original) if self._contract.is_jobs else None
        if job is not None:
            told = refusal(standing_of(self._place.client, self._jobs, job))
            if told is not None:
                _refuse(f"job {job.job_id} is not sent again: {told}")

    def write(self, revised: "Revision", by: str) -> None:
        """Do it, or say why not."""
        from postcart.adapters.dead_letters import write_revision  # noqa: PLC0415
        from postcart.domain.revisions import REFUSED  # noqa: PLC0415

        why = write_revision(
            self._place.client,
            self._place.topic,
            revised,
            case=self._case,
            original=self._original,
            contract=self._contract,
            jobs=self._jobs,
            by=by,
            now_ms=now_ms(),
        )
        if why is not None:
            _refuse({f"{name}": text for name, text in REFUSED.items()}.get(why, why))

    def diff(self, revised: "Revision") -> str:
        """Unified; the key is its first line. Masked where not asked otherwise."""
        lines = unified_diff(
            self._lines(self._case.letter.key, self.form.document),
            self._lines(revised.key, revised.document),
            f"{self._case.letter.topic} as it died",
            f"{self._case.letter.topic} revision {revised.number}",
        )
        return "".join(lines)

    def report(self, revised: "Revision", *, executed: bool) -> dict[str, Any]:
        """For programs."""
        from hashlib import sha256  # noqa: PLC0415

        return {
            "id": self._case.letter.id,
            "executed": executed,
            "topic": self._case.letter.topic,
            "revision": revised.number,
            "fields": revised.fields,
            "diff": self.diff(revised),
            "old_sha256": sha256(self._original or b"").hexdigest(),
            "new_sha256": sha256(revised.value).hexdigest(),
        }

    def _lines(self, key: bytes | None, document: Any) -> list[str]:
        from postcart.codecs.contact_masking import masked_text  # noqa: PLC0415
        from postcart.codecs.dead_letter_view import as_text  # noqa: PLC0415

        shown = as_text(key) or "(none)"
        text = f"key: {shown if self._unmask else masked_text(shown)}\n{self.text(document)}"
        return [_shortened(line) + "\n" for line in text.splitlines()]

    def _parsed(self, text: str) -> Any:
        from postcart.codecs.contact_masking import restored  # noqa: PLC0415

        try:
            document = json.loads(text)
            if self._unmask:
                return document
            plain = (self._original or b"").decode("utf-8", "replace")
            return restored(document, plain if self.form.document is None else self.form.document)
        except json.JSONDecodeError as error:
            _refuse(f"that is no JSON: line {error.lineno}, column {error.colno}: {error.msg}")
        except ValueError as error:
            _refuse(str(error))


def _shortened(line: str) -> str:
    """A line as a diff shows it; two long ones that differ only behind that still look different by their length."""
    return line if len(line) <= _LONG else f"{line[:_LONG]}… ({len(line):,} characters)"


def _refuse_problems(problems: "list[FieldProblem]") -> NoReturn:
    say(f"error: {len(problems)} problem{'s' if len(problems) > 1 else ''}; nothing was written")
    for one in problems:
        say(f"  {one.field or '(the record)'}: {one.problem}")
    raise typer.Exit(Exit.FINDING)


def _refuse(why: str) -> NoReturn:
    say(f"error: {why}")
    raise typer.Exit(Exit.FINDING)


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{name}: {error}", param_hint="--file") from None


def _from_editor(text: str) -> str:
    """What the operator makes of it. The file is readable for nobody else, and goes afterwards."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("without a terminal say what to change: --set, --unset, --file or --rekey")
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="postcart-") as folder:
        path = Path(folder) / "letter.json"
        path.write_text(text + "\n", encoding="utf-8")
        try:
            ended = subprocess.run([*command, str(path)], check=False)  # noqa: S603 -- the operator's own editor
        except OSError as error:
            _refuse(f"{command[0]}: {error.strerror}; name another in $EDITOR")
        if ended.returncode:
            _refuse(f"{command[0]} ended with {ended.returncode}; nothing was written")
        return path.read_text(encoding="utf-8")
