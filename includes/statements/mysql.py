"""What statements change that may hurt, by how they begin: those that only some databases know."""

from .words import ADD_COLUMN, ADD_CONSTRAINT, NAME, TABLE

HOW = "(?:(?:LOW_PRIORITY|QUICK|IGNORE) )*"
CHANGED = rf"(?:WITH .*\) ?)?(?:UPDATE {HOW}|DELETE {HOW}FROM ){TABLE}"
# One table of several, by its name or by what it is called here.
CHANGED_IN_JOIN = (
    rf"UPDATE .*? JOIN {TABLE}(?: (?:AS )?(?P<alias>{NAME}))? .*?\bSET (?:(?!WHERE\b).)*?"
    rf"(?<![\w$.])(?:(?P=table)|(?P=alias))\.{NAME} ?="
)
DELETED_BY_NAME = rf"DELETE {HOW}(?!FROM\b){TABLE}(?=.* FROM )"
DELETED_BY_ALIAS = (
    rf"DELETE {HOW}(?:FROM )?(?P<alias>{NAME})(?:\.\*)? (?:FROM|USING) (?:.*?(?:JOIN |, ?))?"
    rf"{TABLE} (?:AS )?(?P=alias)(?![\w$.])"
)

STATEMENTS = {
    rf"TRUNCATE (?:TABLE )?{TABLE}": "truncate-table",
    r"DROP (?:SCHEMA|DATABASE)\b": "drop-schema",
    rf"RENAME TABLES? {TABLE} TO (?P<new>{NAME})": "rename-table",
    CHANGED: "unbatched-update",
    CHANGED_IN_JOIN: "unbatched-update",
    DELETED_BY_NAME: "unbatched-update",
    DELETED_BY_ALIAS: "unbatched-update",
}
#: Of ALTER TABLE.
ACTIONS = {
    rf"CHANGE (?:COLUMN )?(?P<old>{NAME}) (?!(?P=old) )": "rename-column",
    rf"{ADD_COLUMN} .*\bREFERENCES\b": "add-foreign-key",
    r"(?:MODIFY|CHANGE) .*\bNOT NULL\b": "set-not-null",
    r"(?:MODIFY|CHANGE)\b": "change-type",
    rf"{ADD_CONSTRAINT}FOREIGN KEY\b": "add-foreign-key",
    rf"{ADD_CONSTRAINT}CHECK\b": "add-check",
}
