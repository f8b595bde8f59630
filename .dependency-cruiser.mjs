// Which way imports may point: docs/architecture.md as rules. Run by test/build/check-dependencies.ts, which
// also asserts that the cruise saw the tree; test/integration/build/check-dependencies.test.ts breaks each rule once.

/** Files whose rules must hold under any clock and on any disk. */
const PURE = [
  '^protocol/',
  '^agent/domain/',
  '^agent/ports/',
  '^control-plane/view/',
  '^control-plane/(rollouts|evaluation)/(?!service|store|routes|controller|runner|adapter)[^/]+\\.ts$',
];

/** Node modules that reach the outside world, the clock or the environment. */
const NODE_IO =
  '^(node:)?(fs|fs/promises|net|tls|http|https|http2|dgram|dns|os|process|child_process|worker_threads|cluster|sqlite|timers|timers/promises|perf_hooks|readline|tty|repl|inspector)$';

/** Composition roots: the entries of processes, and what each of the two long-lived ones is put together in. */
const COMPOSITION_ROOTS = [
  '(^|/)(main|app)\\.ts$',
  '^agent/start-agent\\.ts$',
  '^control-plane/start-control-plane\\.ts$',
];

const INFERENCE_NATIVE = '(^|/)node_modules/(onnxruntime-node|sharp)/';

const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    forbid(
      'protocol-only-zod',
      'protocol is the ground floor: it imports zod and itself.',
      { path: '^protocol/' },
      { pathNot: ['^protocol/', '(^|/)node_modules/zod/'] },
    ),
    forbid(
      'agent-not-control-plane',
      'The agent speaks to the control plane through protocol only.',
      { path: '^agent/' },
      { path: '^control-plane/' },
    ),
    forbid(
      'control-plane-not-agent',
      'The control plane speaks to agents through protocol only.',
      { path: '^control-plane/' },
      { path: '^agent/' },
    ),
    forbid(
      'product-not-test',
      'What ships does not import tests, fakes or build scripts.',
      { path: '^(protocol|agent|control-plane)/' },
      { path: '^test/' },
    ),
    forbid(
      'pure-no-io',
      'Pure files take time, randomness and the outside world as arguments.',
      { path: PURE },
      { path: NODE_IO, dependencyTypes: ['core'] },
    ),
    forbid(
      'pure-imports-pure',
      'Pure files import protocol, other pure files and node:crypto at most; a type of an impure file may be named.',
      { path: PURE },
      {
        path: '^(agent|control-plane)/',
        pathNot: PURE,
        dependencyTypesNot: ['type-only'],
      },
    ),
    forbid(
      'view-only-protocol',
      'View models are built from protocol alone, so that the command line and the console share them.',
      { path: '^control-plane/view/' },
      { pathNot: ['^control-plane/view/', '^protocol/'] },
    ),
    forbid(
      'cli-only-protocol',
      'The command line knows the control plane by HTTP: protocol, view models and its own folder.',
      { path: '^control-plane/cli/', pathNot: '^control-plane/cli/commands/(compress|trust|model)/' },
      { path: '^(agent|control-plane)/', pathNot: '^control-plane/(cli|view)/' },
    ),
    forbid(
      'cli-compress-alone',
      'Compression of a file needs no control plane: its commands reach the compression itself, by one door.',
      { path: '^control-plane/cli/commands/compress/' },
      { path: '^(agent|control-plane)/', pathNot: '^control-plane/(cli|view|compression/alone)/' },
    ),
    forbid(
      'cli-keys-stay-here',
      "A person's keys stay on her machine: commands that sign reach what signs without a control plane, by one door.",
      { path: '^control-plane/cli/commands/(trust|model)/' },
      { path: '^(agent|control-plane)/', pathNot: '^control-plane/(cli|view|trust/offline)/' },
    ),
    forbid(
      'console-only-protocol',
      'The console knows the control plane by HTTP: protocol, view models and its own folder.',
      { path: '^control-plane/console/' },
      { path: '^(agent|control-plane)/', pathNot: '^control-plane/(console|view)/' },
    ),
    forbid(
      'adapters-from-composition-roots',
      'Only composition roots wire adapters to ports.',
      { path: '^(agent|control-plane)/', pathNot: ['/adapters/', ...COMPOSITION_ROOTS] },
      { path: '/adapters/' },
    ),
    forbid(
      'inference-only-in-worker',
      'Native inference code lives in the killable child: the supervisor never loads it, at any distance.',
      { path: '^agent/', pathNot: '^agent/worker/' },
      { path: INFERENCE_NATIVE, reachable: true },
    ),
    forbid('no-circular', 'A circle hides which module owns a rule.', {}, { circular: true }),
    forbid('no-unresolved', 'Every import resolves.', {}, { couldNotResolve: true }),
    forbid(
      'no-undeclared-package',
      'What ships imports packages listed as dependencies.',
      { path: '^(protocol|agent|control-plane)/', pathNot: '^control-plane/console/' },
      {
        dependencyTypes: ['npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only'],
      },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Built and recorded files of our own; a package's own dist/ must stay visible.
    exclude: { path: '^(?!.*node_modules/).*(^|/)(dist|fixtures)/' },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    moduleSystems: ['es6'],
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.json'],
      conditionNames: ['import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
