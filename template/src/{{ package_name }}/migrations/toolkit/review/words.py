"""What statements are made of, as regular expressions, where one blank is between two words."""

NAME = r'(?:"(?:[^"]|"")+"|`[^`]+`|[\w$]+)'
TABLE = rf"(?:IF EXISTS )?(?:ONLY )?(?:(?P<schema>{NAME})\.)?(?P<table>{NAME})"
# Actions of ALTER TABLE.
COLUMN = rf"(?:COLUMN )?(?:IF (?:NOT )?EXISTS )?(?!CONSTRAINT\b){NAME}"
OTHER = r"(?!(?:CONSTRAINT|PRIMARY|FOREIGN|INDEX|KEY|CHECK|UNIQUE|EXCLUDE|PARTITION|FULLTEXT|SPATIAL)\b)"
ADD_COLUMN = rf"ADD {OTHER}{COLUMN}"
ADD_CONSTRAINT = rf"ADD (?:CONSTRAINT (?:{NAME} )?)?"
