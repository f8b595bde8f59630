// What the demo expected, what it saw and how long that took; `demo-report.json` is this, as JSON.

export interface StepResult {
  readonly name: string;
  readonly expected: string;
  readonly seen: string;
  readonly ok: boolean;
  readonly seconds: number;
}

export interface DemoReport {
  readonly ok: boolean;
  readonly seconds: number;
  readonly steps: readonly StepResult[];
}

export interface StepOutcome {
  readonly seen: string;
  readonly ok: boolean;
}

export class Reporter {
  readonly #steps: StepResult[] = [];
  readonly #begun = performance.now();
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  say(line: string): void {
    this.#print(`    ${line}`);
  }

  /** Runs a step, tells it, and keeps what was seen; a step that throws is told as not ok, and thrown on. */
  async step(name: string, expected: string, run: () => Promise<StepOutcome>): Promise<void> {
    this.#print(`\n${this.#steps.length + 1}. ${name}`);
    const begun = performance.now();
    const seconds = (): number => Math.round((performance.now() - begun) / 10) / 100;
    try {
      const { seen, ok } = await run();
      this.#steps.push({ name, expected, seen, ok, seconds: seconds() });
      this.#print(`  ${ok ? 'ok ' : 'NOT as expected '} ${seen}  [${seconds()} s]`);
    } catch (error) {
      const seen = error instanceof Error ? error.message : String(error);
      this.#steps.push({ name, expected, seen, ok: false, seconds: seconds() });
      throw error;
    }
  }

  report(): DemoReport {
    return {
      ok: this.#steps.every((step) => step.ok),
      seconds: Math.round((performance.now() - this.#begun) / 100) / 10,
      steps: this.#steps,
    };
  }
}
