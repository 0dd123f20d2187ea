"""The doctor looks at what is ours: keys, campaigns, templates, and the limits of this process.

Owns: those checks. Must not: reach for any service.
"""

import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Final

from postcart.content.lint import lint_templates
from postcart.errors import ConfigurationError
from postcart.settings import Settings, known_settings, variable
from postcart.settings.model import LOOPBACK
from postcart.wiring.doctor.finding import Finding, fail, ok, warn
from postcart.wiring.rules import active_campaign, messages

_FOR_TRIALS: Final = (
    "identity_key",
    "master_key",
    "unsubscribe.token_secret",
    "unsubscribe.base_url",
    "shop.from_address",
    "shop.postal_address",
)
"""Settings whose defaults everybody knows, or that law and mailbox providers want to be true."""
_FILES_LEAST, _FILES_GOOD = 256, 4_096
_DISK_LEAST: Final = 200 * 1024 * 1024


def own_findings(settings: Settings) -> Iterator[Finding]:
    """All of them, in order."""
    yield trial_secrets(settings)
    yield _guarded("campaign", lambda: _campaign(settings))
    yield _guarded("messages", lambda: _messages(settings))
    yield _templates(settings)
    yield _metrics_port(settings)
    yield files()
    yield _disk()


def is_local(settings: Settings) -> bool:
    """Whether broker and mail server are on this machine: a trial."""
    hosts = {address.strip().rpartition(":")[0] for address in settings.bootstrap.split(",")}
    return hosts <= LOOPBACK and settings.smtp.host in LOOPBACK


def trial_secrets(settings: Settings) -> Finding:
    """Settings that are still what everybody knows: fine for a trial on this machine only."""
    known = dict(known_settings())
    trial = [
        variable(path.split("."))
        for path in _FOR_TRIALS
        if not settings.is_set(path) or _value(settings, path) == known[tuple(path.split("."))].default
    ]
    if not trial:
        return ok("secrets", "keys, secrets and sender are your own")
    detail = f"at their defaults, which everybody knows: {', '.join(trial)}"
    todo = "set them (`openssl rand -base64 32` makes keys), and keep them for ever: what they sealed needs them"
    if is_local(settings):
        return warn("secrets", f"{detail}; good enough for a trial on this machine", todo)
    return fail("secrets", detail, todo)


def _value(settings: Settings, path: str) -> object:
    value: object = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _campaign(settings: Settings) -> Finding:
    campaign = active_campaign(settings)
    return ok("campaign", f"{campaign.name} {campaign.version} in {settings.campaigns_dir} is valid")


def _messages(settings: Settings) -> Finding:
    told = messages(settings)
    if settings.messages_file is None:
        return ok("messages", "nothing is told of orders and parcels: POSTCART_MESSAGES_FILE is not set")
    occasions = ", ".join(told.by_occasion)
    return ok("messages", f"{told.name} {told.version} in {settings.messages_file} is valid: {occasions}")


def _templates(settings: Settings) -> Finding:
    problems = [str(problem) for problem in lint_templates(settings.templates_dir, settings.locales_dir)]
    if problems:
        return fail("templates", "; ".join(problems[:5]), "`postcart config check` lists all of it")
    return ok("templates", f"{settings.templates_dir} and {settings.locales_dir} are valid")


def _metrics_port(settings: Settings) -> Finding:
    if settings.metrics_port:
        return ok("metrics", f"/metrics, /live and /ready on port {settings.metrics_port}")
    return warn("metrics", "POSTCART_METRICS_PORT is 0: nobody can watch workers started like this", "set it, say 9100")


def files() -> Finding:
    """How many files and connections this process may have."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _FILES_GOOD:
        return ok("open files", "enough may be open" if soft == resource.RLIM_INFINITY else f"{soft} may be open")
    todo = f"raise it (`ulimit -n {_FILES_GOOD}`, LimitNOFILE): connections to brokers and mail server need them"
    return (fail if soft < _FILES_LEAST else warn)("open files", f"only {soft} files may be open at once", todo)


def _disk() -> Finding:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    detail = f"{free // (1024 * 1024):,} MB free in {folder}"
    if free < _DISK_LEAST:
        return warn("disk", detail, "make room: workers keep nothing there, but commands and the read model do")
    return ok("disk", detail)


def _guarded(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except ConfigurationError as error:
        return fail(check, "; ".join(error.problems), "mend that; `postcart config check` looks at it again")
