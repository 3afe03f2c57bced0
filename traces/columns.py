"""The Parquet tables of a folder of traces, column by column. docs/traces.md is generated from this file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type as text (Arrow's word for it), whether it may be null, its meaning."""

    name: str
    type: str
    nullable: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its name (and file ``<name>.parquet``), its meaning, its columns."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    def arrow(self) -> pa.Schema:
        """Return the table's Arrow schema, with the meanings as field metadata."""
        import pyarrow as pa

        return pa.schema(
            [
                pa.field(
                    column.name,
                    pa.type_for_alias(column.type),
                    nullable=column.nullable,
                    metadata={"meaning": column.meaning},
                )
                for column in self.columns
            ]
        )


_HISTORY = Column("history", "int64", False, "ordinal of the history in this folder; key of all tables")
_ITERATION = Column("iteration", "int32", False, "index of the iteration in its history, from 0")

TABLES = (
    Table(
        "histories",
        "A row a history: one person on one task or workflow.",
        (
            _HISTORY,
            Column("id", "string", False, "pseudonym of the history, unique in the folder"),
            Column("source", "string", False, "where it was mined"),
            Column("person", "string", False, "pseudonym; salted, see People"),
            Column("group", "string", False, "histories of one group stay on one side of every split"),
            Column("task", "string", False, "the task in the source's words, or a pseudonym; may be empty"),
            Column("workflow", "string", False, "a name for the workflow; may be empty"),
            Column("objective", "string", False, "name of the metric behind score; may be empty"),
            Column("facts", "string", False, "JSON object: what is known of data and place"),
            Column("demo", "bool", False, "template, course or demonstration"),
            Column("synthetic", "bool", False, "made up by a program"),
            Column("iterations", "int32", False, "number of iterations"),
        ),
    ),
    Table(
        "iterations",
        "A row an iteration: one run of one version.",
        (
            _HISTORY,
            _ITERATION,
            Column("parent", "int32", True, "iteration that it was edited from; null for a first one"),
            Column("version", "string", False, "digest of the components without times and sizes"),
            Column(
                "change", "string", False, "change class, a letter of mile_rl.workflows.edits.ChangeClass"
            ),
            Column("returns_to", "int32", True, "latest earlier iteration of this version, for a return"),
            Column("start_ms", "int64", True, "start (upload, commit), Unix milliseconds"),
            Column("duration_ms", "int64", True, "how long it ran, milliseconds"),
            Column("think_ms", "int64", True, "end of the iteration before it -> its start, milliseconds"),
            Column("score", "double", True, "the objective, turned so that greater is better"),
            Column("metrics", "string", False, "JSON object: name -> value"),
            Column("trials", "int32", False, "runs of a search nested in it"),
            Column("scripted", "bool", False, "started by a loop or an automatic account, by the source"),
        ),
    ),
    Table(
        "components",
        "A row a component of an iteration: a node of the DAG.",
        (
            _HISTORY,
            _ITERATION,
            Column("position", "int32", False, "place in topological order, from 0"),
            Column("name", "string", False, "name of the node, unique in its iteration"),
            Column("operator", "string", False, "what is called, short"),
            Column("class_name", "string", False, "full name of the operator; may be empty"),
            Column("stage", "string", False, "preprocess, learn or evaluate"),
            Column("category", "string", False, "a finer word for the stage; may be empty"),
            Column("parameters", "string", False, "JSON object: name -> value"),
            Column("parts", "string", False, "JSON object: label -> content digest"),
            Column("compute_ns", "int64", True, "how long it ran, nanoseconds"),
            Column("size_bytes", "int64", True, "size of its outputs together, bytes"),
        ),
    ),
    Table(
        "dag",
        "A row an edge: a component takes an output of another.",
        (
            _HISTORY,
            _ITERATION,
            Column("parent", "int32", False, "position of the component whose output is taken"),
            Column("child", "int32", False, "position of the component that takes it"),
        ),
    ),
    Table(
        "edits",
        "A row an edit against the parent iteration; fields as in mile_rl.workflows.edits.Edit.",
        (
            _HISTORY,
            _ITERATION,
            Column("kind", "string", False, "add, remove, replace, parameter, code, data or environment"),
            Column("node", "string", False, "name of the node (before the edit, for remove)"),
            Column("stage", "string", False, "stage of the node"),
            Column("operator", "string", False, "operator after the edit (before it, for remove)"),
            Column("before", "string", True, "for replace, the operator that stood there"),
            Column("parameter", "string", True, "for parameter, its name"),
            Column("old", "string", True, "for parameter, the value before, as JSON"),
            Column("new", "string", True, "for parameter, the value after, as JSON"),
            Column("magnitude", "double", True, "log10(new / old) for numbers of one sign, else new - old"),
            Column("detail", "string", False, "what exactly changed, in words; may be empty"),
        ),
    ),
)
"""All tables. Rows stand in the order of histories, then iterations, then position."""


def table(name: str) -> Table:
    """Return the table of this name."""
    return next(table for table in TABLES if table.name == name)


def as_markdown() -> str:
    """Return the tables as Markdown, for docs/traces.md."""
    lines: list[str] = []
    for each in TABLES:
        lines += [f"### {each.name}.parquet", "", each.meaning, "", "| column | type | null | meaning |"]
        lines += ["|---|---|---|---|"]
        lines += [
            f"| `{column.name}` | {column.type} | {'yes' if column.nullable else 'no'} | {column.meaning} |"
            for column in each.columns
        ]
        lines.append("")
    return "\n".join(lines)
