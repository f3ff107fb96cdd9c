"""Show the lines of every entry as rows, on both databases by the same names.

Why: an entry keeps its lines as one text, which each database takes apart in words of its own; who
asks what was paid for (a board, an operator) should not have to know which database it is.
"""

from alembic import op

revision = "0012"
down_revision = "0011"

_OF_ENTRY = "SELECT request_id, created_at_us, tenant, key_id, priced_model"
_POSTGRESQL = f"""CREATE VIEW entry_line AS {_OF_ENTRY},
  line ->> 0 AS meter, CAST(line ->> 1 AS numeric) AS quantity,
  CAST(line ->> 2 AS numeric) AS unit_price_pusd, CAST(line ->> 3 AS numeric) AS cost_pusd
FROM entry CROSS JOIN LATERAL jsonb_array_elements(CAST(lines AS jsonb)) AS line"""
_SQLITE = f"""CREATE VIEW entry_line AS {_OF_ENTRY},
  json_extract(line.value, '$[0]') AS meter, json_extract(line.value, '$[1]') AS quantity,
  json_extract(line.value, '$[2]') AS unit_price_pusd, json_extract(line.value, '$[3]') AS cost_pusd
FROM entry CROSS JOIN json_each(entry.lines) AS line"""


def upgrade() -> None:
    op.execute(_POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE)


def downgrade() -> None:
    op.execute("DROP VIEW entry_line")
