"""The parts of the program that operations on editions use; the App has all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from digest.config.parts import Parts
from digest.message.build import MessageSettings
from digest.model.editions import Edition
from digest.model.messages import Email, ReaderLinks, Transport
from digest.send.outbox import Outbox
from subscribers.model import Frequency

RenderEdition = Callable[[Edition, ReaderLinks, str], Email]  # the last argument is the reader's language


class EditionParts(Parts, Protocol):
    """The parts that are needed to compose, preview and send editions."""

    def render(self, edition: Edition, links: ReaderLinks, language: str = "") -> Email:
        """Return the email of an edition for a reader of `language`."""

    def message_settings(self) -> MessageSettings:
        """Return the settings that all messages of this publisher share."""

    def transport(self) -> Transport:
        """Return a new transport: the mail servers, or the folder if there are none."""

    def outbox(self) -> Outbox:
        """Return everything that the verb send needs."""

    def offers(self) -> Mapping[str, frozenset[Frequency]]:
        """Return the frequencies that readers of each digest may choose besides each edition."""
