// How large the weights of each class of channels are: the norms of its slices in every matrix and kernel that it
// is cut from, each against the mean of the group there. Source: group importance of DepGraph (Fang et al., 2023).

import { dimsOf, elementCount, readFloats } from '../onnx/tensor-data.ts';
import type { TensorProto } from '../onnx/onnx-types.ts';
import type { ChannelMap } from './coupling/channel-map.ts';
import { placesByClass } from './groups.ts';

/** Importance by class, over all groups; only numbers of one group compare. */
export function weightNorms(map: ChannelMap, norm: 'l1' | 'l2'): Map<number, number> {
  const totals = new Map<number, number>();
  for (const [name, axes] of map.cuts) {
    const tensor = map.index.initializers.get(name);
    if (tensor === undefined || tensor.dims.length < 2) continue;
    for (const [axis, labels] of axes) {
      const slices = sliceNorms(tensor, axis, norm);
      const byClass = new Map<number, number>();
      for (const [id, places] of placesByClass(map, labels))
        byClass.set(
          id,
          places.reduce((total, place) => total + (slices[place] as number), 0),
        );
      const means = groupMeans(map, byClass);
      for (const [id, value] of byClass) {
        const mean = means.get(map.labels.groupOf(id)) ?? 0;
        totals.set(id, (totals.get(id) ?? 0) + (mean > 0 ? value / mean : 0));
      }
    }
  }
  return totals;
}

function groupMeans(map: ChannelMap, byClass: ReadonlyMap<number, number>): Map<number, number> {
  const sums = new Map<number, [total: number, count: number]>();
  for (const [id, value] of byClass) {
    const group = map.labels.groupOf(id);
    const [total, count] = sums.get(group) ?? [0, 0];
    sums.set(group, [total + value, count + 1]);
  }
  return new Map([...sums].map(([group, [total, count]]) => [group, total / count]));
}

/** The norm of each slice of a tensor along an axis. */
function sliceNorms(tensor: TensorProto, axis: number, norm: 'l1' | 'l2'): Float64Array {
  const dims = dimsOf(tensor);
  const size = dims[axis] ?? 1;
  const inner = elementCount(dims.slice(axis + 1));
  const sums = new Float64Array(size);
  readFloats(tensor).forEach((value, index) => {
    const place = Math.floor(index / inner) % size;
    sums[place] = (sums[place] as number) + (norm === 'l1' ? Math.abs(value) : value * value);
  });
  return norm === 'l1' ? sums : sums.map(Math.sqrt);
}
