"""Writes the statements of SQL files that PostgreSQL's own parser accepts.

Usage: python valid_statements.py <output> <file>...

Requires the package pglast, version 6 (the parser of PostgreSQL 16). The statements are separated
by the character U+0001. Lines that psql reads itself, and the data of COPY, are left out.
"""

import re
import sys

import pglast

COPY_DATA = re.compile(r"^(copy\b[^;]*\bfrom\s+stdin\b[^;]*;)[^\n]*\n.*?^\\\.$", re.I | re.M | re.S)
PSQL = re.compile(r"\\(?:gset|gexec|gdesc|g|crosstabview|watch)\b[^\n]*")
PSQL_LINE = re.compile(r"^\s*\\[^\n]*$", re.M)

valid = []
for name in sys.argv[2:]:
    text = open(name, encoding="utf-8", errors="replace").read()
    text = PSQL_LINE.sub("", PSQL.sub(";", COPY_DATA.sub(r"\1", text)))
    try:
        statements = pglast.split(text, with_parser=False)
    except pglast.parser.ParseError:
        # The scanner stops at literals that are invalid on purpose.
        statements = re.split(r";\s*$", text, flags=re.M)
    for statement in statements:
        try:
            if pglast.parse_sql(statement):
                valid.append(statement)
        except pglast.parser.ParseError:
            pass

with open(sys.argv[1], "w", encoding="utf-8") as output:
    output.write("\x01".join(valid))
print(len(valid), "statements")
