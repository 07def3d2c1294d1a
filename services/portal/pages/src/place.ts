/**
 * Where a reader is on a page: how far down, and what is open. It is kept in the entry of the browser's history, so that
 * loading the page again, or coming back to it, leads there. Nothing of it is sent.
 */

import { type Signal, useSignal, useSignalEffect } from '@preact/signals';

interface Place {
  /** Pixels from the top. */
  top?: number;
  /** What differs from its initial state, by name. */
  kept?: Record<string, unknown>;
}

const QUIET_MS = 1500; // a page that has not grown for so long is drawn
const LONGEST_MS = 15_000; // after so long nothing moves any more, also if the page has become shorter than it was
const INPUTS = ['wheel', 'touchstart', 'pointerdown', 'keydown'];

const place = (): Place => (window.history.state ?? {}) as Place;

function keep(more: Place): void {
  try {
    window.history.replaceState({ ...place(), ...more }, '');
  } catch {
    // browsers refuse too many changes in a short time; the page works without them
  }
}

/** The place that is being restored while the page is drawn. */
let returning: number | undefined;
let drawn: number | undefined;
let over: number | undefined;

/** Forget the reader's place, because another person reads from now on. */
export function forgetPlace(): void {
  arrive();
  window.history.replaceState(null, '');
}

/** Whether the reader's place is being restored: nothing else may scroll the page then. */
export const isReturning = (): boolean => returning !== undefined;

function arrive(): void {
  returning = undefined;
  window.clearTimeout(drawn);
  window.clearTimeout(over);
}

function approach(): void {
  if (returning === undefined) return;
  window.scrollTo({ top: returning, behavior: 'instant' });
  window.clearTimeout(drawn);
  if (Math.abs(window.scrollY - returning) < 1) drawn = window.setTimeout(arrive, QUIET_MS);
}

function comeBack(): void {
  arrive();
  returning = place().top;
  over = window.setTimeout(arrive, LONGEST_MS);
  approach();
}

/** Keep the reader's place from now on, and go to the one that is kept. */
export function keepPlace(): void {
  window.history.scrollRestoration = 'manual';
  const note = () => {
    if (returning === undefined) keep({ top: window.scrollY });
  };
  window.addEventListener('scrollend', note);
  window.addEventListener('pagehide', note);
  window.addEventListener('popstate', comeBack);
  for (const input of INPUTS) window.addEventListener(input, arrive, { capture: true, passive: true });
  new ResizeObserver(approach).observe(document.body);
  comeBack();
}

/** Return the scroll position at which the page last rested. */
export const placedTop = (): number => place().top ?? 0;

/** Return what was kept under a name, undefined for nothing. */
export const placed = (name: string): unknown => place().kept?.[name];

/** Keep something under a name; undefined forgets it. */
export function keepPlaced(name: string, value: unknown): void {
  if (placed(name) === value) return;
  keep({ kept: { ...place().kept, [name]: value } });
}

/** A signal that is as it was left when the page is loaded again. `T`: what JSON holds. */
export function usePlaced<T>(name: string, initial: T): Signal<T> {
  const value = useSignal<T>((placed(name) as T | undefined) ?? initial);
  useSignalEffect(() => keepPlaced(name, value.value === initial ? undefined : value.value));
  return value;
}
