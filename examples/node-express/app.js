// The link shortener, without the port it listens on.
import express from "express";

const NAME = /^[a-z0-9-]{1,40}$/;

/** Return the application; `store` has get(name), set(name, url), delete(name) and all(). */
export function createApp(store) {
  const app = express();
  app.disable("x-powered-by");
  app.use(express.json({ limit: "10kb" }));

  app.get("/health", (_request, response) => response.json({ ok: true }));

  app.get("/links", (_request, response) => response.json({ links: store.all() }));

  app.put("/links/:name", (request, response) => {
    const { name } = request.params;
    const url = parseUrl(request.body?.url);
    if (!NAME.test(name)) return refuse(response, "a name has lower-case letters, digits and -, at most 40");
    if (!url) return refuse(response, "url must be an http or https address");
    const isNew = store.get(name) === undefined;
    store.set(name, url);
    return response.status(isNew ? 201 : 200).json({ name, url });
  });

  app.delete("/links/:name", (request, response) =>
    store.delete(request.params.name) ? response.sendStatus(204) : missing(response, request.params.name),
  );

  app.get("/:name", (request, response) => {
    const url = store.get(request.params.name);
    return url ? response.redirect(302, url) : missing(response, request.params.name);
  });

  // Express knows an error handler by its four parameters.
  app.use((error, _request, response, _next) => response.status(error.status ?? 500).json({ error: error.message }));
  return app;
}

function parseUrl(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

const refuse = (response, error) => response.status(400).json({ error });
const missing = (response, name) => response.status(404).json({ error: `no link ${name}` });
