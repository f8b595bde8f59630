// Whether the values of a model's main graph are well named: each made once, and none from itself. Names are kept as
// numbers; time and memory grow with the nodes and their inputs. Source: ONNX IR, "Graphs" (single static assignment).

import { malformed } from './wire.ts';

/** Names of inputs and outputs of one node, without those that are left out. */
export interface NodeNames {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export class GraphNames {
  readonly #inputs: number[][] = [];
  readonly #known = new Map<string, number>();
  /** The node that makes a value, by the value's number. */
  readonly #makers = new Map<number, number>();

  addNode({ inputs, outputs }: NodeNames): void {
    const node = this.#inputs.push(inputs.map((name) => this.#numberOf(name))) - 1;
    for (const name of outputs) {
      const value = this.#numberOf(name);
      if (this.#makers.has(value)) throw malformed('two nodes make a value of the same name');
      this.#makers.set(value, node);
    }
  }

  /** Throws `onnx-malformed` for sources that are made by nodes too, and for nodes that wait for each other. */
  check(sources: Iterable<string>): void {
    for (const name of sources) {
      const value = this.#known.get(name);
      if (value !== undefined && this.#makers.has(value))
        throw malformed('a node makes a value that is an input or an initializer');
    }
    this.#checkOrder();
  }

  #checkOrder(): void {
    const waitingFor = this.#inputs.map(() => 0);
    const users = this.#inputs.map((): number[] => []);
    for (const [node, inputs] of this.#inputs.entries()) {
      for (const value of inputs) {
        const maker = this.#makers.get(value);
        if (maker === undefined) continue;
        (users[maker] as number[]).push(node);
        (waitingFor[node] as number)++;
      }
    }
    const ready = [...waitingFor.keys()].filter((node) => waitingFor[node] === 0);
    let done = 0;
    for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
      done++;
      for (const user of users[node] as number[]) {
        if (--(waitingFor[user] as number) === 0) ready.push(user);
      }
    }
    if (done < this.#inputs.length) throw malformed('its nodes form a circle');
  }

  #numberOf(name: string): number {
    const known = this.#known.get(name) ?? this.#known.size;
    this.#known.set(name, known);
    return known;
  }
}
