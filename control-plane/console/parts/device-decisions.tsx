import { useState } from 'preact/hooks';
import type { AccessRole } from '#protocol/access.ts';
import { deviceSchema, type Device } from '#protocol/api.ts';
import { decisionsOn, keyInWords, type DecisionView } from '../../view/device-decisions.ts';
import { ApiProblem, call } from '../api.ts';
import { useRoleMissing } from '../who.ts';
import { Notice } from './notice.tsx';

/** Buttons for what may be decided; each asks for a reason before it does anything. */
export function DeviceDecisions({ device, onDecided }: { device: Device; onDecided: () => void }) {
  const [asked, setAsked] = useState<DecisionView | null>(null);
  const roleMissing = useRoleMissing();
  const decisions = decisionsOn(device);
  if (decisions.length === 0) return null;
  return (
    <div class="decisions">
      <div class="buttons">
        {decisions.map((decision) => (
          <button
            key={decision.action}
            type="button"
            class={decision.isFinal ? 'danger' : ''}
            aria-expanded={asked?.action === decision.action}
            disabled={roleMissing(roleFor(decision)) !== undefined}
            title={roleMissing(roleFor(decision))}
            onClick={() => setAsked(decision)}
          >
            {decision.action}
          </button>
        ))}
      </div>
      {asked === null || !decisions.some(({ action }) => action === asked.action) ? null : (
        <DecisionForm
          key={asked.action}
          device={device}
          decision={asked}
          onEnd={(isDecided) => {
            setAsked(null);
            if (isDecided) onDecided();
          }}
        />
      )}
    </div>
  );
}

/** What is final is for admins (fleet/routes.ts). */
function roleFor({ action }: DecisionView): AccessRole {
  return action === 'revoke' || action === 'decommission' ? 'admin' : 'operator';
}

interface FormProps {
  readonly device: Device;
  readonly decision: DecisionView;
  readonly onEnd: (isDecided: boolean) => void;
}

function DecisionForm({ device, decision: { action, isFinal, consequence }, onEnd }: FormProps) {
  const [reason, setReason] = useState('');
  const [refused, setRefused] = useState<ApiProblem | null>(null);
  const decide = (event: Event): void => {
    event.preventDefault();
    call('POST', `/devices/${device.id}/${action}`, deviceSchema, { reason }).then(
      () => onEnd(true),
      (error: unknown) => setRefused(error instanceof ApiProblem ? error : new ApiProblem(0, String(error))),
    );
  };
  return (
    <form class="decision panel" onSubmit={decide}>
      <p>{consequence}</p>
      {action === 'approve' ? (
        <p>
          Key: <code>{keyInWords(device)}</code>
        </p>
      ) : null}
      <label>
        Reason
        <input
          value={reason}
          required
          maxLength={500}
          autoComplete="off"
          ref={(input) => input?.focus()}
          onInput={({ currentTarget }) => setReason(currentTarget.value)}
        />
      </label>
      <Notice problem={refused} />
      <div class="buttons">
        <button type="submit" class={isFinal ? 'danger' : ''}>
          {action} {device.id}
        </button>
        <button type="button" class="quiet" onClick={() => onEnd(false)}>
          Cancel
        </button>
      </div>
    </form>
  );
}
