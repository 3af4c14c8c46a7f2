// Links in one JSON file, replaced whole on every change.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

export class FileStore {
  #path;
  #links;

  constructor(path) {
    this.#path = path;
    this.#links = new Map(existsSync(path) ? Object.entries(JSON.parse(readFileSync(path, "utf8"))) : []);
  }

  get(name) {
    return this.#links.get(name);
  }

  set(name, url) {
    this.#links.set(name, url);
    this.#save();
  }

  delete(name) {
    const had = this.#links.delete(name);
    if (had) this.#save();
    return had;
  }

  all() {
    return Object.fromEntries([...this.#links].sort());
  }

  #save() {
    writeFileSync(`${this.#path}.new`, JSON.stringify(this.all(), null, 2) + "\n");
    renameSync(`${this.#path}.new`, this.#path);
  }
}
