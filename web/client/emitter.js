/** Handlers by name. One that throws is reported to the page and stops nobody else. */
export class Emitter {
  #handlers = new Map();

  /** Calls `handler` at every `name`; returns a function that ends it. */
  on(name, handler) {
    const set = this.#handlers.get(name) ?? this.#handlers.set(name, new Set()).get(name);
    set.add(handler);
    return () => set.delete(handler);
  }

  emit(name, ...values) {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      try {
        handler(...values);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
