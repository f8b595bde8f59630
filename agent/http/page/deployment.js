// The last deployment: its state in words, the rail of its steps, and what every gate saw.

import { make } from './make.js';
import { clockTime, GATES, inPlainWords, REASONS, STATES, STEPS } from './words.js';

const SIGNS = { pass: '✓', fail: '✕', inconclusive: '·' };
const GOOD = new Set(['healthy']);
const BAD = new Set(['failed', 'rolled-back']);
const OVER = new Set(['healthy', 'failed', 'rolled-back', 'held', 'superseded', 'cancelled']);

/** The step at which a deployment is, or at which it ended. */
function reachedStep({ state, history }) {
  const seen = OVER.has(state) && state !== 'healthy' ? history.at(-1)?.from : state;
  return Math.max(
    0,
    STEPS.findIndex(([, states]) => states.includes(seen)),
  );
}

function rail(deployment) {
  const { state, history } = deployment;
  const reached = reachedStep(deployment);
  const visited = new Set(history.flatMap(({ from, to }) => [from, to]));
  const stop = BAD.has(state) ? 'stopped' : state === 'held' ? 'waiting' : OVER.has(state) ? '' : 'now';
  return make(
    'ol',
    'rail',
    ...STEPS.filter(([, states], index) => index >= reached || states.some((one) => visited.has(one))).map(
      (step) => {
        const index = STEPS.indexOf(step);
        const isDone = index < reached || state === 'healthy';
        const item = make('li', isDone ? 'done' : index === reached ? stop : '', step[0]);
        if (index === reached && !OVER.has(state)) item.setAttribute('aria-current', 'step');
        return item;
      },
    ),
  );
}

function evidenceList(evidence) {
  return make(
    'ul',
    'evidence',
    ...evidence.map((piece) => {
      const { gate, verdict, summary } = piece;
      const sign = make('span', 'sign', SIGNS[verdict]);
      sign.setAttribute('role', 'img');
      sign.setAttribute('aria-label', verdict);
      const said = make('span', 'said', inPlainWords(piece));
      said.title = summary;
      return make('li', verdict, sign, make('span', 'gate', GATES[gate] ?? gate), said);
    }),
  );
}

/** Draws into `place` what changed since the last time. */
export function drawDeployment(place, { deployment, nowMs }) {
  const drawn = JSON.stringify(deployment);
  if (drawn === place.dataset.drawn) return;
  place.dataset.drawn = drawn;
  if (deployment === null) {
    place.replaceChildren(make('p', 'why', 'None yet.'));
    return;
  }
  const { state, reason, detail, version, model, progressPct, history, evidence } = deployment;
  const tone = GOOD.has(state) ? 'good' : BAD.has(state) ? 'bad' : '';
  const progress =
    state === 'downloading' && progressPct !== undefined ? ` ${Math.floor(progressPct)} %` : '';
  const ended = history.at(-1);
  const parts = [
    make(
      'p',
      'state',
      make('strong', '', version === undefined ? `Order ${deployment.seq}` : `${model} version ${version}`),
      make('span', `pill ${tone}`, `${STATES[state] ?? state}${progress}`),
      make('small', '', ended === undefined ? '' : clockTime(ended.atMs, nowMs)),
    ),
  ];
  // A failed gate says the detail below, in its own row.
  const isShown = evidence.some(({ verdict }) => verdict === 'fail');
  const why = [REASONS[reason], isShown ? '' : detail].filter(Boolean).join(' ');
  if (why !== '' && OVER.has(state)) parts.push(make('p', 'why', why));
  parts.push(rail(deployment));
  if (evidence.length > 0) parts.push(evidenceList(evidence));
  place.replaceChildren(...parts);
}
