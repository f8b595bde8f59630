// The agent's states, reasons, gates and numbers in the words of a person beside the device.

/** States of a deployment as steps on the rail, in the words of a person beside the device. */
export const STEPS = [
  ['Order', ['queued', 'notified', 'preflight']],
  ['Download', ['downloading']],
  ['Check', ['verifying']],
  ['Load', ['loading']],
  ['Golden vectors', ['golden']],
  ['Shadow', ['shadow']],
  ['Switch', ['activating']],
  ['Probation', ['probation']],
  ['Healthy', ['healthy']],
];

export const STATES = {
  queued: 'waiting to begin',
  notified: 'looking for the signed order',
  preflight: 'checking disk and memory',
  downloading: 'downloading',
  verifying: 'checking the download',
  loading: 'loading',
  golden: 'answering the author’s test inputs',
  shadow: 'tried beside the version in service',
  activating: 'taking over',
  probation: 'in service, on probation',
  healthy: 'healthy',
  'rolled-back': 'rolled back',
  held: 'held for a person',
  failed: 'failed',
  superseded: 'replaced by a newer order',
  cancelled: 'cancelled',
};

export const REASONS = {
  'metadata-refused': 'The signed order could not be verified.',
  'preflight-failed': 'This machine has too little room for it.',
  'download-failed': 'It could not be downloaded.',
  'digest-mismatch': 'What was downloaded is not what was signed.',
  'load-failed': 'The model could not be loaded here.',
  'worker-crashed': 'Its process crashed.',
  'golden-mismatch': 'It answers the author’s own test inputs differently.',
  'not-finite': 'It answered with NaN or infinity.',
  'latency-regression': 'It is slower than the version in service.',
  'error-regression': 'It fails more often than the version in service.',
  disagreement: 'It reads live requests differently more often than its author declared.',
  inconclusive: 'There were too few live requests to tell.',
  'probation-regression': 'It failed too often in service.',
  'activation-failed': 'It could not take over.',
  timeout: 'It took too long.',
  'crash-loop': 'The agent was restarted too often while trying it.',
  quarantined: 'These weights crashed too often on this device.',
  superseded: 'A newer order came.',
  cancelled: 'It was cancelled.',
  'local-rollback': 'Somebody at the device rolled back.',
  internal: 'The agent made a mistake; its log says more.',
};

export const GATES = {
  metadata: 'Signed order',
  preflight: 'Room',
  digest: 'Digests',
  load: 'Load',
  'warm-up': 'Warm-up',
  golden: 'Golden vectors',
  finite: 'Finite outputs',
  latency: 'Latency',
  errors: 'Errors',
  disagreement: 'Disagreement',
  probation: 'Probation',
};

export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function clockTime(ms, nowMs) {
  const sameDay = new Date(ms).toDateString() === new Date(nowMs).toDateString();
  const time = { hour: '2-digit', minute: '2-digit' };
  return new Date(ms).toLocaleString([], sameDay ? time : { day: 'numeric', month: 'short', ...time });
}

export function size(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

export function millis(value) {
  if (value === null) return '–';
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** What a gate saw, for somebody who knows no statistics; its own summary where there is nothing to translate. */
export function inPlainWords(evidence) {
  const { gate, n, k, baselineP50Ms, candidateP50Ms, ratio, summary } = evidence;
  if (gate === 'latency' && baselineP50Ms !== undefined) {
    const times = `${millis(baselineP50Ms)} in service, ${millis(candidateP50Ms)} here at the median (${ratio.toFixed(2)} times)`;
    const where = summary.startsWith('in a first process') ? 'In a first process: ' : '';
    return `${where}${times}. Clearly slower in ${k} of ${n} requests run on both. ${odds(evidence)}`;
  }
  if (gate === 'errors' && n !== undefined) {
    return n === 0
      ? 'No request failed on just one of the two.'
      : `Of ${n} requests that failed on just one of the two, ${k} failed here. ${odds(evidence)}`;
  }
  if (gate === 'disagreement' && n !== undefined) {
    return `Another best answer than the version in service in ${k} of ${n} requests. ${odds(evidence)}`;
  }
  if (gate === 'probation' && n !== undefined) {
    return n === 0 ? 'No request came.' : `${k} of ${n} requests failed or came too late. ${odds(evidence)}`;
  }
  return summary;
}

/** An e-value or likelihood ratio as betting odds. */
function odds({ log10E, log10Threshold }) {
  if (log10E === undefined || log10Threshold === undefined) return '';
  if (log10E < 0.3) return 'Nothing speaks against it.';
  const enough = `${wholeNumber(log10Threshold)} to 1 decide`;
  return `Odds of ${wholeNumber(log10E)} to 1 that it is worse; ${enough}.`;
}

function wholeNumber(log10) {
  const value = 10 ** Math.min(log10, 12);
  const digits = Math.max(0, Math.floor(log10) - 1);
  return (Math.round(value / 10 ** digits) * 10 ** digits).toLocaleString('en');
}
