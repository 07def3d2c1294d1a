/** A request that a page sends when it is opened, with its state. */

import { useSignal } from '@preact/signals';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import type { ApiError } from './api';
import { asApiError } from './errors';
import { lapsed } from './shell';

export interface Query<T> {
  /** The newest answer; it stays while it is fetched again, and if that is refused. */
  value: T | undefined;
  error: ApiError | undefined;
  busy: boolean;
  /** Fetch again. */
  again: () => Promise<void>;
}

/** Fetch once, and again when one of `whenever` changes; an answer to an earlier request is dropped. */
export function useQuery<T>(fetchValue: () => Promise<T>, whenever: readonly unknown[] = []): Query<T> {
  const state = useSignal<Omit<Query<T>, 'again'>>({ value: undefined, error: undefined, busy: true });
  const turn = useRef(0);
  const latest = useRef(fetchValue);
  latest.current = fetchValue;
  const again = useCallback(async () => {
    const mine = ++turn.current;
    state.value = { ...state.value, busy: true };
    try {
      const value = await latest.current();
      if (mine === turn.current) state.value = { value, error: undefined, busy: false };
    } catch (thrown) {
      const error = asApiError(thrown);
      if (mine !== turn.current) return;
      state.value = { ...state.value, error, busy: false };
    }
  }, [state]);
  useEffect(() => {
    void again();
    return () => {
      turn.current += 1;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- fetched anew for these only
  }, whenever);
  const isOver = lapsed.value;
  useEffect(() => {
    if (!isOver && state.peek().error?.status === 401) void again(); // the session was renewed
  }, [isOver, again, state]);
  return { ...state.value, again };
}
