// The `holdfast` command: nouns and verbs, one file a verb.

import { Command } from 'commander';
import type { AddCommand } from './command.ts';
import { addBlobFetch } from './commands/blob/fetch.ts';
import { addBrokerMosquitto } from './commands/broker/mosquitto.ts';
import { addClaimCreate } from './commands/claim/create.ts';
import { addClaimList } from './commands/claim/list.ts';
import { addClaimWithdraw } from './commands/claim/withdraw.ts';
import { addCompressInspect } from './commands/compress/inspect.ts';
import { addCompressRun } from './commands/compress/run.ts';
import { addDeviceDecisions } from './commands/device/decide.ts';
import { addDeviceGet } from './commands/device/get.ts';
import { addDeviceList } from './commands/device/list.ts';
import { addModelCompress } from './commands/model/compress.ts';
import { addModelGet } from './commands/model/get.ts';
import { addModelImportBundle } from './commands/model/import-bundle.ts';
import { addModelImport } from './commands/model/import.ts';
import { addModelList } from './commands/model/list.ts';
import { addModelProvenance } from './commands/model/provenance.ts';
import { addModelSign } from './commands/model/sign.ts';
import { addModelVerify } from './commands/model/verify.ts';
import { addRolloutCreate } from './commands/rollout/create.ts';
import { addRolloutGet } from './commands/rollout/get.ts';
import { addRolloutList } from './commands/rollout/list.ts';
import { addRolloutSteering } from './commands/rollout/steer.ts';
import { addTokenCreate } from './commands/token/create.ts';
import { addTokenList } from './commands/token/list.ts';
import { addTokenRevoke } from './commands/token/revoke.ts';
import { addTokenRotate } from './commands/token/rotate.ts';
import { addTrustChanges } from './commands/trust/change.ts';
import { addTrustCreateKey } from './commands/trust/create-key.ts';
import { addTrustExport } from './commands/trust/export.ts';
import { addTrustInit } from './commands/trust/init.ts';
import { addTrustRotateCa } from './commands/trust/rotate-ca.ts';
import { addTrustSign } from './commands/trust/sign.ts';
import { addTrustStatus } from './commands/trust/status.ts';
import type { Surroundings } from './context.ts';

const NOUNS: Readonly<Record<string, { summary: string; verbs: readonly AddCommand[] }>> = {
  device: { summary: 'the devices of the fleet', verbs: [addDeviceList, addDeviceGet, addDeviceDecisions] },
  claim: { summary: 'claims for enrolment', verbs: [addClaimCreate, addClaimList, addClaimWithdraw] },
  model: {
    summary: 'models, their versions and variants',
    verbs: [
      addModelList,
      addModelGet,
      addModelImport,
      addModelImportBundle,
      addModelCompress,
      addModelSign,
      addModelVerify,
      addModelProvenance,
    ],
  },
  blob: { summary: 'files of models and datasets, by their sha256', verbs: [addBlobFetch] },
  compress: {
    summary: 'ONNX files on this machine, without a control plane',
    verbs: [addCompressRun, addCompressInspect],
  },
  trust: {
    summary: 'who may sign what: keys, thresholds, teams, and what waits for signatures',
    verbs: [
      addTrustStatus,
      addTrustCreateKey,
      addTrustInit,
      addTrustChanges,
      addTrustSign,
      addTrustExport,
      addTrustRotateCa,
    ],
  },
  token: {
    summary: 'API tokens: who may do what, and until when',
    verbs: [addTokenCreate, addTokenList, addTokenRotate, addTokenRevoke],
  },
  broker: { summary: 'brokers outside', verbs: [addBrokerMosquitto] },
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
