"""A report of results: tables, figures, and what made them, in one folder.

Measured and published figures never share a column (`table`). What a table says of its data and of how they differ
from the paper's comes from the rows (`facts`). Rows of different settings are never averaged (`grouping`).
"""

from motionprint.experiments.report.figures import ENDINGS
from motionprint.experiments.report.reading import Cell, Results, read_results
from motionprint.experiments.report.table import Block, Column, Gap, Line, Measured, Table, assemble
from motionprint.experiments.report.tables import make_tables
from motionprint.experiments.report.text import to_csv, to_latex, to_markdown
from motionprint.experiments.report.write import Report, write_report

__all__ = [
    "ENDINGS",
    "Block",
    "Cell",
    "Column",
    "Gap",
    "Line",
    "Measured",
    "Report",
    "Results",
    "Table",
    "assemble",
    "make_tables",
    "read_results",
    "to_csv",
    "to_latex",
    "to_markdown",
    "write_report",
]
