"""What statements change that may hurt, by how they begin: those that only some databases know."""

from .words import ADD_COLUMN, ADD_CONSTRAINT, NAME, TABLE

# Modes that keep nobody from writing.
LET_WRITE = "IN (?:ACCESS SHARE|ROW SHARE|ROW EXCLUSIVE|SHARE UPDATE EXCLUSIVE)"
CHANGED = (
    r"(?:WITH .*[()] ?)?(?:UPDATE |DELETE FROM |MERGE INTO )"
    rf"(?!.*\bWHERE CURRENT OF\b){TABLE}"
)

STATEMENTS = {
    rf"TRUNCATE (?:TABLE )?{TABLE}": "truncate-table",
    r"DROP (?:SCHEMA|DATABASE)\b": "drop-schema",
    r"ALTER SCHEMA .* RENAME TO\b": "rename-schema",
    r"ALTER TYPE .* RENAME VALUE\b": "rename-enum-value",
    rf"CREATE INDEX (?!CONCURRENTLY)(?:IF NOT EXISTS )?(?:{NAME} )?ON {TABLE}": "index-not-concurrent",
    r"DROP INDEX (?!CONCURRENTLY)": "drop-index-not-concurrent",
    r"REINDEX\b(?!.*\bCONCURRENTLY\b)": "reindex-not-concurrent",
    rf"(?:CLUSTER|VACUUM (?:\(.*\bFULL\b.*\)|FULL)) (?:VERBOSE )?{TABLE}": "rewrites-table",
    r"EXECUTE\b": "dynamic-sql",
    rf"LOCK (?:TABLE )?(?!.*\b{LET_WRITE} MODE\b){TABLE}": "lock-table",
    CHANGED: "unbatched-update",
}
#: Of ALTER TABLE.
ACTIONS = {
    rf"SET SCHEMA (?P<place>{NAME})": "rename-table",
    rf"{ADD_COLUMN} .*\bREFERENCES\b": "add-foreign-key",
    rf"ALTER (?:COLUMN )?{NAME} SET NOT NULL": "set-not-null",
    rf"ALTER (?:COLUMN )?{NAME} (?:SET DATA )?TYPE\b": "change-type",
    rf"{ADD_CONSTRAINT}FOREIGN KEY\b(?!.*\bNOT VALID\b)": "add-foreign-key",
    rf"{ADD_CONSTRAINT}CHECK\b(?!.*\bNOT VALID\b)": "add-check",
    rf"{ADD_CONSTRAINT}PRIMARY KEY\b(?!.*\bUSING INDEX\b)": "add-primary-key",
    rf"{ADD_CONSTRAINT}EXCLUDE\b": "add-exclusion",
    r"DETACH PARTITION (?!.*\bCONCURRENTLY\b)": "detach-partition",
}
