// Sums over rows of what a layer reads (x, K numbers) and what it should make of them (y, M numbers): all that a
// least-squares fit needs, in memory that does not grow with the rows. In float64.

/** `count` rows, stored by column: number k of row r is at `k * count + r`. */
export interface Rows {
  readonly count: number;
  readonly x: Float64Array;
  readonly y: Float64Array;
}

/** Second moments of x with itself and with y, about the mean or about zero. */
export interface Covariance {
  /** [K, K], symmetric. */
  readonly xx: Float64Array;
  /** [M, K]. */
  readonly yx: Float64Array;
  readonly meanX: Float64Array;
  readonly meanY: Float64Array;
}

export class Moments {
  readonly inputs: number;
  readonly targets: number;
  #count = 0;
  /** Sums of products, [K, K] of which the lower triangle is kept. */
  readonly #xx: Float64Array;
  readonly #yx: Float64Array;
  readonly #x: Float64Array;
  readonly #y: Float64Array;

  constructor(inputs: number, targets: number) {
    this.inputs = inputs;
    this.targets = targets;
    this.#xx = new Float64Array(inputs * inputs);
    this.#yx = new Float64Array(targets * inputs);
    this.#x = new Float64Array(inputs);
    this.#y = new Float64Array(targets);
  }

  get count(): number {
    return this.#count;
  }

  add({ count, x, y }: Rows): void {
    this.#count += count;
    for (let i = 0; i < this.inputs; i++) {
      for (let j = 0; j <= i; j++) add(this.#xx, i * this.inputs + j, dot(x, i * count, x, j * count, count));
      add(this.#x, i, sum(x, i * count, count));
    }
    for (let i = 0; i < this.targets; i++) {
      for (let j = 0; j < this.inputs; j++)
        add(this.#yx, i * this.inputs + j, dot(y, i * count, x, j * count, count));
      add(this.#y, i, sum(y, i * count, count));
    }
  }

  /** Moments a row, about the mean where `centred`, else about zero (and both means are zero). */
  covariance(centred: boolean): Covariance {
    const scale = 1 / Math.max(1, this.#count);
    const meanX = this.#x.map((value) => (centred ? value * scale : 0));
    const meanY = this.#y.map((value) => (centred ? value * scale : 0));
    const k = this.inputs;
    const xx = new Float64Array(k * k);
    for (let i = 0; i < k; i++)
      for (let j = 0; j <= i; j++) {
        const value = at(this.#xx, i * k + j) * scale - at(meanX, i) * at(meanX, j);
        xx[i * k + j] = value;
        xx[j * k + i] = value;
      }
    const yx = this.#yx.map(
      (value, index) => value * scale - at(meanY, Math.floor(index / k)) * at(meanX, index % k),
    );
    return { xx, yx, meanX, meanY };
  }
}

function at(values: Float64Array, index: number): number {
  return values[index] as number;
}

function add(values: Float64Array, index: number, amount: number): void {
  values[index] = at(values, index) + amount;
}

function sum(values: Float64Array, start: number, count: number): number {
  let total = 0;
  for (let index = start; index < start + count; index++) total += values[index] as number;
  return total;
}

/** Inner product of `count` numbers from `a[i]` and `b[j]` on, in four sums that do not wait for one another. */
export function dot(a: Float64Array, i: number, b: Float64Array, j: number, count: number): number {
  let [first, second, third, fourth] = [0, 0, 0, 0];
  const whole = count - (count % 4);
  for (let at = 0; at < whole; at += 4) {
    first += (a[i + at] as number) * (b[j + at] as number);
    second += (a[i + at + 1] as number) * (b[j + at + 1] as number);
    third += (a[i + at + 2] as number) * (b[j + at + 2] as number);
    fourth += (a[i + at + 3] as number) * (b[j + at + 3] as number);
  }
  for (let at = whole; at < count; at++) first += (a[i + at] as number) * (b[j + at] as number);
  return first + second + (third + fourth);
}
