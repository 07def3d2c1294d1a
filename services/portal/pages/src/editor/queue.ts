/** The queue of proposed matches: which is shown, what was decided, and how far each decision got. */

import { batch, signal } from '@preact/signals';
import type { ApiError } from '../api';
import { asApiError } from '../errors';
import type { Text } from '../i18n';
import {
  type Decision,
  decideMatch,
  type Match,
  type MatchFilter,
  type MatchPage,
  type OpenSkill,
  proposedMatches,
  readOpenSkills,
  type SkillSpan,
} from './requests';

const ENOUGH = 60; // how many are fetched at a time at least, where there are more
const LOW = 20; // fewer than this ahead: more are fetched

/** `valuable`: first the skills that the most officers' paths leave open, and within a skill the most certain. */
export const ORDERS = ['valuable', 'certain', 'doubtful'] as const;
export type Order = (typeof ORDERS)[number];

/** A match in the queue, and what was decided of it here. */
export interface Item {
  course: string;
  title: Text;
  match: Match;
  /** How many officers' paths leave its skill open, at least. */
  officers: number;
  decided?: Decision['status'];
  right?: SkillSpan;
  state: 'open' | 'saving' | 'saved' | 'failed';
  error?: ApiError;
}

/** What the queue asks of the services. */
export interface Source {
  open: () => Promise<OpenSkill[]>;
  page: (filter: MatchFilter, least: number, most: number, after: string) => Promise<MatchPage>;
  decide: (decision: Decision) => Promise<void>;
}

/** The ranges that are fetched one at a time, because the catalog lists matches by course only. */
interface Band {
  filter: MatchFilter;
  least: number;
  most: number;
}

/** Return the bands in the order in which they are fetched: open skills first where that is wanted, then by tenths. */
function bandsOf(filter: MatchFilter, order: Order, open: readonly OpenSkill[]): Band[] {
  const tenths = Array.from({ length: 10 }, (_, i): Band => ({ filter, least: (9 - i) / 10, most: (10 - i) / 10 }));
  if (order === 'doubtful') return tenths.reverse();
  const isWanted = (one: OpenSkill) =>
    [undefined, one.framework].includes(filter.framework) && [undefined, one.skill].includes(filter.skill);
  const skills = order === 'valuable' ? open.filter(isWanted) : [];
  return [...skills.map(({ framework, skill }): Band => ({ filter: { framework, skill }, least: 0, most: 1 })), ...tenths];
}

const nameOf = (course: string, { framework, skill }: Match): string => `${course} ${framework} ${skill}`;

export class Queue {
  readonly items = signal<Item[]>([]);
  readonly at = signal(0);
  readonly loading = signal(false);
  /** Whether every match there was has been fetched. */
  readonly whole = signal(false);
  readonly error = signal<ApiError | undefined>(undefined);
  private readonly known = new Set<string>();
  private bands: Band[] | undefined;
  private officers: ReadonlyMap<string, number> = new Map();
  private after = '';
  private sending = Promise.resolve();

  constructor(
    private readonly filter: MatchFilter,
    private readonly order: Order = 'valuable',
    private readonly source: Source = { open: readOpenSkills, page: proposedMatches, decide: decideMatch },
  ) {}

  /** The match that is shown; undefined past the last one. */
  get current(): Item | undefined {
    return this.items.value[this.at.value];
  }

  /** How many decisions have not reached the catalog yet. */
  get unsent(): number {
    return this.items.value.filter(({ state }) => state === 'saving' || state === 'failed').length;
  }

  /** Fetch more, in order within what is fetched at once. */
  async more(): Promise<void> {
    if (this.loading.value || this.whole.value) return;
    this.loading.value = true;
    this.error.value = undefined;
    const fresh: Item[] = [];
    try {
      this.bands ??= await this.begin();
      for (let [band] = this.bands; band && fresh.length < ENOUGH; [band] = this.bands) fresh.push(...(await this.part(this.bands, band)));
    } catch (thrown) {
      this.error.value = asApiError(thrown);
    }
    const sign = this.order === 'doubtful' ? 1 : -1;
    const worth = ({ officers }: Item) => (this.order === 'valuable' ? officers : 0);
    fresh.sort(
      (a, b) => worth(b) - worth(a) || sign * (a.match.confidence - b.match.confidence) || a.course.localeCompare(b.course),
    );
    batch(() => {
      this.items.value = [...this.items.value, ...fresh];
      this.whole.value = this.bands?.length === 0;
      this.loading.value = false;
    });
  }

  /** Find out which skills officers' paths leave open; without an answer the queue is in order of confidence. */
  private async begin(): Promise<Band[]> {
    const open = await this.source.open().catch((thrown: unknown) => {
      asApiError(thrown);
      return [];
    });
    this.officers = new Map(open.map(({ framework, skill, officers }) => [`${framework} ${skill}`, officers]));
    return bandsOf(this.filter, this.order, open);
  }

  /** Fetch a page of a band; a band that is at its end is taken off. */
  private async part(bands: Band[], { filter, least, most }: Band): Promise<Item[]> {
    const page = await this.source.page(filter, least, most, this.after);
    if (page.next === null) bands.shift();
    this.after = page.next ?? '';
    return page.courses.flatMap(({ course, title, matches }) =>
      matches.flatMap((match): Item[] => {
        const name = nameOf(course, match);
        if (this.known.has(name)) return []; // on the edge of two bands
        this.known.add(name);
        const officers = this.officers.get(`${match.framework} ${match.skill}`) ?? 0;
        return [{ course, title, match, officers, state: 'open' }];
      }),
    );
  }

  /** Show another match. */
  goTo(at: number): void {
    this.at.value = Math.max(0, Math.min(at, this.items.value.length));
    if (this.items.value.length - this.at.value < LOW && !this.error.value) void this.more();
  }

  /** Decide the match that is shown, go on to the next open one, and send the decision meanwhile. */
  decide(status: Decision['status'], right?: SkillSpan): void {
    const { current, at } = this;
    if (!current || current.state === 'saving') return;
    const { course, match, title, officers } = current;
    this.put(at.value, { course, match, title, officers, decided: status, ...(right && { right }), state: 'saving' });
    this.send(at.value);
    const next = this.items.value.findIndex((item, i) => i > at.value && item.state === 'open');
    this.goTo(next < 0 ? this.items.value.length : next);
  }

  /** Send every decision again that did not reach the catalog. */
  sendAgain(): void {
    this.items.value.forEach((item, i) => {
      if (item.state !== 'failed') return;
      this.put(i, { ...item, state: 'saving' });
      this.send(i);
    });
  }

  /** Wait until every decision was answered. */
  async settled(): Promise<void> {
    await this.sending;
  }

  private send(at: number): void {
    this.sending = this.sending.then(async () => {
      const item = this.items.value[at];
      if (!item?.decided) return;
      const { course, match, decided, right } = item;
      const { framework, skill } = match;
      try {
        await this.source.decide({ course, framework, skill, status: decided, ...(right && { right }) });
        this.put(at, { ...item, state: 'saved' });
      } catch (thrown) {
        this.put(at, { ...item, state: 'failed', error: asApiError(thrown) });
      }
    });
  }

  private put(at: number, item: Item): void {
    this.items.value = this.items.value.map((one, i) => (i === at ? item : one));
  }
}

/** A piece of a text, and whether it is one of the words that matched. */
interface Piece {
  text: string;
  hit: boolean;
}

/** Return a text in pieces, so that the words found in it stand out. Letters of either case are the same. */
export function marked(text: string, words: readonly string[]): Piece[] {
  const folded = text.toLowerCase();
  const hits = new Array<boolean>(text.length).fill(false);
  if (folded.length === text.length) {
    for (const word of words.map((one) => one.toLowerCase().trim()).filter(Boolean)) {
      for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + word.length)) {
        hits.fill(true, at, at + word.length);
      }
    }
  }
  const pieces: Piece[] = [];
  for (let at = 0; at < text.length; ) {
    const hit = hits[at] ?? false;
    let end = at;
    while (end < text.length && hits[end] === hit) end += 1;
    pieces.push({ text: text.slice(at, end), hit });
    at = end;
  }
  return pieces;
}

/** Return how a confidence is called: matches at or above the threshold were right four times in five. */
export function surenessOf(confidence: number, threshold: number): 'likely' | 'maybe' | 'doubtful' {
  if (confidence >= threshold) return 'likely';
  return confidence >= 0.5 ? 'maybe' : 'doubtful';
}
