// Requests that wait for a worker: first come, first served, bounded. Retried ones go before all others
// and are let in even when it is full, because they were accepted already.

import type { Ticket } from './ticket.ts';

export class RequestQueue {
  readonly #limit: number;
  readonly #tickets: Ticket[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#tickets.length;
  }

  get isFull(): boolean {
    return this.#tickets.length >= this.#limit;
  }

  push(ticket: Ticket): void {
    this.#tickets.push(ticket);
  }

  pushRetry(ticket: Ticket): void {
    this.#tickets.unshift(ticket);
  }

  first(): Ticket | undefined {
    return this.#tickets[0];
  }

  shift(): Ticket | undefined {
    return this.#tickets.shift();
  }

  remove(ticket: Ticket): void {
    const index = this.#tickets.indexOf(ticket);
    if (index >= 0) this.#tickets.splice(index, 1);
  }

  /** Empties the queue. */
  takeAll(): Ticket[] {
    return this.#tickets.splice(0);
  }
}
