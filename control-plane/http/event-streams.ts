// Server-sent events that lose nothing and repeat nothing: subscribe, back-fill from the table, cut over to
// live. INVARIANTS: ids on one stream only rise; what a slow client has not taken is bounded, beyond that
// its stream is ended and it resumes by Last-Event-ID. Source: WHATWG HTML, server-sent events.

import type { Response } from 'express';
import type { LiveEvent } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { LiveEvents } from '../store/live-events.ts';

/** Who listens. */
export interface Listener {
  /** One for all streams of a token or a person. */
  readonly key: string;
  readonly maySee: (event: LiveEvent) => Promise<boolean> | boolean;
  /** Asked at every heartbeat; the stream ends when the credentials do. */
  readonly isStillValid: () => Promise<boolean>;
}

export interface EventStreamLimits {
  readonly maxStreams: number;
  /** Of one listener. */
  readonly maxStreamsEach: number;
  /** Events a client may be behind before its stream is ended. */
  readonly maxBehind: number;
  /** Bytes that may wait in a client's socket before writing pauses. */
  readonly maxUnsentBytes: number;
  readonly heartbeatMs: number;
  /** A stream ends after this time, so that its credentials are checked again. */
  readonly maxAgeMs: number;
}

const DEFAULT_LIMITS: EventStreamLimits = {
  maxStreams: 200,
  maxStreamsEach: 20,
  maxBehind: 1_000,
  maxUnsentBytes: 1024 ** 2,
  heartbeatMs: 15_000,
  maxAgeMs: 3_600_000,
};
const BACKFILL_BATCH = 500;
const RETRY_MS = 1_000;

export class EventStreams implements Disposable {
  readonly #events: LiveEvents;
  readonly #limits: EventStreamLimits;
  readonly #open = new Set<EventStream>();

  constructor(events: LiveEvents, limits: Partial<EventStreamLimits> = {}) {
    this.#events = events;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Streams events after `lastEventId`, or from now on when it is null, until the client leaves. */
  async serve(response: Response, lastEventId: number | null, listener: Listener): Promise<void> {
    const own = [...this.#open].filter(({ key }) => key === listener.key);
    if (own.length >= this.#limits.maxStreamsEach) {
      throw new HoldfastError('rate-limited', `${own.length} event streams are open for these credentials`, {
        hint: 'close one of them, then try again',
      });
    }
    if (this.#open.size >= this.#limits.maxStreams) {
      throw new HoldfastError('unavailable', 'too many event streams are open', {
        hint: 'close a console or a watching command, then try again',
      });
    }
    const stream = new EventStream(response, this.#limits, listener, () => this.#open.delete(stream));
    this.#open.add(stream);
    response.once('close', () => stream[Symbol.dispose]());
    stream.begin();
    await stream.follow(this.#events, lastEventId);
  }

  /** Ends every stream; clients resume elsewhere or later. */
  [Symbol.dispose](): void {
    for (const stream of this.#open) stream[Symbol.dispose]();
  }
}

class EventStream implements Disposable {
  readonly #response: Response;
  readonly #limits: EventStreamLimits;
  readonly #listener: Listener;
  readonly #waiting: LiveEvent[] = [];
  #lastId = 0;
  #isLive = false;
  #hasMissed = false;
  #isFlushing = false;
  #timers: NodeJS.Timeout[] = [];
  readonly #onEnded: () => void;
  #unsubscribe: () => void = () => undefined;

  constructor(response: Response, limits: EventStreamLimits, listener: Listener, onEnded: () => void) {
    this.#response = response;
    this.#limits = limits;
    this.#listener = listener;
    this.#onEnded = onEnded;
  }

  get key(): string {
    return this.#listener.key;
  }

  begin(): void {
    this.#response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
    this.#response.write(`retry: ${RETRY_MS}\n\n`);
    this.#response.on('drain', () => void this.#flush());
    this.#timers = [
      setInterval(() => void this.#beat(), this.#limits.heartbeatMs).unref(),
      setTimeout(() => this[Symbol.dispose](), this.#limits.maxAgeMs).unref(),
    ];
  }

  async follow(events: LiveEvents, lastEventId: number | null): Promise<void> {
    this.#unsubscribe = events.subscribe((event) => this.#take(event));
    const { oldestId, newestId } = await events.bounds();
    this.#lastId = lastEventId ?? newestId;
    if (this.#lastId > newestId || this.#lastId < oldestId - 1) {
      // What came after that id is not kept any more, or never was: the client must read the state anew.
      this.#lastId = newestId;
      this.#response.write('event: reset\ndata: {}\n');
    }
    this.#response.write(`id: ${this.#lastId}\n\n`);
    await this.#backfill(events);
    this.#isLive = true;
    await this.#flush();
  }

  async #beat(): Promise<void> {
    const isValid = await this.#listener.isStillValid().catch(() => false);
    // Of a client that left before its stream began no `close` is told.
    if (!isValid || this.#response.req.socket.destroyed) this[Symbol.dispose]();
    else if (!this.#response.writableEnded) this.#response.write(': heartbeat\n\n');
  }

  async #backfill(events: LiveEvents): Promise<void> {
    while (!this.#response.destroyed && !this.#response.writableEnded) {
      this.#hasMissed = false;
      const batch = await events.since(this.#lastId, BACKFILL_BATCH);
      for (const event of batch) await this.#send(event);
      if (batch.length < BACKFILL_BATCH && !this.#hasMissed) return;
      await this.#drained();
    }
  }

  #take(event: LiveEvent): void {
    this.#waiting.push(event);
    if (this.#isLive) void this.#flush();
    if (this.#waiting.length <= this.#limits.maxBehind) return;
    if (this.#isLive) {
      this[Symbol.dispose]();
      this.#response.destroy();
    } else {
      // The table has them all: the back-fill reads on from there.
      this.#hasMissed = true;
      this.#waiting.length = 0;
    }
  }

  /** One at a time, so that events stay in order while it is asked who may see them. */
  async #flush(): Promise<void> {
    if (!this.#isLive || this.#isFlushing) return;
    this.#isFlushing = true;
    try {
      while (this.#response.writableLength < this.#limits.maxUnsentBytes) {
        const event = this.#waiting.shift();
        if (event === undefined) return;
        await this.#send(event);
      }
    } finally {
      this.#isFlushing = false;
    }
  }

  async #send(event: LiveEvent): Promise<void> {
    if (event.id <= this.#lastId || this.#response.writableEnded) return;
    this.#lastId = event.id;
    if (!(await this.#isShown(event)) || this.#response.writableEnded) return;
    this.#response.write(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  /** What cannot be found out is not shown. */
  async #isShown(event: LiveEvent): Promise<boolean> {
    try {
      return await this.#listener.maySee(event);
    } catch {
      return false;
    }
  }

  async #drained(): Promise<void> {
    if (!this.#response.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#response.off('drain', settle).off('close', settle);
        resolve();
      };
      this.#response.once('drain', settle).once('close', settle);
    });
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#onEnded();
    this.#response.end();
  }
}
