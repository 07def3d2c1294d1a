/** The queue of proposed matches: the shown match, the decisions, and whether each is stored. */

import { batch, signal } from '@preact/signals';
import type { ApiError } from '../api';
import { asApiError } from '../errors';
import type { Text } from '../i18n';
import { frameworkOf } from './names';
import {
  type Decision,
  decideMatch,
  type Match,
  type MatchFilter,
  type MatchPage,
  type OpenSkill,
  proposedMatches,
  readMatches,
  readOpenSkills,
  type SkillSpan,
} from './requests';

const ENOUGH = 60; // how many are fetched at a time at least, where there are more
const LOW = 20; // fewer than this ahead: more are fetched

/** `valuable`: first the skills that the most officers' paths leave open, and within a skill the most certain. */
export const ORDERS = ['valuable', 'certain', 'doubtful'] as const;
export type Order = (typeof ORDERS)[number];

/** A match in the queue, and the decision on it that was made here. */
export interface Item {
  course: string;
  title: Text;
  match: Match;
  /** How many officers' paths leave its skill open, at least. */
  officers: number;
  decided?: Decision['status'];
  right?: SkillSpan;
  /** `overtaken`: somebody else has made another decision meanwhile; `match` holds it. */
  state: 'open' | 'saving' | 'saved' | 'failed' | 'overtaken';
  error?: ApiError;
}

/** The requests of the queue. */
export interface Source {
  open: () => Promise<OpenSkill[]>;
  page: (filter: MatchFilter, least: number, most: number, after: string) => Promise<MatchPage>;
  decide: (decision: Decision) => Promise<void>;
  matches: (course: string) => Promise<Match[]>;
}

/** Return a page of proposed matches. The title of the first one's skill is fetched meanwhile. */
const namedMatches: Source['page'] = async (...range) => {
  const page = await proposedMatches(...range);
  const first = page.courses[0]?.matches[0];
  if (first) frameworkOf(first.framework);
  return page;
};

const CATALOG: Source = {
  open: readOpenSkills,
  page: namedMatches,
  decide: decideMatch,
  matches: async (course) => (await readMatches(course)).matches,
};
const OVERTAKEN = 409;

/** The ranges that are fetched one at a time, because the catalog lists matches by course only. */
interface Band {
  filter: MatchFilter;
  least: number;
  most: number;
}

/** Return the bands in the order in which they are fetched: open skills first if requested, then by tenths. */
function bandsOf(filter: MatchFilter, order: Order, open: readonly OpenSkill[]): Band[] {
  const tenths = Array.from({ length: 10 }, (_, i): Band => ({ filter, least: (9 - i) / 10, most: (10 - i) / 10 }));
  if (order === 'doubtful') return tenths.reverse();
  const isWanted = (one: OpenSkill) =>
    [undefined, one.framework].includes(filter.framework) && [undefined, one.skill].includes(filter.skill);
  const skills = order === 'valuable' ? open.filter(isWanted) : [];
  return [...skills.map(({ framework, skill }): Band => ({ filter: { framework, skill }, least: 0, most: 1 })), ...tenths];
}

const nameOf = ({ course, match: { framework, skill } }: Pick<Item, 'course' | 'match'>): string => `${course} ${framework} ${skill}`;

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
  /** The number of the latest request for matches: an answer to an earlier request is dropped. */
  private turn = 0;

  /** `before`: the queue that this one replaces. Its decisions stay here, also those that are not stored. */
  constructor(
    private readonly filter: MatchFilter,
    private readonly order: Order = 'valuable',
    private readonly source: Source = CATALOG,
    before?: Queue,
  ) {
    const decided = before?.items.value.filter((item) => item.decided) ?? [];
    this.items.value = decided;
    this.at.value = decided.length;
    for (const item of decided) this.known.add(nameOf(item));
    if (before) this.sending = before.settled().then(() => before.items.value.filter(({ decided: one }) => one).forEach((item) => this.put(item)));
  }

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
    const { turn } = this;
    this.loading.value = true;
    this.error.value = undefined;
    const fresh: Item[] = [];
    let error: ApiError | undefined;
    try {
      const bands = this.bands ?? (await this.begin());
      if (turn === this.turn) this.bands = bands;
      for (let [band] = bands; band && fresh.length < ENOUGH && turn === this.turn; [band] = bands) fresh.push(...(await this.part(bands, band, turn)));
    } catch (thrown) {
      error = asApiError(thrown);
    }
    if (turn !== this.turn) return; // asked anew meanwhile
    const sign = this.order === 'doubtful' ? 1 : -1;
    const worth = ({ officers }: Item) => (this.order === 'valuable' ? officers : 0);
    fresh.sort(
      (a, b) => worth(b) - worth(a) || sign * (a.match.confidence - b.match.confidence) || a.course.localeCompare(b.course),
    );
    batch(() => {
      this.error.value = error;
      this.items.value = [...this.items.value, ...fresh];
      this.whole.value = this.bands?.length === 0;
      this.loading.value = false;
    });
  }

  /** Fetch the skills that officers' paths leave open; without an answer the queue is in order of confidence. */
  private async begin(): Promise<Band[]> {
    const open = await this.source.open().catch((thrown: unknown) => {
      asApiError(thrown);
      return [];
    });
    this.officers = new Map(open.map(({ framework, skill, officers }) => [`${framework} ${skill}`, officers]));
    return bandsOf(this.filter, this.order, open);
  }

  /** Fetch a page of a band; a band that is at its end is taken off. */
  private async part(bands: Band[], { filter, least, most }: Band, turn: number): Promise<Item[]> {
    const page = await this.source.page(filter, least, most, this.after);
    if (turn !== this.turn) return [];
    if (page.next === null) bands.shift();
    this.after = page.next ?? '';
    return page.courses.flatMap(({ course, title, matches }) =>
      matches.flatMap((match): Item[] => {
        const name = nameOf({ course, match });
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
    const item: Item = { course, match, title, officers, decided: status, ...(right && { right }), state: 'saving' };
    this.put(item);
    this.send(item);
    const next = this.items.value.findIndex((item, i) => i > at.value && item.state === 'open');
    this.goTo(next < 0 ? this.items.value.length : next);
  }

  /** Send every decision again that did not reach the catalog. */
  sendAgain(): void {
    for (const item of this.items.value.filter(({ state }) => state === 'failed')) {
      const again: Item = { ...item, state: 'saving' };
      this.put(again);
      this.send(again);
    }
  }

  /** Wait until every decision was answered. */
  async settled(): Promise<void> {
    await this.sending;
  }

  private send(item: Item): void {
    const { course, match, decided, right } = item;
    if (!decided) return;
    const { framework, skill, status: seen } = match;
    this.sending = this.sending.then(async () => {
      try {
        await this.source.decide({ course, framework, skill, status: decided, ...(right && { right }), seen });
        this.put({ ...item, state: 'saved', match: { ...match, status: decided } });
      } catch (thrown) {
        const error = asApiError(thrown);
        this.put({ ...item, state: 'failed', error });
        if (error.status === OVERTAKEN) await this.overtaken(item, error);
      }
    });
  }

  /** Show another person's decision on a match, so that it is seen before the match is decided again. */
  private async overtaken(item: Item, error: ApiError): Promise<void> {
    const now = await this.source.matches(item.course).catch((thrown: unknown) => {
      asApiError(thrown);
      return []; // not known just now: the decision may be sent again
    });
    const match = now.find((one) => nameOf({ course: item.course, match: one }) === nameOf(item));
    if (!match) return;
    this.put({ ...item, match, state: 'overtaken', error });
    this.askAnew();
  }

  /** Fetch the matches after the shown one again, because somebody else is deciding the same ones. */
  private askAnew(): void {
    const at = this.at.value;
    this.turn += 1;
    batch(() => {
      this.items.value = this.items.value.filter((item, i) => i <= at || item.decided);
      this.loading.value = false;
      this.whole.value = false;
    });
    this.known.clear();
    for (const item of this.items.value) this.known.add(nameOf(item));
    this.bands = undefined;
    this.after = '';
    void this.more();
  }

  private put(item: Item): void {
    const name = nameOf(item);
    this.items.value = this.items.value.map((one) => (nameOf(one) === name ? item : one));
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

/** Return the name of a confidence: matches at or above the threshold were right four times in five. */
export function surenessOf(confidence: number, threshold: number): 'likely' | 'maybe' | 'doubtful' {
  if (confidence >= threshold) return 'likely';
  return confidence >= 0.5 ? 'maybe' : 'doubtful';
}
