// Copies a model with other tensors in it, at any depth. Only what leads to a tensor is copied.

import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  SparseTensorProto,
  TensorProto,
} from './onnx-types.ts';

type Change = (tensor: TensorProto) => TensorProto;

/** A copy in which every tensor that `allTensors` visits is what `change` makes of it. */
export function mapTensors(model: ModelProto, change: Change): ModelProto {
  const functions = model.functions.map((body): FunctionProto => {
    const node = body.node.map((inner) => mapNode(inner, change));
    return { ...body, node, attributeProto: body.attributeProto.map((value) => mapAttribute(value, change)) };
  });
  return { ...model, functions, ...(model.graph && { graph: mapGraph(model.graph, change) }) };
}

function mapGraph(graph: GraphProto, change: Change): GraphProto {
  return {
    ...graph,
    initializer: graph.initializer.map(change),
    sparseInitializer: graph.sparseInitializer.map((sparse) => mapSparse(sparse, change)),
    node: graph.node.map((node) => mapNode(node, change)),
  };
}

function mapNode(node: NodeProto, change: Change): NodeProto {
  return { ...node, attribute: node.attribute.map((attribute) => mapAttribute(attribute, change)) };
}

function mapAttribute(attribute: AttributeProto, change: Change): AttributeProto {
  const { t, g, sparseTensor } = attribute;
  return {
    ...attribute,
    ...(t && { t: change(t) }),
    ...(g && { g: mapGraph(g, change) }),
    ...(sparseTensor && { sparseTensor: mapSparse(sparseTensor, change) }),
    tensors: attribute.tensors.map(change),
    graphs: attribute.graphs.map((graph) => mapGraph(graph, change)),
    sparseTensors: attribute.sparseTensors.map((sparse) => mapSparse(sparse, change)),
  };
}

function mapSparse(sparse: SparseTensorProto, change: Change): SparseTensorProto {
  const { values, indices } = sparse;
  return {
    ...sparse,
    ...(values && { values: change(values) }),
    ...(indices && { indices: change(indices) }),
  };
}
