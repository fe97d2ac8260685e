"""Proofs that a backward pass is right: of every operation here, and of anybody's own layer."""

from sigconv.verification.own import verify
from sigconv.verification.report import Row, Verification
from sigconv.verification.run import verify_all

__all__ = ["Row", "Verification", "verify", "verify_all"]
