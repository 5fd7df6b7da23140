"""The verdict on a loss that losscodegen did not write, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from losscodegen.judge.certificate import Certificate
from losscodegen.judge.diagnoses import Diagnosed
from losscodegen.judge.point import Entry
from losscodegen.judge.shrink import Shrunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The certificate of a module, and in words what is wrong with it.

    ``returns`` is what it gives for a batch; ``judged`` the parameters that it was judged at alone.
    """

    certificate: Certificate
    module: str
    returns: str
    arguments: Mapping[str, str]
    judged: Mapping[str, Entry]
    diagnosis: Diagnosed | None = None
    smallest: Shrunk | None = None

    @property
    def passed(self) -> bool:
        return self.certificate.passed

    def as_dict(self) -> dict[str, Any]:
        """The certificate as it is for generated modules, with what is known of this one."""
        return {
            **self.certificate.as_dict(),
            "module": self.module,
            "returns": self.returns,
            "arguments": dict(self.arguments),
            "judged_at": {n: str(e) for n, e in self.judged.items()},
            "diagnosis": None if self.diagnosis is None else asdict(self.diagnosis),
            "smallest": None if self.smallest is None else self.smallest.as_dict(),
        }
