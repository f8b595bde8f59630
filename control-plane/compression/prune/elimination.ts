// In which order inputs of linear layers are best given up, when what is left is refitted after each: the cost of
// an input is the error that the best refit leaves. Source: Optimal Brain Surgeon on blocks (Hassibi and Stork
// 1993; Frantar and Alistarh 2022; ZipLM, Kurtic et al. 2023), with inverse and weights updated step by step.

import { decomposeSurely, inverse, meanDiagonal, solve } from './cholesky.ts';
import { dot } from './moments.ts';

/** A layer that reads the channels of a group. */
export interface Reader {
  /** [K, K], of what it reads. */
  readonly xx: Float64Array;
  /** [M, K] */
  readonly weights: Float64Array;
  /** Inputs that go with each class of the group. */
  readonly columns: ReadonlyMap<number, readonly number[]>;
}

export interface Step {
  readonly id: number;
  /** Share of the readers' output variance that is lost with this class, on top of those before. */
  readonly cost: number;
}

const RIDGE = 1e-3;

/** The `count` cheapest classes one after another, each chosen when those before are gone. */
export function eliminationOrder(readers: readonly Reader[], ids: readonly number[], count: number): Step[] {
  const states = readers.map((reader) => new Elimination(reader));
  const left = new Set(ids);
  const steps: Step[] = [];
  while (steps.length < count && left.size > 0) {
    let best: Step = { id: -1, cost: Infinity };
    for (const id of left) {
      const cost = totalCost(states, id);
      if (best.id < 0 || cost < best.cost) best = { id, cost };
    }
    for (const state of states) state.remove(best.id);
    left.delete(best.id);
    steps.push(best);
  }
  return steps;
}

/** What the classes cost when they are given up in the order that is given. */
export function eliminationCosts(readers: readonly Reader[], order: readonly number[]): Step[] {
  const states = readers.map((reader) => new Elimination(reader));
  return order.map((id) => {
    const cost = totalCost(states, id);
    for (const state of states) state.remove(id);
    return { id, cost };
  });
}

function totalCost(states: readonly Elimination[], id: number): number {
  return states.reduce((total, state) => total + state.costOf(id), 0);
}

class Elimination {
  readonly #size: number;
  readonly #outputs: number;
  readonly #columns: ReadonlyMap<number, readonly number[]>;
  readonly #inverse: Float64Array;
  readonly #weights: Float64Array;
  readonly #energy: number;

  constructor({ xx, weights, columns }: Reader) {
    this.#size = Math.sqrt(xx.length);
    this.#outputs = weights.length / this.#size;
    this.#columns = columns;
    const scale = meanDiagonal(xx, this.#size) || 1;
    this.#inverse = inverse(xx, this.#size, RIDGE * scale);
    this.#weights = Float64Array.from(weights);
    this.#energy = outputEnergy(xx, weights, this.#size) || Infinity;
  }

  /** Output variance lost with a class: the trace of W_s (P_ss)^-1 W_sᵀ, as a share of the whole. */
  costOf(id: number): number {
    const columns = this.#columns.get(id);
    if (columns === undefined) return 0;
    const [first = 0] = columns;
    if (columns.length === 1) {
      let energy = 0;
      for (let m = 0; m < this.#outputs; m++)
        energy += (this.#weights[m * this.#size + first] as number) ** 2;
      return energy / (this.#inverse[first * this.#size + first] as number) / this.#energy;
    }
    const pulled = this.#pulled(columns);
    let energy = 0;
    for (let m = 0; m < this.#outputs; m++)
      columns.forEach((column, index) => {
        energy +=
          (this.#weights[m * this.#size + column] as number) * (pulled[m * columns.length + index] as number);
      });
    return energy / this.#energy;
  }

  /** W -= W_s (P_ss)^-1 P_s; P -= P_s' (P_ss)^-1 P_s. */
  remove(id: number): void {
    const columns = this.#columns.get(id);
    if (columns === undefined) return;
    const across = columns.map((column) =>
      this.#inverse.slice(column * this.#size, (column + 1) * this.#size),
    );
    this.#subtract(this.#weights, this.#outputs, this.#pulled(columns), across);
    const sides = new Float64Array(this.#size * columns.length);
    across.forEach((row, index) => row.forEach((value, k) => (sides[k * columns.length + index] = value)));
    solve(this.#block(columns), columns.length, sides);
    this.#subtract(this.#inverse, this.#size, sides, across);
  }

  /** W_s (P_ss)^-1, [M, s]. */
  #pulled(columns: readonly number[]): Float64Array {
    const sides = new Float64Array(this.#outputs * columns.length);
    for (let m = 0; m < this.#outputs; m++)
      columns.forEach((column, index) => {
        sides[m * columns.length + index] = this.#weights[m * this.#size + column] as number;
      });
    solve(this.#block(columns), columns.length, sides);
    return sides;
  }

  #block(columns: readonly number[]): Float64Array {
    const block = new Float64Array(columns.length ** 2);
    columns.forEach((row, i) =>
      columns.forEach((column, j) => {
        block[i * columns.length + j] = this.#inverse[row * this.#size + column] as number;
      }),
    );
    return decomposeSurely(block, columns.length, 1e-12 * meanDiagonal(block, columns.length));
  }

  /** target [rows, K] -= factors [rows, s] across [s, K] */
  #subtract(
    target: Float64Array,
    rows: number,
    factors: Float64Array,
    across: readonly Float64Array[],
  ): void {
    for (let row = 0; row < rows; row++)
      across.forEach((values, index) => {
        const factor = factors[row * across.length + index] as number;
        if (factor === 0) return;
        const start = row * this.#size;
        for (let k = 0; k < this.#size; k++)
          target[start + k] = (target[start + k] as number) - factor * (values[k] as number);
      });
  }
}

/** Trace of W xx Wᵀ. */
function outputEnergy(xx: Float64Array, weights: Float64Array, size: number): number {
  let energy = 0;
  for (let start = 0; start < weights.length; start += size)
    for (let k = 0; k < size; k++)
      energy += (weights[start + k] as number) * dot(weights, start, xx, k * size, size);
  return energy;
}
