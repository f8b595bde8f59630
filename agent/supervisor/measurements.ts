// Requests to time a candidate, one at a time. Invariants: a request is carried out once, however often it
// comes, and answered every time; the newest request wins; a deployment has precedence: none begins while one
// is open, and one that opens ends it. Nothing of it is kept over a restart but that its litter is removed.

import { describeError, errorCodeOf, HoldfastError } from '#protocol/errors.ts';
import type { MeasureCommand, ReplyBody } from '#protocol/measurement.ts';
import { isOpen } from '../domain/deployment-journal.ts';
import type { Clock } from '../ports/clock.ts';
import type { Transport } from '../ports/transport.ts';
import type { JournalKeeper } from './journal-keeper.ts';
import { measureCandidate, type CandidateDeps } from './measure-candidate.ts';

/** Answers kept for requests that come again. */
const MAX_ANSWERS = 32;
const MAX_DETAIL_CHARS = 1_000;

export interface MeasurementsDeps extends CandidateDeps {
  readonly keeper: JournalKeeper;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly boot: string;
}

interface Running {
  readonly requestId: string;
  readonly stopping: AbortController;
}

export class Measurements implements AsyncDisposable {
  readonly #deps: MeasurementsDeps;
  readonly #listening: Disposable;
  /** By request, oldest first. */
  readonly #answers = new Map<string, ReplyBody>();
  #newest: Running | null = null;
  #turn: Promise<void> = Promise.resolve();
  #seq = 0;

  constructor(deps: MeasurementsDeps) {
    this.#deps = deps;
    this.#listening = deps.keeper.onChange(({ deployment }) => {
      if (isOpen(deployment)) this.#newest?.stopping.abort(precedence());
    });
  }

  /** Removes what a run that was cut off left on the disk. */
  async start(): Promise<void> {
    try {
      await this.#deps.candidates.keepOnly(new Set());
    } catch (error) {
      this.#deps.logger.warn('what an earlier measurement left could not be removed', { error });
    }
  }

  request(command: MeasureCommand): void {
    const { requestId } = command;
    const known = this.#answers.get(requestId);
    if (known !== undefined) return this.#send(known);
    if (this.#newest?.requestId === requestId) return;
    this.#newest?.stopping.abort(new HoldfastError('cancelled', 'another measurement was asked for'));
    const running = { requestId, stopping: new AbortController() };
    this.#newest = running;
    this.#turn = this.#turn.then(() => this.#carryOut(command, running));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening[Symbol.dispose]();
    this.#newest?.stopping.abort(new HoldfastError('cancelled', 'the agent stops'));
    await this.#turn;
  }

  async #carryOut(command: MeasureCommand, running: Running): Promise<void> {
    const { requestId } = command;
    const { clock, logger } = this.#deps;
    const late = new HoldfastError('deadline-exceeded', `not timed within ${command.deadlineMs} ms`);
    const deadline = clock.after(command.deadlineMs, () => running.stopping.abort(late));
    let answer: ReplyBody;
    try {
      if (isOpen(this.#deps.keeper.state.deployment)) throw precedence();
      running.stopping.signal.throwIfAborted();
      logger.info('a candidate is to be timed', { requestId, targetPath: command.targetPath });
      const timing = await measureCandidate(this.#deps, command, running.stopping.signal);
      answer = { kind: 'measured', requestId, timing };
    } catch (error) {
      const detail = describeError(error).slice(0, MAX_DETAIL_CHARS);
      logger.warn('a candidate was not timed', { requestId, error });
      answer = { kind: 'measure-failed', requestId, code: errorCodeOf(error), detail };
    } finally {
      deadline.cancel();
      if (this.#newest === running) this.#newest = null;
    }
    this.#remember(answer);
    this.#send(answer);
  }

  #remember(answer: ReplyBody): void {
    this.#answers.set(answer.requestId, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > MAX_ANSWERS && oldest !== undefined) this.#answers.delete(oldest);
  }

  /** An answer that is lost is asked for again. */
  #send(body: ReplyBody): void {
    const { transport, boot, logger } = this.#deps;
    transport
      .send({ leaf: 'reply', boot, seq: ++this.#seq, body })
      .catch((error: unknown) => logger.debug('an answer did not get through', { error }));
  }
}

function precedence(): HoldfastError {
  return new HoldfastError('conflict', 'a deployment has precedence on this device', {
    hint: 'ask again when it has ended',
  });
}
