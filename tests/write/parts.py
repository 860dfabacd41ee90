"""Parts of tables that are about to change."""

from .steps import KEY

TEAMS = {"teams": KEY}
OF_TEAM = "sa.Column('team_id', sa.ForeignKey('teams.id'){})"
IN_CIRCLE = {
    "clubs": f"{KEY}, sa.Column('owner_id', sa.ForeignKey('members.id'), nullable=False)",
    "members": f"{KEY}, sa.Column('club_id', sa.ForeignKey('clubs.id'))",
}
IN_CIRCLE_OF_ONE = (
    f"{KEY}, {OF_TEAM.format(', index=True')}, sa.Column('friend_id', sa.ForeignKey('users.id'))"
)
GRADES = "sa.Column('grade', sa.Enum({}, name='grade', native_enum=False, create_constraint=True))"
NAMED = (
    "sa.Column('name', sa.String(9)),"
    " sa.CheckConstraint(\"name IN ('a', 'it''s') OR name = 'b'\", name='name')"
)
# A constant holds the name as well.
LIMITED = (
    "sa.Column('{0}', sa.Integer, nullable=False, server_default='3'), sa.Column('unit', sa.String(9)),"
    " sa.CheckConstraint(\"{0} > 2 AND unit <> '`size`'\", name='limits'),"
    " sa.CheckConstraint('{0} < 9', name='upper'),"
    " sa.Column('twice', sa.Integer, sa.Computed('{0} * 2', persisted=True), index=True)"
)
BY_EXPRESSION = "sa.Column('{0}', sa.Integer), sa.Index('ix_negative', sa.text('(-{0})'))"
BY_FUNCTION = (
    "sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.String(20)),"
    " sa.Index('ix_name', sa.func.{}(sa.column('name')))"
)
BY_OWN_NAME = "sa.Index('ix_{0}', sa.text('(-{0})'))"
SORTED = "sa.Column('age', sa.Integer), sa.Index('ix_age', sa.text('age DESC'), 'id')"
LARGE = "sa.Column('size', sa.BigInteger, index=True)"
CHECKED = "sa.Column('size', sa.Integer, sa.CheckConstraint('size > 0', name='size'))"
ALONE = "sa.dialects.postgresql.ExcludeConstraint(('during', '&&'), name='alone')"
COLONS = (
    "sa.Column('kind', sa.String(9)), sa.CheckConstraint(r\"kind <> '\\:x-done'\", name='kind'),"
    " sa.Index('ix_open', 'kind', postgresql_where=sa.text(r\"kind <> '\\:done'\"),"
    " sqlite_where=sa.text(r\"kind <> '\\:done'\"))"
)
PRICE = f"{KEY}, sa.Column('price', sa.Integer), sa.Column('double', sa.Integer, sa.Computed('price * 2', persisted={{}}))"
COMPUTED = "sa.Column('twice', sa.Integer, sa.Computed('price * 2', persisted=True))"
INDEXED = COMPUTED.removesuffix(")") + ", index=True)"
IN_CAPITALS = (
    "sa.Column('scope', sa.Enum('users:read', 'Users'{0}, name='JobScope')),"
    " sa.Column('kind', sa.Enum('a', name='order'))"
)
SIZES = r"sa.Column('size', sa.Enum({}'M\\L', name='size'))"
ONE_OF = "sa.Column('{}', sa.Enum('1', '2', name='{}'))"
BY_CODE = {
    "groups": f"{KEY}, sa.Column('code', sa.String(9), unique=True)",
    "members": f"{KEY}, sa.Column('group_code', sa.ForeignKey('groups.code'))",
}
SETTINGS = """
sa.Column('settings', sa.JSON, nullable=False, server_default='{"theme": "dark"}'),
sa.Column('tags', sa.JSON, nullable=False, server_default=sa.text("'[]'"))
"""
# On PostgreSQL, what is its key is not UNIQUE once more, and a BOOLEAN needs no CHECK.
KEYED_TWICE = "sa.Column('name', sa.String(9), primary_key=True, unique=True)"
IN_TEAM = f"{KEY}, {OF_TEAM.format('')}, sa.Column('age', sa.Integer)"
BY_BOTH = "sa.Index('ix_both', 'team_id', 'age')"
COUNTED = "sa.Column('id', sa.Integer, sa.Identity(), primary_key=True)"
YES = "sa.Column('is_old', sa.Boolean(name='is_old', create_constraint=True))"
# PostgreSQL takes it otherwise when it is told its own words for it.
BETWEEN = (
    "sa.Column('size', sa.Integer),"
    " sa.CheckConstraint('size BETWEEN 0 AND {} AND size <> 7', name='size')"
)
