// What a worker says on standard error, as lines, bounded in length and number, so that a talkative model
// fills neither memory nor the log.

import type { Readable } from 'node:stream';

const MAX_LINE_CHARS = 1_000;
const MAX_LINES_A_WINDOW = 100;
const WINDOW_MS = 10_000;
const TAIL_LINES = 5;

export class StderrLines {
  readonly #forward: (line: string) => void;
  readonly #tail: string[] = [];
  #partial = '';
  #windowStartMs = -Infinity;
  #inWindow = 0;

  constructor(stream: Readable, forward: (line: string) => void) {
    this.#forward = forward;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#take(text));
    stream.on('error', (error) => this.#line(`(standard error: ${error.message})`));
    stream.on('end', () => {
      if (this.#partial !== '') this.#line(this.#partial);
      this.#partial = '';
    });
  }

  /** The last lines, for the message of a crash. */
  get tail(): string {
    return this.#tail.join(' | ');
  }

  #take(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS);
    for (const line of lines) this.#line(line.slice(0, MAX_LINE_CHARS));
  }

  #line(line: string): void {
    if (line.trim() === '') return;
    this.#tail.push(line);
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    const nowMs = performance.now();
    if (nowMs - this.#windowStartMs > WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#inWindow = 0;
    }
    this.#inWindow++;
    if (this.#inWindow <= MAX_LINES_A_WINDOW) this.#forward(line);
    else if (this.#inWindow === MAX_LINES_A_WINDOW + 1) this.#forward('(more lines follow and are dropped)');
  }
}
