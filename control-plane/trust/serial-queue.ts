// Runs tasks one after another, in the order they came. A task that fails rejects its own promise only.

export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Resolves once every task that was queued before this call has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
