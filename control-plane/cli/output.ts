// Answers as a table for people or as JSON for programs; never both, and nothing else on stdout.

export interface Writers {
  readonly write: (text: string) => void;
  /** Progress and remarks, which are not the answer. */
  readonly writeAside: (text: string) => void;
}

export type Cell = string | number | null;

export class Output {
  readonly format: 'table' | 'json';
  readonly #writers: Writers;

  constructor(format: 'table' | 'json', writers: Writers) {
    this.format = format;
    this.#writers = writers;
  }

  /** One answer: `value` as JSON, or the lines for people. */
  answer(value: unknown, lines: () => readonly string[]): void {
    const text = this.format === 'json' ? JSON.stringify(value, null, 2) : lines().join('\n');
    this.#writers.write(`${text}\n`);
  }

  /** A remark that is not part of the answer. */
  aside(line: string): void {
    this.#writers.writeAside(`${line}\n`);
  }
}

/** Columns padded to their widest cell; numbers to the right. An empty table says so. */
export function tableLines(headings: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
  if (rows.length === 0) return ['(none)'];
  const texts = rows.map((row) => row.map((cell) => (cell === null ? '-' : String(cell))));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...texts.map((row) => row[column]?.length ?? 0)),
  );
  const isNumber = headings.map((_, column) =>
    rows.every((row) => typeof row[column] === 'number' || row[column] === null),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        isNumber[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(headings.map((heading) => heading.toUpperCase())), ...texts.map(line)];
}
