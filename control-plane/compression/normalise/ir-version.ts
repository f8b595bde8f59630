// Which IR version a variant states: 8, which runtimes of the last years read, where nothing newer is used.
// Source: the IR versions in onnx.proto and ONNX's table of released versions.

import { toNumber } from '../onnx/messages.ts';
import { TensorProtoDataType, type ModelProto } from '../onnx/onnx-types.ts';
import { allNodes, allTensors } from '../onnx/walk.ts';
import { defaultOpset } from './opset.ts';

const VARIANT_IR_VERSION = 8;
/** The last operator set that was released with IR version 8. */
const LAST_OPSET = 18;

/** Sets IR version 8 unless the model uses what came later: newer operator sets or types, overloads, devices. */
export function setIrVersion(model: ModelProto): void {
  if (toNumber(defaultOpset(model).version) > LAST_OPSET || model.configuration.length > 0) return;
  for (const { dataType } of allTensors(model)) if ((dataType ?? 0) > TensorProtoDataType.BFLOAT16) return;
  for (const { overload, deviceConfigurations } of allNodes(model))
    if ((overload ?? '') !== '' || deviceConfigurations.length > 0) return;
  model.irVersion = VARIANT_IR_VERSION;
}
