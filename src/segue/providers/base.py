"""The port of a provider, under the name of its package (`segue.model.request` defines it)."""

from segue.model.request import ModelOutcome, ModelRequest, Provider

__all__ = ["ModelOutcome", "ModelRequest", "Provider"]
