import sqlite3

import pytest

from notes import TITLE_MAX, create_app


@pytest.fixture
def client(tmp_path):
    return create_app(str(tmp_path / "notes.sqlite3")).test_client()


def test_a_note_can_be_added_and_read_back(client):
    made = client.post("/notes", json={"title": " milk ", "body": "two litres"})
    assert made.status_code == 201
    note = client.get(f"/notes/{made.json['id']}").json
    assert (note["title"], note["body"]) == ("milk", "two litres")


def test_notes_are_found_by_a_part_of_their_title(client):
    for title in ("milk", "bread", "buttermilk"):
        client.post("/notes", json={"title": title})
    assert [note["title"] for note in client.get("/notes?q=milk").json["notes"]] == ["milk", "buttermilk"]


def test_a_deleted_note_is_gone(client):
    note_id = client.post("/notes", json={"title": "milk"}).json["id"]
    assert client.delete(f"/notes/{note_id}").status_code == 204
    assert client.get(f"/notes/{note_id}").status_code == 404
    assert client.delete(f"/notes/{note_id}").json == {"error": f"no note {note_id}"}


@pytest.mark.parametrize("given", [{}, {"title": "  "}, {"title": 7}, {"title": "x" * (TITLE_MAX + 1)}, ["title"]])
def test_a_note_without_a_usable_title_is_refused(client, given):
    answer = client.post("/notes", json=given)
    assert answer.status_code == 400
    assert "title" in answer.json["error"]
    assert client.get("/notes").json == {"notes": []}


def test_a_title_is_data_and_never_sql(client):
    client.post("/notes", json={"title": "x'); DROP TABLE note; --"})
    assert len(client.get("/notes").json["notes"]) == 1


def test_notes_outlive_the_process(tmp_path):
    database = str(tmp_path / "notes.sqlite3")
    create_app(database).test_client().post("/notes", json={"title": "milk"})
    assert create_app(database).test_client().get("/notes").json["notes"][0]["title"] == "milk"


def test_the_command_makes_an_empty_database(tmp_path):
    database = tmp_path / "notes.sqlite3"
    result = create_app(str(database)).test_cli_runner().invoke(args=["init"])
    assert result.exit_code == 0
    connection = sqlite3.connect(database)
    assert connection.execute("SELECT count(*) FROM note").fetchone() == (0,)
    connection.close()


def test_health(client):
    assert client.get("/health").json == {"ok": True}
