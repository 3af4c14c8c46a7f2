import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import request from "supertest";

import { createApp } from "../app.js";
import { FileStore } from "../store.js";

let directory;
let file;
let client;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "links-"));
  file = join(directory, "links.json");
  client = request(createApp(new FileStore(file)));
});

afterEach(() => rmSync(directory, { recursive: true }));

test("a link leads where it was told to", async () => {
  await client.put("/links/docs").send({ url: "https://example.org/docs" }).expect(201);
  await client.get("/docs").expect(302).expect("location", "https://example.org/docs");
});

test("a link can be changed", async () => {
  await client.put("/links/docs").send({ url: "https://example.org/1" }).expect(201);
  await client.put("/links/docs").send({ url: "https://example.org/2" }).expect(200);
  const { body } = await client.get("/links").expect(200);
  assert.deepEqual(body, { links: { docs: "https://example.org/2" } });
});

test("a deleted link is gone", async () => {
  await client.put("/links/docs").send({ url: "https://example.org/" });
  await client.delete("/links/docs").expect(204);
  await client.delete("/links/docs").expect(404);
  await client.get("/docs").expect(404, { error: "no link docs" });
});

for (const url of [undefined, 7, "docs", "javascript:alert(1)", "file:///etc/passwd"]) {
  test(`a link to ${url} is refused`, async () => {
    const { body } = await client.put("/links/docs").send({ url }).expect(400);
    assert.match(body.error, /http/);
    await client.get("/links").expect(200, { links: {} });
  });
}

test("a name that is no name is refused", async () => {
  await client.put("/links/No%20Name").send({ url: "https://example.org/" }).expect(400);
});

test("a name that objects have by themselves is no link", async () => {
  await client.get("/constructor").expect(404);
});

test("broken JSON is the client's fault", async () => {
  await client.put("/links/docs").set("content-type", "application/json").send("{").expect(400);
});

test("links outlive the process", async () => {
  await client.put("/links/docs").send({ url: "https://example.org/" });
  await request(createApp(new FileStore(file)))
    .get("/docs")
    .expect(302);
});
