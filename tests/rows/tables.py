"""Tables that the migrations make, and how a migration is written."""

import re
from textwrap import dedent, indent

PEOPLE = """
op.create_table(
    "people",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("nickname", sa.String(50)),
    sa.Column("house", sa.Integer),
)
"""
HOUSES = """
op.create_table(
    "houses",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("street", sa.String(50), nullable=False),
)
op.create_table(
    "keys",
    sa.Column("house", sa.Integer, sa.ForeignKey("houses.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("opens_house", sa.Integer),
    sa.Column("opens_number", sa.Integer),
    sa.ForeignKeyConstraint(
        ["opens_house", "opens_number"], ["keys.house", "keys.number"], name="fk_opens"
    ),
)
"""
# What its CHECKs say is found out from them.
CHECKED = """
op.create_table(
    "checked",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("grade", sa.Integer, nullable=False),
    sa.Column("email", sa.String(50)),
    sa.Column("status", sa.Enum("on", "off", native_enum=False, create_constraint=True, name="st")),
    sa.Column("begun", sa.Date, nullable=False),
    sa.Column("ended", sa.Date, nullable=False),
    sa.Column("phone", sa.String(20)),
    sa.Column("code", sa.String(3), unique=True),
    sa.Column("size", sa.String(3)),
    sa.CheckConstraint("grade BETWEEN 1 AND 6", name="grades"),
    # The first is too long.
    sa.CheckConstraint("size IN ('medium', 'big')", name="sizes"),
    sa.CheckConstraint("email LIKE '%@%'", name="emails"),
    sa.CheckConstraint("ended < begun", name="backwards"),
    sa.CheckConstraint("phone IS NOT NULL OR email IS NOT NULL", name="reached"),
)
"""
TYPES = """
op.create_table(
    "types",
    sa.Column("a", sa.Uuid, primary_key=True),
    *(
        sa.Column(f"c{number}", kind)
        for number, kind in enumerate(
            [sa.SmallInteger, sa.BigInteger, sa.Boolean, sa.Numeric(4, 2), sa.Float, sa.Double,
             sa.DateTime, sa.DateTime(timezone=True), sa.Date, sa.Time, sa.LargeBinary, sa.JSON,
             sa.Text, sa.CHAR(1), sa.Enum("p", "q", name="kind")]
        )
    ),
)
"""
DROP_TYPES = """
op.drop_table("types")
if op.get_bind().dialect.name == "postgresql":
    op.execute("DROP TYPE kind")
"""
DROP_NICKNAME = 'op.drop_column("people", "nickname")'
ADD_NICKNAME = 'op.add_column("people", sa.Column("nickname", sa.String(50)))'


# As people write them, for one database. None may be NULL.
OTHERS = {
    "postgresql": "interval, int4range, int8range, numrange, daterange, tsrange, tstzrange,"
    " int4multirange, datemultirange, tstzmultirange, macaddr, macaddr8, tsvector, tsquery, point, xml,"
    " pg_lsn, jsonpath, bit, bit(3), varbit, varbit(5), inet, cidr, money, oid, hundred",
    "mysql": "binary(3), binary(16), varbinary(20), tinyblob, mediumblob, set('a','b'), point, year,"
    " bit, bit(9), json, float(2,1), double(2,0)",
}
OTHERS["mariadb"] = OTHERS["mysql"]


def of_others(database: str) -> str:
    kinds = re.split(r", (?![^(]*\))", OTHERS[database])
    columns = ", ".join(f"c{number} {kind} NOT NULL" for number, kind in enumerate(kinds))
    domain = 'op.execute("CREATE DOMAIN hundred AS integer CHECK (VALUE < 100)")\n'
    domain *= database == "postgresql"
    return migration(
        f'{domain}op.execute("CREATE TABLE others ({columns})")',
        'op.drop_table("others")' + '\nop.execute("DROP DOMAIN hundred")' * bool(domain),
    )


def migration(upgrade: str, downgrade: str = "pass", header: str = "") -> str:
    return (
        "".join(
            f"\ndef {name}():\n{indent(dedent(body).strip(), '    ')}\n"
            for name, body in (("upgrade", upgrade), ("downgrade", downgrade))
        )
        + f"\n{header}\n"
    )


def batch(table: str, change: str) -> str:
    return f'with op.batch_alter_table("{table}") as batch:\n    batch.{change}'
