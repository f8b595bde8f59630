// The one refusal that says when to come back.

import { HoldfastError } from '#protocol/errors.ts';

export class OverloadedError extends HoldfastError {
  readonly retryAfterMs: number;

  constructor(waiting: number, retryAfterMs: number) {
    super('overloaded', `${waiting} requests are waiting already`, {
      hint: `try again in ${retryAfterMs} ms, or send fewer requests at a time`,
    });
    this.retryAfterMs = retryAfterMs;
  }
}
