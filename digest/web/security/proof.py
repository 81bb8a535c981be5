"""Ask browsers for a proof of work (ALTCHA, self-hosted): half a second for a reader, costly for a bot."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from altcha import Payload, create_challenge, verify_solution

PROOF_COST = 2_000  # hash rounds of one guess; a solution takes about 256 guesses
_ALGORITHM = "PBKDF2/SHA-256"
_LIFE = timedelta(hours=4)  # as long as a form may stay open
_LONGEST = 4_000  # characters; a genuine solution is shorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """Makes challenges and checks their solutions."""

    secret: bytes = field(repr=False)
    clock: Callable[[], datetime]
    cost: int = PROOF_COST

    def challenge(self) -> str:
        """Return a new challenge as JSON, in the format of ALTCHA version 2."""
        until = int((self.clock() + _LIFE).timestamp())
        made = create_challenge(_ALGORITHM, self.cost, data={"until": until}, hmac_secret=self.secret)
        return json.dumps(made.to_dict())

    def check(self, solution: str) -> str | None:
        """Return the name of the challenge that a text solves, or None when it solves none of ours.

        The library accepts a solution repeatedly. The caller must make sure that each name is used once.
        """
        if not solution or len(solution) > _LONGEST or not solution.isascii():
            return None
        try:
            payload = Payload.from_dict(_read(solution))
            solved = verify_solution(payload, self.secret).verified
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        data = payload.challenge.parameters.data
        if not solved or not isinstance(data, dict) or self.clock().timestamp() > data["until"]:
            return None
        return str(payload.challenge.signature)


def _read(solution: str) -> Any:
    return json.loads(base64.b64decode(solution, validate=True))
