// The `holdfast` command: nouns and verbs, one file a verb.

import { Command } from 'commander';
import type { AddCommand } from './command.ts';
import { addClaimCreate } from './commands/claim/create.ts';
import { addCompressInspect } from './commands/compress/inspect.ts';
import { addCompressRun } from './commands/compress/run.ts';
import { addDeviceGet } from './commands/device/get.ts';
import { addDeviceList } from './commands/device/list.ts';
import { addModelCompress } from './commands/model/compress.ts';
import { addModelGet } from './commands/model/get.ts';
import { addModelImport } from './commands/model/import.ts';
import { addModelList } from './commands/model/list.ts';
import { addModelSign } from './commands/model/sign.ts';
import { addRolloutCreate } from './commands/rollout/create.ts';
import { addRolloutGet } from './commands/rollout/get.ts';
import { addRolloutList } from './commands/rollout/list.ts';
import { addRolloutSteering } from './commands/rollout/steer.ts';
import type { Surroundings } from './context.ts';

const NOUNS: Readonly<Record<string, { summary: string; verbs: readonly AddCommand[] }>> = {
  device: { summary: 'the devices of the fleet', verbs: [addDeviceList, addDeviceGet] },
  claim: { summary: 'one-time claims for enrolment', verbs: [addClaimCreate] },
  model: {
    summary: 'models, their versions and variants',
    verbs: [addModelList, addModelGet, addModelImport, addModelCompress, addModelSign],
  },
  compress: {
    summary: 'ONNX files on this machine, without a control plane',
    verbs: [addCompressRun, addCompressInspect],
  },
  rollout: {
    summary: 'versions on their way to devices',
    verbs: [addRolloutCreate, addRolloutList, addRolloutGet, addRolloutSteering],
  },
};

const NOTES = `
The API token comes from HOLDFAST_TOKEN; the first one lies in the control plane's data folder, admin-token.

Exit status: 0 done, 1 what was waited for ended badly, 2 wrong input, 3 no answer from the control plane,
4 credentials refused, 5 not found, 6 conflict, 70 internal error.`;

export function holdfastProgram(surroundings: Surroundings): Command {
  const program = new Command('holdfast')
    .description('Keeps a fleet of edge boxes running the right AI model.')
    .addHelpText('after', NOTES)
    .exitOverride()
    .configureOutput({ writeOut: surroundings.write, writeErr: surroundings.writeAside });
  for (const [name, { summary, verbs }] of Object.entries(NOUNS)) {
    const noun = program.command(name).description(summary).exitOverride();
    for (const add of verbs) add(noun, surroundings);
  }
  return program;
}
