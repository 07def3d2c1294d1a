import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { ApiError as ApiErrorType } from '../src/api';
import type { Queue as QueueType, Source } from '../src/editor/queue';
import type { Match, MatchFilter, MatchPage, OpenSkill } from '../src/editor/requests';

// The requests know the page's origin.
vi.stubGlobal('window', { location: { origin: 'http://127.0.0.1', hash: '' }, addEventListener: () => undefined });

let Queue: typeof QueueType;
let ApiError: typeof ApiErrorType;
let marked: (typeof import('../src/editor/queue'))['marked'];
let surenessOf: (typeof import('../src/editor/queue'))['surenessOf'];

beforeAll(async () => {
  ({ Queue, marked, surenessOf } = await import('../src/editor/queue'));
  ({ ApiError } = await import('../src/api'));
});

const match = (skill: string, confidence: number): Match =>
  ({ framework: 'f', skill, from: 0, to: 1, confidence, status: 'proposed', words: [], threshold: 0.7 }) as unknown as Match;

/** A catalog that holds one match a course, and pages of two. */
class Catalog implements Source {
  readonly requests: string[] = [];
  readonly decided: string[] = [];
  /** What somebody else has made of the match of a course. */
  readonly others = new Map<string, Match['status']>();
  refuse: (() => Error) | undefined;

  constructor(
    readonly confidences: Record<string, number>,
    readonly wanted: OpenSkill[] | undefined = [],
  ) {}

  open = (): Promise<OpenSkill[]> => (this.wanted ? Promise.resolve(this.wanted) : Promise.reject(new ApiError(503)));

  page = (_: object, least: number, most: number, after: string): Promise<MatchPage> => {
    this.requests.push(`${least}-${most} ${after}`.trim());
    const within = Object.entries(this.confidences).filter(([id, n]) => n >= least && n <= most && id > after && !this.others.has(id)).sort();
    const courses = within.slice(0, 2).map(([course, n]) => ({ course, title: { en: course }, matches: [match('s', n)] }));
    const next = within.length > 2 ? (courses[1]?.course ?? null) : null;
    return Promise.resolve({ courses, next, threshold: 0.7 });
  };

  decide = (decision: Parameters<Source['decide']>[0]): Promise<void> => {
    if (this.refuse) return Promise.reject(this.refuse());
    const present = this.others.get(decision.course);
    if (present && ![decision.status, decision.seen].includes(present)) return Promise.reject(new ApiError(409));
    this.decided.push(`${decision.course} ${decision.status} ${decision.right?.skill ?? ''}`.trim());
    return Promise.resolve();
  };

  matches = (course: string): Promise<Match[]> => Promise.resolve([{ ...match('s', 0.9), status: this.others.get(course) ?? 'proposed' }]);
}

const names = (queue: QueueType) => queue.items.value.map(({ course }) => course);
const states = (queue: QueueType) => queue.items.value.map(({ state }) => state);

describe('the queue of matches', () => {
  it('holds every match once, the most certain first, over pages and bands of confidence', async () => {
    const catalog = new Catalog({ a: 0.35, b: 0.95, c: 0.9, d: 0.99, e: 0.8, f: 0.05, g: 1 });
    const queue = new Queue({}, 'certain', catalog);
    await queue.more();
    expect(names(queue)).toEqual(['g', 'd', 'b', 'c', 'e', 'a', 'f']);
    expect(queue.whole.value).toBe(true);
    expect(catalog.requests.filter((one) => one.startsWith('0.9-1'))).toHaveLength(2);
  });

  it('begins with the doubtful ones on request', async () => {
    const queue = new Queue({}, 'doubtful', new Catalog({ a: 0.35, b: 0.95, c: 0.05 }));
    await queue.more();
    expect(names(queue)).toEqual(['c', 'a', 'b']);
  });

  describe('in order of value', () => {
    const matches: [course: string, skill: string, confidence: number][] = [
      ['a', 'common', 0.5], ['b', 'rare', 0.9], ['c', 'common', 0.7], ['d', 'nobody', 0.99], ['e', 'nobody', 0.2],
    ]; // prettier-ignore
    const sourceOf = (open: Source['open']): Source => ({
      open,
      decide: () => Promise.resolve(),
      matches: () => Promise.resolve([]),
      page: ({ skill }: MatchFilter, least, most) =>
        Promise.resolve({
          courses: matches
            .filter(([, of, n]) => (skill ?? of) === of && n >= least && n <= most)
            .map(([course, of, n]) => ({ course, title: { en: course }, matches: [match(of, n)] })),
          next: null,
          threshold: 0.7,
        }),
    });
    const open = [{ framework: 'f', skill: 'common', officers: 40 }, { framework: 'f', skill: 'rare', officers: 10 }];
    const orderOf = async (filter: MatchFilter, source: Source) => {
      const queue = new Queue(filter, 'valuable', source);
      await queue.more();
      return queue.items.value.map(({ course, officers }) => `${course} ${officers}`);
    };

    it('lists the skills that most officers lack, then the most certain of the rest, each once', async () => {
      expect(await orderOf({}, sourceOf(() => Promise.resolve(open)))).toEqual(['c 40', 'a 40', 'b 10', 'd 0', 'e 0']);
    });

    it('lists only those of a chosen skill', async () => {
      expect(await orderOf({ framework: 'f', skill: 'rare' }, sourceOf(() => Promise.resolve(open)))).toEqual(['b 10']);
    });

    it('lists the most certain first if it is unknown what officers lack', async () => {
      const nobody = sourceOf(() => Promise.reject(new ApiError(503)));
      expect(await orderOf({}, nobody)).toEqual(['d 0', 'b 0', 'c 0', 'a 0', 'e 0']);
    });
  });

  it('sends each decision and goes on to the next open match meanwhile', async () => {
    const catalog = new Catalog({ a: 0.9, b: 0.8, c: 0.7 });
    const queue = new Queue({}, 'certain', catalog);
    await queue.more();
    queue.decide('confirmed');
    expect(queue.current?.course).toBe('b');
    queue.decide('corrected', { skill: 'other', from: 1, to: 2 });
    queue.goTo(0);
    await queue.settled();
    queue.decide('rejected');
    expect(queue.current?.course).toBe('c');
    await queue.settled();
    expect(catalog.decided).toEqual(['a confirmed', 'b corrected other', 'a rejected']);
    expect(states(queue)).toEqual(['saved', 'saved', 'open']);
    queue.goTo(99);
    expect(queue.current).toBeUndefined();
    queue.decide('confirmed');
    expect(catalog.decided).toHaveLength(3);
  });

  it('keeps decisions that did not reach the catalog, and sends them again on request', async () => {
    const catalog = new Catalog({ a: 0.9, b: 0.8 });
    const queue = new Queue({}, 'certain', catalog);
    await queue.more();
    catalog.refuse = () => new ApiError(0);
    queue.decide('confirmed');
    await queue.settled();
    expect(states(queue)).toEqual(['failed', 'open']);
    expect(queue.unsent).toBe(1);
    catalog.refuse = undefined;
    queue.sendAgain();
    await queue.settled();
    expect(catalog.decided).toEqual(['a confirmed']);
    expect(queue.unsent).toBe(0);
  });

  it('keeps another person’s decision until the match is decided again', async () => {
    const catalog = new Catalog({ a: 0.9, b: 0.8, c: 0.7, d: 0.6, e: 0.5 });
    const queue = new Queue({}, 'certain', catalog);
    await queue.more();
    for (const course of ['a', 'c', 'd']) catalog.others.set(course, 'rejected');
    queue.decide('confirmed');
    await queue.settled();
    await vi.waitFor(() => expect(queue.whole.value).toBe(true));
    expect(states(queue)).toEqual(['overtaken', 'open', 'open']);
    expect([names(queue), queue.current?.course, queue.unsent]).toEqual([['a', 'b', 'e'], 'b', 0]); // c and d are decided
    queue.sendAgain();
    await queue.settled();
    expect(catalog.decided).toEqual([]);
    queue.goTo(0);
    queue.decide('confirmed');
    await queue.settled();
    expect([catalog.decided, queue.items.value[0]?.state]).toEqual([['a confirmed'], 'saved']);
  });

  it('treats the same decision of another person as its own, and may change its own', async () => {
    const catalog = new Catalog({ a: 0.9, b: 0.8 });
    const queue = new Queue({}, 'certain', catalog);
    await queue.more();
    catalog.others.set('a', 'confirmed');
    queue.decide('confirmed');
    queue.goTo(0);
    await queue.settled();
    queue.decide('rejected');
    await queue.settled();
    expect([catalog.decided, states(queue)]).toEqual([['a confirmed', 'a rejected'], ['saved', 'open']]);
  });

  it('hands its decisions to the queue of another filter, also those that are not stored', async () => {
    const catalog = new Catalog({ a: 0.9, b: 0.8, c: 0.7 });
    const queue = new Queue({}, 'certain', catalog);
    await queue.more();
    queue.decide('confirmed');
    await queue.settled();
    catalog.refuse = () => new ApiError(0);
    queue.decide('rejected');
    const next = new Queue({}, 'doubtful', catalog, queue);
    await next.settled();
    await next.more();
    expect([names(next), states(next), next.current?.course]).toEqual([['a', 'b', 'c'], ['saved', 'failed', 'open'], 'c']);
    catalog.refuse = undefined;
    next.sendAgain();
    await next.settled();
    expect([catalog.decided, next.unsent]).toEqual([['a confirmed', 'b rejected'], 0]);
  });

  it('continues from the page that could not be fetched', async () => {
    const catalog = new Catalog({ a: 0.99, b: 0.98, c: 0.97, d: 0.2 });
    const { page } = catalog;
    const source: Source = {
      open: catalog.open,
      decide: catalog.decide,
      matches: catalog.matches,
      page: (filter, least, most, after) => (catalog.requests.length === 1 && !catalog.refuse ? failOnce() : page(filter, least, most, after)),
    };
    const failOnce = () => {
      catalog.refuse = () => new ApiError(503);
      return Promise.reject(new ApiError(503));
    };
    const queue = new Queue({}, 'certain', source);
    await queue.more();
    expect([names(queue), queue.error.value?.status, queue.whole.value]).toEqual([['a', 'b'], 503, false]);
    await queue.more();
    expect(names(queue)).toEqual(['a', 'b', 'c', 'd']);
    expect(queue.error.value).toBeUndefined();
  });
});

describe('the words that matched', () => {
  it.each([
    ['Data Analysis', ['data'], [['Data', true], [' Analysis', false]]],
    ['การวิเคราะห์ข้อมูล', ['ข้อมูล'], [['การวิเคราะห์', false], ['ข้อมูล', true]]],
    ['aaa', ['aa', 'a', ''], [['aaa', true]]],
    ['İ data', ['data'], [['İ data', false]]],
    ['', ['x'], []],
    ['a.b', ['.'], [['a', false], ['.', true], ['b', false]]],
  ])('stand out in %j', (text, words, pieces) => {
    expect(marked(text, words).map(({ text: piece, hit }) => [piece, hit])).toEqual(pieces);
  });

  it('are named by their confidence', () => {
    expect([0.8, 0.7, 0.69, 0.5, 0.1].map((one) => surenessOf(one, 0.7))).toEqual(['likely', 'likely', 'maybe', 'maybe', 'doubtful']);
  });
});
