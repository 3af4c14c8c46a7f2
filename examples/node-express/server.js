import { createApp } from "./app.js";
import { FileStore } from "./store.js";

const port = Number(process.env.PORT ?? 3000);
const store = new FileStore(process.env.LINKS_FILE ?? "links.json");
const server = createApp(store).listen(port, "0.0.0.0", () => console.log(`links on port ${port}`));

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.close());
