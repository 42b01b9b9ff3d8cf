"""`%load_ext warehouse`: SQL over the newest snapshot in the cells of a notebook."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

from runner.errors import RunnerError, choices
from warehouse.frames import frame
from warehouse.snapshot import connect, in_brief

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def load_ipython_extension(shell: Any) -> None:
    """Add `%sql` and `%%sql` to IPython, which calls this for `%load_ext warehouse`."""

    def sql(line: str, cell: str | None = None) -> Any:
        """Ask the warehouse; the answer is a DataFrame.

        %sql SELECT ... in a line, or %%sql over a cell; %%sql NAME keeps the answer as NAME, too.
        `$name` in the text is the notebook's variable of that name. The folder is
        SWEEPHOUSE_RESULTS, else ./results.
        """
        name = line.strip() if cell is not None else ""
        text = line if cell is None else cell
        if name and (not name.isidentifier() or keyword.iskeyword(name)):
            raise _usage(f"{name!r:.60} cannot be a variable: %%sql NAME keeps the answer as NAME")
        answer = _answer(text, shell.user_ns)
        if name:
            shell.user_ns[name] = answer
        return answer

    shell.register_magic_function(sql, magic_kind="line_cell", magic_name="sql")


def _answer(text: str, variables: dict[str, Any]) -> Any:
    import duckdb

    if not text.strip():
        raise _usage("the query is empty: %sql FROM leaderboard LIMIT 5")
    try:
        with connect() as con:
            return frame(con, text, _params(con, text, variables))
    except RunnerError as error:
        raise _usage(str(error)) from None
    except duckdb.Error as error:
        raise _usage(in_brief(error, "%sql")) from None


def _params(con: DuckDBPyConnection, text: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables that the query names, as DuckDB takes them."""
    names = sorted({name for one in con.extract_statements(text) for name in one.named_parameters})
    if lacking := [name for name in names if name not in variables]:
        mine = [name for name in variables if not name.startswith("_")]
        raise _usage(f"${lacking[0]} is no variable of the notebook: {choices(lacking[0], mine)}")
    values = {name: variables[name] for name in names}
    return {name: getattr(value, "tolist", lambda v=value: v)() for name, value in values.items()}


def _usage(sentence: str) -> Exception:
    """What IPython shows as one line, without a traceback."""
    from IPython.core.error import UsageError

    error: Exception = UsageError(sentence)
    return error
