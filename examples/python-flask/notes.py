"""A small notes service: Flask in front of SQLite."""

import os
import sqlite3
from datetime import UTC, datetime

import click
from flask import Flask, Response, abort, current_app, g, jsonify, request
from flask.cli import with_appcontext

SCHEMA = """
CREATE TABLE IF NOT EXISTS note (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    body TEXT NOT NULL DEFAULT '',
    created TEXT NOT NULL
)
"""
TITLE_MAX = 200


def create_app(database: str | None = None) -> Flask:
    """Return the application; `database` is the path of its SQLite file."""
    app = Flask(__name__)
    app.config["DATABASE"] = database or os.environ.get("NOTES_DATABASE", "notes.sqlite3")
    app.teardown_appcontext(close_db)
    app.register_error_handler(400, problem)
    app.register_error_handler(404, problem)
    app.cli.add_command(init)
    app.get("/health")(health)
    app.get("/notes")(list_notes)
    app.post("/notes")(add_note)
    app.get("/notes/<int:note_id>")(show_note)
    app.delete("/notes/<int:note_id>")(delete_note)
    return app


def db() -> sqlite3.Connection:
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
        g.db.execute(SCHEMA)
    return g.db


def close_db(_error: BaseException | None) -> None:
    if connection := g.pop("db", None):
        connection.close()


@click.command()
@with_appcontext
def init() -> None:
    """Create the database."""
    db().commit()
    click.echo(f"database ready: {current_app.config['DATABASE']}")


def health() -> Response:
    return jsonify(ok=db().execute("SELECT 1").fetchone()[0] == 1)


def list_notes() -> Response:
    rows = db().execute("SELECT * FROM note WHERE title LIKE ? ORDER BY id", (f"%{request.args.get('q', '')}%",))
    return jsonify(notes=[dict(row) for row in rows])


def add_note() -> tuple[Response, int]:
    given = request.get_json(silent=True)
    title = given.get("title") if isinstance(given, dict) else None
    if not isinstance(title, str) or not 0 < len(title.strip()) <= TITLE_MAX:
        abort(400, f"a note needs a title of 1 to {TITLE_MAX} characters")
    values = (title.strip(), str(given.get("body", "")), datetime.now(UTC).isoformat(timespec="seconds"))
    note_id = db().execute("INSERT INTO note (title, body, created) VALUES (?, ?, ?)", values).lastrowid
    db().commit()
    return jsonify(find(note_id)), 201


def show_note(note_id: int) -> Response:
    return jsonify(find(note_id))


def delete_note(note_id: int) -> tuple[str, int]:
    find(note_id)
    db().execute("DELETE FROM note WHERE id = ?", (note_id,))
    db().commit()
    return "", 204


def find(note_id: int | None) -> dict[str, object]:
    row = db().execute("SELECT * FROM note WHERE id = ?", (note_id,)).fetchone()
    if row is None:
        abort(404, f"no note {note_id}")
    return dict(row)


def problem(error: Exception) -> tuple[Response, int]:
    return jsonify(error=error.description), error.code
