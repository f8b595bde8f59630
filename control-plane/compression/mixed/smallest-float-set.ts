// Finds few layers whose float precision brings the loss within its limit. Pure: measuring is handed in. First
// a binary search over the layers from the most harmful on, then each is given back to 8 bits where that holds.

export interface FloatSetSearch<Layer> {
  /** Most harmful first; all of them in float must bring the loss within its limit. */
  readonly ordered: readonly Layer[];
  /** Whether the loss is within its limit with these layers in float. */
  readonly isEnough: (float: readonly Layer[]) => Promise<boolean>;
  /** How often `isEnough` may be asked while layers are given back. */
  readonly giveBackTrials: number;
}

/**
 * Layers that have to stay in float, most harmful first: from none to all. Asks log2(layers) + 1 times and then
 * `giveBackTrials` times at most. Small: none of the pieces that were tried can go; not always the fewest.
 */
export async function smallestFloatSet<Layer>({
  ordered,
  isEnough,
  giveBackTrials,
}: FloatSetSearch<Layer>): Promise<Layer[]> {
  if (await isEnough([])) return [];
  let tooFew = 0;
  let enough = ordered.length;
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (await isEnough(ordered.slice(0, middle))) enough = middle;
    else tooFew = middle;
  }
  return await giveBack(ordered.slice(0, enough), isEnough, giveBackTrials);
}

/** From the least harmful on, in pieces so large that the trials reach all. */
async function giveBack<Layer>(
  float: readonly Layer[],
  isEnough: FloatSetSearch<Layer>['isEnough'],
  trials: number,
): Promise<Layer[]> {
  let kept = [...float];
  if (trials === 0) return kept;
  const pieceSize = Math.ceil(float.length / trials);
  for (let end = float.length; end > 0; end -= pieceSize) {
    const piece = new Set(float.slice(Math.max(0, end - pieceSize), end));
    const rest = kept.filter((layer) => !piece.has(layer));
    if (rest.length > 0 && (await isEnough(rest))) kept = rest;
  }
  return kept;
}
