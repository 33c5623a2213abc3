"""The two ports of the room: what brings alerts in, and what takes reviewed cases."""

from typing import Protocol

from casemate.connectors.feed import Feed


class Source(Protocol):
    """Where alerts come from."""

    def round(self, feed: Feed) -> None:
        """Hand over what there is by now; `ConnectorFailed` when it cannot be read."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...
