// Names for channels. Every channel of every followed tensor carries a label; labels of channels that can only go
// together are merged into one class, and classes that one layer makes, or that meet in an element-wise operator,
// form a group that is pruned as a whole. Source: DepGraph (Fang et al., CVPR 2023), at the grain of one channel.

/** Labels along the channel axis of a tensor, in order; a label may come more than once. */
export type Labels = Int32Array;

export class ChannelLabels {
  readonly #classes: number[] = [];
  readonly #groups: number[] = [];
  readonly #origins: string[] = [];
  readonly #frozen = new Map<number, string>();

  get count(): number {
    return this.#classes.length;
  }

  /** New labels, all of one group. `origin` is what people read in notes. */
  fresh(count: number, origin: string): Labels {
    const first = this.#classes.length;
    for (let label = first; label < first + count; label++) {
      this.#classes.push(label);
      this.#groups.push(first);
      this.#origins.push(origin);
    }
    return Int32Array.from({ length: count }, (_, index) => first + index);
  }

  classOf(label: number): number {
    return rootOf(this.#classes, label);
  }

  groupOf(label: number): number {
    return rootOf(this.#groups, label);
  }

  /** Where a label was made. */
  originOf(label: number): string {
    return this.#origins[label] ?? '';
  }

  /** Makes two channels one class; their groups become one too. */
  join(a: number, b: number): void {
    const [kept, gone] = [this.classOf(a), this.classOf(b)].sort((x, y) => x - y) as [number, number];
    this.#groups[this.groupOf(gone)] = this.groupOf(kept);
    if (kept === gone) return;
    this.#classes[gone] = kept;
    const reason = this.#frozen.get(gone);
    if (reason !== undefined) this.freeze(kept, reason);
  }

  joinAll(a: Labels, b: Labels): void {
    a.forEach((label, index) => this.join(label, b[index] as number));
  }

  /** The class stays as it is; the first reason given is kept. */
  freeze(label: number, reason: string): void {
    const root = this.classOf(label);
    if (!this.#frozen.has(root)) this.#frozen.set(root, reason);
  }

  freezeAll(labels: Labels, reason: string): void {
    for (const label of labels) this.freeze(label, reason);
  }

  /** Why the class of a label stays, or undefined where it may go. */
  frozenBy(label: number): string | undefined {
    return this.#frozen.get(this.classOf(label));
  }
}

/** Root of a union-find tree, halving the paths on the way. */
function rootOf(parents: number[], start: number): number {
  let at = start;
  for (;;) {
    const parent = parents[at] as number;
    if (parent === at) return at;
    const grandparent = parents[parent] as number;
    parents[at] = grandparent;
    at = grandparent;
  }
}
