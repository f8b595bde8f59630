// Where a version and its variants come from, as steps in words: one view model behind the command line and the console.

import {
  BUILDERS,
  type Provenance,
  type ProvenanceItem,
  type ProvenanceResource,
  type ProvenanceStatement,
} from '#protocol/provenance.ts';
import { recipeInWords } from './recipe-words.ts';
import type { Tone } from './words.ts';

export interface NamedDigest {
  readonly what: string;
  /** What people call it; empty when it has no name. */
  readonly title: string;
  readonly sha256: string;
}

export interface Verdict {
  /** `verified` or `not verified`. */
  readonly verdict: string;
  readonly tone: Tone;
  /** Who signed it, or what is wrong with it. */
  readonly why: string;
}

export interface ProvenanceStep extends Verdict {
  /** `digits 1`, `cpu-generic`. */
  readonly title: string;
  /** How it was made; empty when that cannot be read. */
  readonly how: string;
  /** Whose word it is; empty when that cannot be read. */
  readonly word: string;
  readonly from: readonly NamedDigest[];
  readonly made: readonly NamedDigest[];
}

export interface ProvenanceView {
  /** The authors' signature over the files. */
  readonly signature: Verdict;
  readonly steps: readonly ProvenanceStep[];
  readonly missing: readonly string[];
}

export function provenanceView(model: string, version: number, provenance: Provenance): ProvenanceView {
  const { authors, signature, items, missing } = provenance;
  return {
    signature: signature === null ? unsigned(authors.authorSignature) : verdictOf(signature),
    steps: items.map((item) => stepOf(item.profile ?? `${model} ${version}`, item)),
    missing,
  };
}

function unsigned(policy: Provenance['authors']['authorSignature']): Verdict {
  return policy === 'none'
    ? { verdict: 'none', tone: 'idle', why: 'its authors gave no signature, and none is asked for' }
    : { verdict: 'missing', tone: 'bad', why: 'its authors must sign it and have not' };
}

function verdictOf(signed: Omit<ProvenanceItem, 'profile' | 'statement'>): Verdict {
  const { verified, problem, signer, keyId, owner } = signed;
  if (!verified) return { verdict: 'not verified', tone: 'bad', why: problem ?? 'it does not hold' };
  const whose = signer === 'control-plane' ? 'the control plane' : owner === '' ? 'an author' : owner;
  return { verdict: 'verified', tone: 'good', why: `signed by ${whose}, key ${keyId?.slice(0, 12)}` };
}

function stepOf(title: string, item: ProvenanceItem): ProvenanceStep {
  const verdict = verdictOf(item);
  if (item.statement === null) return { ...verdict, title, how: '', word: '', from: [], made: [] };
  const { subject, predicate } = item.statement;
  return {
    ...verdict,
    title,
    how: howInWords(predicate),
    word: wordOf(predicate.runDetails.builder),
    from: predicate.buildDefinition.resolvedDependencies.map(named),
    made: subject.map(named),
  };
}

function howInWords({ buildDefinition, runDetails }: ProvenanceStatement['predicate']): string {
  const { externalParameters: parameters } = buildDefinition;
  if ('recipe' in parameters) return recipeInWords(parameters.recipe);
  const { hyperParameters, seed } = parameters;
  const job = runDetails.metadata?.invocationId;
  const words = [
    ...(job === undefined ? [] : [`job ${job}`]),
    ...Object.entries(hyperParameters).map(([name, value]) => `${name} ${value}`),
    ...(seed === null ? [] : [`seed ${seed}`]),
  ];
  return words.length === 0 ? 'trained' : `trained: ${words.join(', ')}`;
}

function wordOf({ id, version }: ProvenanceStatement['predicate']['runDetails']['builder']): string {
  switch (id) {
    case BUILDERS.author:
      return 'as its author claims';
    case BUILDERS.claimed:
      return 'as its author claims; nobody watched the training';
    case BUILDERS.controlPlane:
      return `as this control plane made it, with Holdfast ${version?.['holdfast'] ?? 'of an unknown version'}`;
    default:
      return `as ${id} says`;
  }
}

function named({ name, digest, annotations }: ProvenanceResource): NamedDigest {
  return { what: name, title: annotations?.title ?? '', sha256: digest.sha256 };
}
