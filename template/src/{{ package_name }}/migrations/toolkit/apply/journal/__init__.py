"""MySQL and MariaDB commit at each DDL statement, so a migration that stops stays half applied.

The journal lets the next run complete it, and apply each statement once. While `upgrade()` or
`downgrade()` of a revision runs, its statements are numbered and written down in a table:

- Rows (INSERT, UPDATE, DELETE, but also what a SELECT gave) in the very transaction that changes
  them: the server commits both or none.
- A definition (CREATE, ALTER, DROP ...) before it runs, with a digest of what it is about. Another
  statement follows only when its answer has come; where none follows, the digest tells whether it
  took effect. Each of them is atomic in the server. What it gave is written down, if it gave any.

The next run calls the function again from its start. What is done is not executed but answered
from the journal, results and errors included, so that the function goes the same way as before.
With the change of `alembic_version` the journal is emptied, in the same transaction.

`replay` is the flow, `verdict` judges the statement without an answer, `schema` takes the digests,
`statements` tells the kinds of statements apart, `entries` is the table, `values` writes what
Python sees as text, `order` lets SQLAlchemy execute the same in each run.
"""
