"""Proofs that a backward pass is right: for every operation here, and for a user's own layer."""

from sigconv.verification.own import verify
from sigconv.verification.report import Row, Verification
from sigconv.verification.run import verify_all

__all__ = ["Row", "Verification", "verify", "verify_all"]
