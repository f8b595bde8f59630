// Logs as JSON lines: {"atMs","level","msg",...}. One line a call, whatever the fields hold.

import { HoldfastError } from '#protocol/errors.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
  /** The same log with fields on every line. */
  with(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel | 'silent';
  /** Takes one whole line, newline included. */
  readonly write: (line: string) => void;
  readonly nowMs?: () => number;
}

export function createLogger(options: LoggerOptions, common: LogFields = {}): Logger {
  const nowMs = options.nowMs ?? Date.now;
  const lowest = options.level === 'silent' ? LOG_LEVELS.length : LOG_LEVELS.indexOf(options.level);
  const log = (level: LogLevel) => (msg: string, fields?: LogFields) => {
    if (LOG_LEVELS.indexOf(level) < lowest) return;
    options.write(`${JSON.stringify({ atMs: nowMs(), level, msg, ...common, ...fields }, replaceError)}\n`);
  };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    with: (fields) => createLogger(options, { ...common, ...fields }),
  };
}

function replaceError(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (!(value instanceof Error)) return value;
  return {
    message: value.message,
    ...(value instanceof HoldfastError ? { code: value.code, hint: value.hint } : { stack: value.stack }),
    ...(value.cause === undefined ? {} : { cause: value.cause }),
  };
}
