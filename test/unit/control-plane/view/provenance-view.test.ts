import { expect, it } from 'vitest';
import { provenanceView } from '#control-plane/view/provenance-view.ts';
import { variantStatement, versionStatement, type Provenance } from '#protocol/provenance.ts';
import { digits } from '../registry/registry-world.ts';

const sha256 = (digit: string): string => digit.repeat(64);
const signed = {
  sha256: sha256('0'),
  keyId: sha256('a'),
  signer: 'control-plane',
  owner: '',
  verified: true,
  problem: null,
} as const;

async function provenance(): Promise<Provenance> {
  const { contract } = await digits();
  const lineage = {
    ...contract.lineage,
    dataset: { name: 'mnist', sha256: sha256('1') },
    codeSha256: sha256('2'),
    trainingJob: 'train-7',
    hyperParameters: { epochs: 5, augment: true },
    seed: 3,
  };
  const version = { contract: { ...contract, lineage }, contractSha256: sha256('3') };
  const parents = new Map([[4, sha256('4')]]);
  const variant = variantStatement({
    model: 'digits', version: 5, profile: 'cpu-generic', recipe: { kind: 'original' }, packageVersion: '1.2.3',
    weightsSha256: sha256('5'), sourceSha256: sha256('6'), calibrationSha256: sha256('7'), evaluationSha256: null,
  }); // prettier-ignore
  return {
    authors: { role: 'team-vision', threshold: 1, authorSignature: 'import' },
    signature: { ...signed, signer: 'author', owner: 'Alice' },
    items: [
      { ...signed, profile: null, statement: versionStatement({ ...version, parents }, 'claimed') },
      { ...signed, profile: 'cpu-generic', statement: variant },
    ],
    missing: ['its parent digits 4 has no provenance'],
  };
}

it('leads from what a version was made of to its variants, and says whose word each step is', async () => {
  const { signature, steps, missing } = provenanceView('digits', 5, await provenance());
  expect(signature).toEqual({ verdict: 'verified', tone: 'good', why: 'signed by Alice, key aaaaaaaaaaaa' });
  expect(steps).toMatchObject([
    {
      title: 'digits 5',
      how: 'trained: job train-7, epochs 5, augment true, seed 3',
      word: 'as its author claims; nobody watched the training',
      from: [
        { what: 'dataset', title: 'mnist', sha256: sha256('1') },
        { what: 'code', title: '' },
        { what: 'parent', title: 'digits/4' },
      ],
      made: [{ what: 'weights.onnx' }, { what: 'golden.safetensors' }, { what: 'contract.json' }],
      verdict: 'verified',
    },
    {
      title: 'cpu-generic',
      how: 'the original',
      word: 'as this control plane made it, with Holdfast 1.2.3',
      from: [{ what: 'source', title: 'digits/5' }, { what: 'calibration' }],
      why: 'signed by the control plane, key aaaaaaaaaaaa',
    },
  ]);
  expect(missing).toEqual(['its parent digits 4 has no provenance']);
});

it('says what is wrong, and shows nothing of a statement that cannot be believed', async () => {
  const whole = await provenance();
  const broken = { keyId: null, signer: null, verified: false, problem: 'it was changed', statement: null };
  const { steps } = provenanceView('digits', 5, {
    ...whole,
    items: whole.items.map((item) => ({ ...item, ...broken })),
  });
  expect(steps[0]).toEqual({
    title: 'digits 5', how: '', word: '', from: [], made: [], verdict: 'not verified', tone: 'bad', why: 'it was changed',
  }); // prettier-ignore
});

it('tells a signature that is missing from one that nobody asks for', async () => {
  const whole = { ...(await provenance()), signature: null };
  expect(provenanceView('digits', 5, whole).signature).toMatchObject({ verdict: 'missing', tone: 'bad' });
  const authors = { ...whole.authors, authorSignature: 'none' as const };
  expect(provenanceView('digits', 5, { ...whole, authors }).signature.tone).toBe('idle');
});
