"""Whole files, with what is around upgrade()."""

FILES = {
    "said for the file": """
# safe: drop-column nobody uses these any more


def upgrade():
    op.drop_column("{t}", "nickname")
    op.drop_column("{t}", "number")


def downgrade():
    raise NotImplementedError
""",
    "no way back": '''
def upgrade():
    op.create_table("{t}x", sa.Column("a", sa.Integer))


def downgrade():  # -> no-downgrade
    """Nothing."""
''',
    "imports": """
from {package}.features import load_models  # -> imports-application
from {package}.migrations.toolkit import history


def upgrade():
    import {package}.database  # -> imports-application


def downgrade():
    raise NotImplementedError
""",
}
