/** What a page asks of a service when it is opened. */

import { useSignal } from '@preact/signals';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import type { ApiError } from './api';
import { asApiError } from './errors';
import { refused } from './shell';

export interface Asked<T> {
  /** The newest answer; it stays while it is asked again, and where that is refused. */
  value: T | undefined;
  error: ApiError | undefined;
  busy: boolean;
  /** Ask again. */
  again: () => Promise<void>;
}

/** Ask once, and again when one of `whenever` changes; an answer to an earlier question is dropped. */
export function useAsked<T>(ask: () => Promise<T>, whenever: readonly unknown[] = []): Asked<T> {
  const state = useSignal<Omit<Asked<T>, 'again'>>({ value: undefined, error: undefined, busy: true });
  const turn = useRef(0);
  const asking = useRef(ask);
  asking.current = ask;
  const again = useCallback(async () => {
    const mine = ++turn.current;
    state.value = { ...state.value, busy: true };
    try {
      const value = await asking.current();
      if (mine === turn.current) state.value = { value, error: undefined, busy: false };
    } catch (thrown) {
      const error = asApiError(thrown);
      if (mine !== turn.current) return;
      state.value = { ...state.value, error, busy: false };
      if (error.status === 401) refused(error);
    }
  }, [state]);
  useEffect(() => {
    void again();
    return () => {
      turn.current += 1;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- asked anew for these only
  }, whenever);
  return { ...state.value, again };
}
