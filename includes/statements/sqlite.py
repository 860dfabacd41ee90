"""What statements change that may hurt, by how they begin: those that only some databases know."""

STATEMENTS: dict[str, str] = {}
#: Of ALTER TABLE.
ACTIONS: dict[str, str] = {}
