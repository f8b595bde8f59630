// A logger that says nothing, and one that keeps what was said.

import type { LogFields, Logger, LogLevel } from '#agent/ports/logger.ts';

const nothing = (): void => undefined;

export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export interface LoggedLine {
  readonly level: LogLevel;
  readonly msg: string;
  readonly fields: LogFields;
}

export function keepingLogger(): Logger & { readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const at =
    (level: LogLevel) =>
    (msg: string, fields: LogFields = {}): void =>
      void lines.push({ level, msg, fields });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
