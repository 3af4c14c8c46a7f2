import { createApp } from "./app.js";
import { FileStore } from "./store.js";

const port = Number(process.env.PORT ?? 3000);
const store = new FileStore(process.env.LINKS_FILE ?? "links.json");
// 127.0.0.1 inside is where the port of devbox.toml leads; other containers have no business here.
const server = createApp(store).listen(port, "127.0.0.1", () => console.log(`links on port ${port}`));

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.close());
