"""What the migrations of these tests do."""

A = 'op.execute("ALTER TABLE t ADD COLUMN a INT")\n'
B = 'op.execute("ALTER TABLE t ADD COLUMN b INT")\n'
TIMES_TEN = 'op.execute("UPDATE t SET v = v * 10")\n'
DIE = "die()\n"
TWO_TABLES = """
op.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
op.execute("CREATE TABLE u (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
op.execute("INSERT INTO t VALUES (1, 1)")
"""
OF_MYISAM = """
op.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
op.execute("CREATE TABLE m (id INT) ENGINE=MyISAM")
"""
