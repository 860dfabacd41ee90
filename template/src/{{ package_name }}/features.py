"""Find the features: every folder beside this file that has a models.py or a router.py.

What they need is imported with them: a command that needs no feature does not wait for it.
"""

from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter
    from sqlalchemy import MetaData
    from sqlalchemy.ext.asyncio import AsyncSession

AddExamples = Callable[["AsyncSession"], Awaitable[None]]


def load_models() -> "MetaData":
    """Every feature's tables."""
    from .database import Base

    for _ in _modules("models"):
        pass
    return Base.metadata


def routers() -> "list[APIRouter]":
    load_models()  # A relationship may name a class of a feature without a router.
    return [module.router for module in _modules("router")]


def examples() -> list[AddExamples]:
    """The features' functions that add example rows for development."""
    return [module.add_examples for module in _modules("examples")]


def _modules(name: str) -> Iterator[ModuleType]:
    for folder in sorted(Path(__file__).parent.iterdir()):
        if (folder / f"{name}.py").is_file():
            yield import_module(f".{folder.name}.{name}", __package__)
