"""Types that the features' schemas share."""

from typing import Annotated

from fastapi import Path
from pydantic import Field

#: A text that every database can store: PostgreSQL knows no NUL character.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
#: A row's key in a path.
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
