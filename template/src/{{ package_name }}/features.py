"""Find the features: every folder beside this file that has a models.py or a router.py."""

from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from fastapi import APIRouter
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession

from .database import Base

AddExamples = Callable[[AsyncSession], Awaitable[None]]


def load_models() -> MetaData:
    """Every feature's tables."""
    for _ in _modules("models"):
        pass
    return Base.metadata


def routers() -> list[APIRouter]:
    load_models()  # A relationship may name a class of a feature without a router.
    return [module.router for module in _modules("router")]


def examples() -> list[AddExamples]:
    """The features' functions that add example rows for development."""
    return [module.add_examples for module in _modules("examples")]


def _modules(name: str) -> Iterator[ModuleType]:
    for folder in sorted(Path(__file__).parent.iterdir()):
        if (folder / f"{name}.py").is_file():
            yield import_module(f".{folder.name}.{name}", __package__)
