"""What was verified, as a table and as data."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from sigconv.table import Table
from sigconv.verification.proofs import MEANING, Proof


@dataclass(frozen=True)
class Row:
    """The proofs of one operation, kernel and dtype; ``notes`` say what they leave open."""

    operation: str
    kernel: str
    dtype: str
    device: str
    proofs: tuple[Proof, ...]
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return all(proof.holds for proof in self.proofs)

    def cells(self, names: list[str]) -> list[str]:
        """The row's text: the worst error of each proof, or a dash where the proof does not apply."""
        found = {proof.name: proof for proof in self.proofs}
        return [self.operation, self.kernel, self.dtype, self.device, *(_cell(found.get(name)) for name in names)]


@dataclass(frozen=True)
class Verification:
    """It is truthy, and ``holds``, if every proof does. Print it to see the worst error of each."""

    rows: tuple[Row, ...]

    @property
    def holds(self) -> bool:
        return bool(self.rows) and all(row.holds for row in self.rows)

    def __bool__(self) -> bool:
        return self.holds

    def failures(self) -> list[str]:
        return [
            f"{row.operation} ({row.kernel}, {row.dtype}, {row.device}): {proof.name}: an error of {proof.error:.3g}, "
            f"of which rounding explains {proof.bound:.3g}, in {proof.worst}"
            for row in self.rows
            for proof in row.proofs
            if not proof.holds
        ]

    def to_dict(self) -> dict[str, Any]:
        rows = [asdict(row) | {"holds": row.holds} for row in self.rows]
        return {"holds": self.holds, "torch": torch.__version__, "rows": rows}

    def __str__(self) -> str:
        present = {proof.name for row in self.rows for proof in row.proofs}
        names = [name for name in MEANING if name in present]
        header = ["operation", "kernel", "dtype", "device", *names]
        table = Table(header, [row.cells(names) for row in self.rows], left=len(header))
        legend = "The largest relative error of each proof; 0: not a bit differs; -: the proof is not for this."
        verdict = ["All proofs hold."] if self.holds else ["NOT PROVED:", *self.failures()]
        notes = [note for row in self.rows for note in row.notes]
        return "\n".join(
            [str(table), "", legend, *(f"{name}: {MEANING[name]}" for name in names), "", *verdict, *notes]
        )


def _cell(proof: Proof | None) -> str:
    if proof is None:
        return "-"
    return f"{proof.error:.1e}" + ("" if proof.holds else " FAILS") if proof.error else "0"
