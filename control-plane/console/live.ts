// Live data: server-sent events say that something changed, and the screen asks anew. The browser's
// EventSource resumes by itself with the id of the last event it saw.

import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks';
import { liveEventSchema, type LiveEvent } from '#protocol/api.ts';
import { ApiProblem } from './api.ts';

const KINDS: readonly LiveEvent['kind'][] = [
  'device',
  'rollout',
  'model',
  'job',
  'telemetry',
  'claim',
  'trust',
];
const QUIET_MS = 200;
const RETRY_MS = 3_000;
const FEED_LENGTH = 50;

export interface Live {
  readonly connected: boolean;
  /** Rises when events may have been missed; everything is loaded anew then. */
  readonly epoch: number;
  /** Newest first. */
  readonly feed: readonly LiveEvent[];
  readonly subscribe: (listener: (event: LiveEvent) => void) => () => void;
}

export const LiveContext = createContext<Live>({
  connected: false,
  epoch: 0,
  feed: [],
  subscribe: () => () => undefined,
});

/** Opens the event stream for as long as the component lives. */
export function useEventStream(): Live {
  const [connected, setConnected] = useState(false);
  const [epoch, setEpoch] = useState(0);
  const [feed, setFeed] = useState<readonly LiveEvent[]>([]);
  const listeners = useRef(new Set<(event: LiveEvent) => void>());
  useEffect(() => {
    const source = new EventSource('/api/v1/events');
    const take = (message: MessageEvent<string>): void => {
      const parsed = liveEventSchema.safeParse(JSON.parse(message.data));
      if (!parsed.success) return;
      setFeed((before) => [parsed.data, ...before].slice(0, FEED_LENGTH));
      for (const listener of listeners.current) listener(parsed.data);
    };
    source.addEventListener('open', () => setConnected(true));
    source.addEventListener('error', () => setConnected(false));
    source.addEventListener('reset', () => setEpoch((before) => before + 1));
    for (const kind of ['message', ...KINDS]) source.addEventListener(kind, take as EventListener);
    return () => source.close();
  }, []);
  const subscribe = useCallback((listener: (event: LiveEvent) => void) => {
    listeners.current.add(listener);
    return () => listeners.current.delete(listener);
  }, []);
  return { connected, epoch, feed, subscribe };
}

export interface Loaded<T> {
  readonly value: T | null;
  readonly problem: ApiProblem | null;
  readonly reload: () => void;
}

/** Loads now, after every burst of events that concern it, and again a while after a failure. */
export function useLive<T>(
  load: () => Promise<T>,
  concerns: (event: LiveEvent) => boolean,
  key: string,
): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const { subscribe, epoch } = useContext(LiveContext);
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  useEffect(() => {
    let isCurrent = true;
    let retry: ReturnType<typeof setTimeout> | undefined;
    load().then(
      (loaded) => {
        if (!isCurrent) return;
        setValue(loaded);
        setProblem(null);
      },
      (error: unknown) => {
        if (!isCurrent) return;
        setProblem(error instanceof ApiProblem ? error : new ApiProblem(0, String(error)));
        retry = setTimeout(reload, RETRY_MS);
      },
    );
    return () => {
      isCurrent = false;
      clearTimeout(retry);
    };
  }, [key, round, epoch]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const unsubscribe = subscribe((event) => {
      if (!concerns(event)) return;
      clearTimeout(timer);
      timer = setTimeout(reload, QUIET_MS);
    });
    return () => {
      clearTimeout(timer);
      unsubscribe();
    };
  }, [key, subscribe]);
  return { value, problem, reload };
}

/** The time, anew every second, for durations on the screen. */
export function useNow(): number {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
