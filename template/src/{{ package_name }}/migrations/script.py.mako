<%
    # A message may hold what means something in a docstring.
    title = (message or "").replace("\\", "\\\\").replace('"""', r'\"\"\"')
%>\
"""${title}

Revision ID: ${up_revision}
Revises:${' ' if down_revision else ''}${comma(down_revision)}
Create Date: ${create_date.strftime("%Y-%m-%d %H:%M:%S %Z")}
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision: str = ${repr(up_revision)}
down_revision: str | Sequence[str] | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = ${repr(branch_labels)}
depends_on: str | Sequence[str] | None = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
