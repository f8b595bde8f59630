import type { WaveView } from '../../view/rollout-view.ts';

const SIZE = 56;
const RADIUS = 24;
const LENGTH = 2 * Math.PI * RADIUS;

/** The waves in order, each a ring that fills as its devices turn healthy. */
export function WaveRail({ waves }: { waves: readonly WaveView[] }) {
  return (
    <ol class="rail">
      {waves.map((wave) => (
        <li
          key={wave.index}
          class={`${wave.status} ${wave.tone}`}
          aria-current={wave.status === 'current' ? 'step' : undefined}
        >
          <svg
            width={SIZE}
            height={SIZE}
            viewBox={`0 0 ${SIZE} ${SIZE}`}
            role="img"
            aria-label={`${wave.healthy} of ${wave.total} healthy`}
          >
            <circle class="track" cx={SIZE / 2} cy={SIZE / 2} r={RADIUS} />
            <circle
              class="fill"
              cx={SIZE / 2}
              cy={SIZE / 2}
              r={RADIUS}
              stroke-dasharray={`${(LENGTH * wave.healthy) / wave.total} ${LENGTH}`}
              transform={`rotate(-90 ${SIZE / 2} ${SIZE / 2})`}
            />
            <text x="50%" y="50%" dominant-baseline="central" text-anchor="middle">
              {wave.healthy}/{wave.total}
            </text>
          </svg>
          <div>
            <strong>{wave.name}</strong>
            <span>{wave.note}</span>
          </div>
        </li>
      ))}
    </ol>
  );
}
