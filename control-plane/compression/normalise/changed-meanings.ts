// Adapters for operators whose name or meaning changed: each node goes on meaning what it meant, or is refused.
// Source: Changelog.md of ONNX, and ONNX Runtime's kernels where it left a meaning open.

import { attributeOf } from '../onnx/attributes.ts';
import { makeIntAttribute, makeNode, makeStringAttribute, toNumber } from '../onnx/messages.ts';
import { floatTensor, readFloats } from '../onnx/tensor-data.ts';
import { takeAttribute, type Adapter } from './opset-scope.ts';

export const rename =
  (opType: string): Adapter =>
  (node) => {
    node.opType = opType;
  };

/**
 * Before 11, pixels were mapped by division alone, and ONNX Runtime took the nearest one downwards when it grew an
 * axis, upwards when it shrank one.
 */
export const resizeAsBefore: Adapter = (node, scope) => {
  const [data = '', scales = ''] = node.input;
  const mode = new TextDecoder().decode(attributeOf(node, 'mode')?.s ?? new TextEncoder().encode('nearest'));
  node.attribute.push(makeStringAttribute('coordinate_transformation_mode', 'asymmetric'));
  if (mode === 'nearest') {
    const constant = scope.constantOf(scales);
    const values = constant === undefined ? [] : [...readFloats(constant)];
    const shrinks = values.some((scale) => scale < 1);
    if (values.length === 0 || (shrinks && values.some((scale) => scale > 1)))
      throw scope.refuse(node, 'which pixel is nearest depends on scales that are not constant, or differ');
    node.attribute.push(makeStringAttribute('nearest_mode', shrinks ? 'ceil' : 'floor'));
  }
  const roi = scope.addConstant(node, 'roi', (name) => floatTensor(name, [0], new Float32Array(0)));
  node.input = [data, roi, scales];
};

export const refuseCropMode: Adapter = (node, scope) => {
  const mode = attributeOf(node, 'coordinate_transformation_mode')?.s ?? new Uint8Array(0);
  if (new TextDecoder().decode(mode) === 'tf_half_pixel_for_nn')
    throw scope.refuse(node, 'tf_half_pixel_for_nn is no coordinate transformation any more');
};

export const roiAlignAsBefore: Adapter = (node) => {
  node.attribute.push(makeStringAttribute('coordinate_transformation_mode', 'output_half_pixel'));
};

/**
 * Before 13, everything from `axis` on was one row; since then only the axis itself is. Both are the same for the
 * last axis, else the rows are made by hand.
 */
export const softmaxOverRows: Adapter = (node, scope) => {
  const [data = ''] = node.input;
  const [output = ''] = node.output;
  const axis = toNumber(takeAttribute(node, 'axis')?.i ?? 1);
  const rank = scope.model.types.get(data)?.shape?.length;
  node.attribute.push(makeIntAttribute('axis', -1));
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) return;
  const fresh = (role: string) => scope.model.freshName(`${output}_${role}`);
  const [rows, shape, soft] = [fresh('rows'), fresh('shape'), fresh('soft')];
  const flatten = makeNode('Flatten', [data], [rows], rows, [makeIntAttribute('axis', axis)]);
  scope.before.push(flatten, makeNode('Shape', [data], [shape], shape));
  scope.after.push(makeNode('Reshape', [soft, shape], [output], fresh('reshape')));
  node.input = [rows];
  node.output = [soft];
};

export const normalizeEachChannel: Adapter = (node, scope) => {
  const spatial = takeAttribute(node, 'spatial');
  if (spatial !== undefined && toNumber(spatial.i) !== 1)
    throw scope.refuse(node, 'it normalizes each value, not each channel (spatial = 0)');
};

export const refuseTraining: Adapter = (node, scope) => {
  if (node.output.slice(1).some((name) => name !== '')) throw scope.refuse(node, 'it is in training mode');
  node.output.length = 1;
};

/** Nothing is dropped in inference; what the mask then holds was not always the same. */
export const dropDropoutMask: Adapter = (node, scope) => {
  takeAttribute(node, 'ratio');
  const [, mask = ''] = node.output;
  if (mask !== '' && scope.model.read.has(mask)) throw scope.refuse(node, 'its mask is read');
  node.output.length = 1;
};

export const refuseBatchedScan: Adapter = (node, scope) => {
  throw scope.refuse(node, 'it scans a batch of sequences of their own lengths');
};
