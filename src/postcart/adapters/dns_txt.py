"""TXT records, by the DNS server that this machine uses.

Owns: the question, and what its failures mean. Must not: judge what records say.
"""

from typing import Final

from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

LIFETIME_S: Final = 6.0

Server = tuple[str, int]


class DnsSilent(Exception):  # noqa: N818 -- names a state of the world
    """No server answers, or none that knows. Stays inside: the doctor makes a finding of it."""


def txt_records(name: str, *, server: Server | None = None, lifetime_s: float = LIFETIME_S) -> list[str]:
    """The TXT records of ``name``, each joined of its strings; none if there is no such name.

    Args:
        name: Of the records.
        server: Address and port; None: the system's.
        lifetime_s: So long it is asked.

    Raises:
        DnsSilent: No answer, or none that helps.
    """
    try:
        resolver = Resolver(configure=server is None)
        if server is not None:
            resolver.nameservers, resolver.port = [server[0]], server[1]
        answer = resolver.resolve(name, "TXT", lifetime=lifetime_s)
    except (NXDOMAIN, NoAnswer):
        return []
    except (DNSException, OSError) as error:
        raise DnsSilent(f"the DNS does not tell of {name}: {error}") from error
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
