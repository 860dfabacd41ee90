"""What is safe, or said to be."""

_SAFE = "from {package}.migrations.toolkit import safe_ops\n"
CASES = {
    "safe": (
        "PMS",
        """
        from {package}.migrations.toolkit import safe_ops
        safe_ops.create_index("{t}i", "{t}", ["number"])
        safe_ops.create_foreign_key("{t}f", "{t}", "{t}", ["number"], ["id"])
        safe_ops.batched_update("{t}", "name = 'x'")
        """,
    ),
    "safe for constraints": ("PM", _SAFE + 'safe_ops.create_unique("{t}u", "{t}", ["number"])'),
    "safe for a check": ("P", _SAFE + 'safe_ops.create_check("{t}c", "{t}", "number > 0")'),
    "a check that copies": (
        "M",
        _SAFE + 'safe_ops.create_check("{t}c", "{t}", "number > 0")  # -> copies-table',
    ),
    "safe for NOT NULL": (
        "PM",
        _SAFE + 'safe_ops.set_not_null("{t}", "number", existing_type=sa.Integer)',
    ),
    "said to be safe beside it": (
        "PMS",
        """
        op.drop_column("{t}", "nickname")  # safe: drop-column never used
        op.drop_column("{t}", "number")  # -> drop-column
        """,
    ),
    "said to be safe above it": (
        "PMS",
        """
        # It was never shown.
        # safe: drop-column never used
        # safe: add-unique never used
        op.drop_column(
            "{t}", "nickname"
        )
        op.drop_column("{t}", "number")  # -> drop-column
        """,
    ),
    "said without a reason": (
        "PMS",
        """
        # safe: drop-column
        op.drop_column("{t}", "nickname")  # -> drop-column
        # safe: drop-column -
        op.drop_column("{t}", "number")  # -> drop-column
        """,
    ),
    "said after something else": (
        "PMS",
        """
        op.drop_column("{t}", "nickname")  # noqa: E501  # safe: drop-column see #7
        op.drop_table("{t}")  # safe: drop-column see #7 # safe: drop-table never used
        """,
    ),
    "another thing said": (
        "PMS",
        """
        # safe: drop-table never used
        op.drop_column("{t}", "nickname")  # -> drop-column
        """,
    ),
}
