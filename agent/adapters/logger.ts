// JSON lines on standard error: {"atMs", "level", "msg", ...fields}. An Error among the fields is told by
// its code, message and hint; its stack only at `debug`. A line is bounded, so that no field floods the log.

import type { Clock } from '../ports/clock.ts';
import type { LogFields, Logger, LogLevel } from '../ports/logger.ts';
import { HoldfastError } from '#protocol/errors.ts';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const MAX_LINE_CHARS = 8_000;

export interface LineSink {
  write(line: string): unknown;
}

/** A logger that leaves out lines under `level`. */
export function jsonLogger(sink: LineSink, clock: Pick<Clock, 'nowMs'>, level: LogLevel = 'info'): Logger {
  const threshold = LEVELS.indexOf(level);
  const at =
    (lineLevel: LogLevel) =>
    (msg: string, fields: LogFields = {}): void => {
      if (LEVELS.indexOf(lineLevel) < threshold) return;
      const plain = Object.fromEntries(
        Object.entries(fields).map(([name, value]) => [name, plainValue(value, level)]),
      );
      const line = JSON.stringify({ atMs: clock.nowMs(), level: lineLevel, msg, ...plain });
      sink.write(`${line.length > MAX_LINE_CHARS ? shortened(clock.nowMs(), lineLevel, msg) : line}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function plainValue(value: unknown, level: LogLevel): unknown {
  if (value instanceof Error) {
    return {
      ...(value instanceof HoldfastError ? { code: value.code, hint: value.hint } : { name: value.name }),
      message: value.message,
      ...(value.cause === undefined ? {} : { cause: plainValue(value.cause, level) }),
      ...(level === 'debug' ? { stack: value.stack } : {}),
    };
  }
  return typeof value === 'bigint' ? value.toString() : value;
}

function shortened(atMs: number, level: LogLevel, msg: string): string {
  return JSON.stringify({ atMs, level, msg: msg.slice(0, 1_000), shortened: true });
}
