/** Entries that are not sent yet, kept in this window while another page is open. */

import { effect } from '@preact/signals';
import type { Session } from './api';
import { isSame, lapsed, session } from './shell';

/** Keeps something by id for one person, until somebody else signs in. */
export class Kept<T> {
  private of: Session | undefined;
  private readonly entries = new Map<string, T>();

  /** `make` returns the state of an id that is not kept yet. */
  constructor(private readonly make: (id: string) => T) {}

  /** Return the state of an id: as the same person left it, also if they have signed in again since. */
  get(id: string): T {
    const { value: who } = session;
    if (!this.of || !who || !isSame(this.of, who)) this.entries.clear();
    this.of = who;
    const found = this.entries.get(id) ?? this.make(id);
    this.entries.set(id, found);
    return found;
  }

  /** Call `work` for everything that is kept, as soon as its person has signed out or their session has lapsed. */
  whenOver(work: (entry: T) => void): void {
    effect(() => {
      const { value: who } = session;
      const isOver = lapsed.value || !who;
      if (this.of && (isOver || !isSame(this.of, who))) this.entries.forEach((entry) => work(entry));
    });
  }

  /** Warn a person who closes the window, on any page, while `isUnsent` holds for anything that is kept. */
  warnOf(isUnsent: (entry: T) => boolean): void {
    window.addEventListener('beforeunload', (event) => {
      if ([...this.entries.values()].some(isUnsent)) event.preventDefault();
    });
  }
}
