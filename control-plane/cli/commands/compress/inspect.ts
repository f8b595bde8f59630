import { localVerb, type AddCommand } from '../../command.ts';
import { tableLines } from '../../output.ts';

export const addCompressInspect: AddCommand = (noun, surroundings) =>
  localVerb(
    noun,
    surroundings,
    'inspect <model>',
    'what an ONNX file holds, and what compression could do to it',
    (command) => command,
    async ({ out }, _options, path = '') => {
      const { inspectFile } = await import('../../../compression/alone/inspect-file.ts');
      const found = await inspectFile(path);
      out.answer(found, () => [
        `${path}: ${found.sizeBytes} bytes, ${found.parameters} parameters, ${found.nodeCount} nodes`,
        `IR ${found.irVersion}, operator sets ${Object.entries(found.opsets).map(([domain, version]) => `${domain || 'ai.onnx'} ${version}`).join(', ')}`, // prettier-ignore
        ...(found.isQuantized ? ['it is quantized already'] : []),
        '',
        ...tableLines(
          ['tensor', 'dtype', 'shape'],
          [...found.inputs.map((input) => ['in', input] as const), ...found.outputs.map((output) => ['out', output] as const)].map(([way, { name, dtype, shape }]) => [`${way}  ${name}`, dtype, shape === null ? '-' : `[${shape.join(', ')}]`]), // prettier-ignore
        ),
        '',
        ...tableLines(
          ['operator', 'nodes', 'static int8'],
          Object.entries(found.opCounts).map(([operator, count]) => [
            operator,
            count,
            operator in found.quantizable ? 'yes' : 'stays in float',
          ]),
        ),
        '',
        ...tableLines(
          ['largest tensors', 'shape'],
          found.largest.map(({ name, dims }) => [name, `[${dims.join(', ')}]`]),
        ),
      ]);
    },
  );
