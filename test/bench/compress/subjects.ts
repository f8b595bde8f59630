// The models that compression is measured on.

import { digitsSubject, fashionSubject } from './image-classifier.ts';
import { speechSubject } from './speech.ts';
import type { Subject } from './subject.ts';
import { detectionSubject, directionSubject, readingSubject } from './text-reader.ts';

export const SUBJECT_NAMES = [
  'digits',
  'fashion',
  'text direction',
  'text detection',
  'text reading',
  'speech',
] as const;
export type SubjectName = (typeof SUBJECT_NAMES)[number];

const SUBJECTS: Readonly<
  Record<SubjectName, { readonly open: (samples: number) => Promise<Subject>; readonly samples: number }>
> = {
  digits: { open: digitsSubject, samples: 100 },
  fashion: { open: fashionSubject, samples: 100 },
  'text direction': { open: directionSubject, samples: 32 },
  'text detection': { open: detectionSubject, samples: 8 },
  'text reading': { open: readingSubject, samples: 8 },
  speech: { open: speechSubject, samples: 100 },
};

/** Opens one with so many calibration samples, or its default. Throws MissingPart. */
export async function openSubject(name: SubjectName, samples?: number): Promise<Subject> {
  const { open, samples: usual } = SUBJECTS[name];
  return await open(samples ?? usual);
}
