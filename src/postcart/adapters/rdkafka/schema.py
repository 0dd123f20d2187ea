"""Identity codec: the value of a Faust event is the batch itself.

Owns: that Faust decodes nothing. Must not: look into a batch.
"""

from typing import Any

from faust.serializers.schemas import Schema


class BatchSchema(Schema[Any, Any]):
    """Hands batches through; records are decoded by the stage, many at a time."""

    def compile(self, app: Any, **_: Any) -> Any:
        """Function that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001
            return create_event(None, message.value, None, message)

        return decode
