/** The state of one officer's open page: the officer's data, and the requests that change them. */

import { batch, type Signal, signal } from '@preact/signals';
import * as api from '../api';
import { asApiError } from '../errors';
import { connection, erased, lapse, refused, show, shown } from '../shell';
import { follow } from '../live';
import { type Change, compare } from './changes';

/** The last statement that was sent, and its state. */
export interface LastFeedback {
  course: Pick<api.Course, 'id' | 'title'>;
  action: api.Action;
  saving?: boolean;
  error?: api.ApiError;
  /** What was stored before it was sent. */
  before: { sequence: number; last: number | undefined };
  taken?: Pick<api.FeedbackTaken, 'stale' | 'revision'>;
}

/** Why a course is not in the path: the request, and the answer. */
interface WhyNotRequest {
  course: Pick<api.Course, 'id' | 'title'>;
  answer?: api.WhyNotAnswer;
  error?: api.ApiError;
}

/** Whether a service has refused a request, so that nothing follows from it; after another failure it may be stored. */
const isRefusal = ({ status }: api.ApiError): boolean => status >= 400 && status < 500;

/** The visit whose page is shown; a late answer to an earlier one changes nothing that is shown. */
export const current = signal<Visit | undefined>(undefined);

/** How long to wait before the framework is fetched again, doubled each time. */
const AGAIN_MS = 2000;
const LONGEST_WAIT_MS = 60_000;

const maybe = <T>(): Signal<T | undefined> => signal<T | undefined>(undefined);

export class Visit {
  /** The path that is shown, and a newer one that is announced. */
  readonly recommended = maybe<api.Recommended>();
  readonly waiting = maybe<api.Recommended>();
  readonly change = maybe<Change>();
  readonly framework = maybe<api.Framework>();
  /** Whether the framework could not be fetched; the page shows ids for names then, and says so. */
  readonly frameworkFailed = signal(false);
  readonly profile = maybe<api.Profile>();
  readonly profileFailed = maybe<api.ApiError>();
  readonly feedback = maybe<api.FeedbackPage>();
  readonly feedbackFailed = maybe<api.ApiError>();
  readonly lastFeedback = maybe<LastFeedback>();
  readonly whyNot = maybe<WhyNotRequest>();
  readonly alternatives = signal<ReadonlyMap<string, api.CourseCard[]>>(new Map());
  /** Whether another part of the page requested the time fields of "what if". */
  readonly tryTime = signal(false);
  private readonly busy = new Map<string, Signal<boolean>>();
  private readonly keys = new Map<string, string>();
  private readonly awaited = new Set<api.Recommended['cause']>();
  private frameworkKnown = '';
  private frameworkTimer: number | undefined;
  private frameworkTries = 0;
  private alternativesOf: number | undefined;
  private again = false;
  private firstReading = Promise.resolve();
  private stop: (() => void) | undefined;

  constructor(
    readonly officer: string,
    readonly role: api.Session['role'],
  ) {}

  /** Whether a request of this name is under way. */
  isBusy(name: string): boolean {
    return this.flag(name).value;
  }

  /** One for each request, so that its begin and end redraw only what waits for it. */
  private flag(name: string): Signal<boolean> {
    const found = this.busy.get(name) ?? signal(false);
    this.busy.set(name, found);
    return found;
  }

  /** Open the stream, and read what the page shows of the officer beside the path. */
  open(): void {
    connection.value = 'opening';
    show('loading');
    this.firstReading = this.reload();
    this.follow();
  }

  /** Continue after the person has signed in again. */
  resume(): void {
    this.stop?.();
    this.follow();
    void this.reload();
    const { value } = this.recommended;
    if (value) void this.readFramework(value);
  }

  private follow(): void {
    this.stop = follow(this.officer, {
      path: (recommended) => this.arrived(recommended),
      status: (status) => void this.showStatus(status),
      erased: () => this.forget(),
      refused: () => this.mayReconnect(),
      connection: (state) => {
        connection.value = state;
        if (state === 'open' && this.frameworkFailed.peek()) this.readFrameworkAgain();
      },
    });
  }

  /** Show that the officer was erased, and drop everything that was read. */
  private forget(): void {
    batch(() => {
      for (const read of [this.recommended, this.waiting, this.change, this.profile, this.feedback, this.lastFeedback, this.whyNot]) read.value = undefined;
      this.alternatives.value = new Map();
      connection.value = undefined;
      erased();
    });
  }

  /** Close the stream. */
  close(): void {
    this.stop?.();
    window.clearTimeout(this.frameworkTimer);
    connection.value = undefined;
  }

  /** The revision of the newest path that came; 0 before the first. */
  get revision(): number {
    return (this.waiting.value ?? this.recommended.value)?.revision ?? 0;
  }

  /** A path of this cause was requested here when `since` was the newest: it is shown as soon as it comes, or now. */
  expect(cause: api.Recommended['cause'], since: number): void {
    const { value } = this.waiting;
    if (value?.cause === cause && value.revision > since) this.showWaiting();
    else this.awaited.add(cause);
  }

  private get isShown(): boolean {
    return current.value === this;
  }

  // --- the path

  /** Take a path: it is shown at once if nobody reads another, or it was requested here; else it is announced. */
  private arrived(recommended: api.Recommended): void {
    const before = this.recommended.value;
    const newest = this.waiting.value ?? before;
    if (newest && recommended.revision <= newest.revision) return;
    const { screen } = shown.value;
    const waited = ['waiting', 'unknown', 'erased'].includes(screen);
    const difference = before && compare(before.path, recommended.path);
    const { cause, path } = recommended;
    batch(() => {
      this.change.value = difference || waited ? { at: new Date(), cause, difference, path } : undefined;
      if (before && screen === 'path' && !this.awaited.delete(cause)) this.waiting.value = recommended;
      else this.present(recommended);
    });
    void this.firstReading.then(() => this.reloadFor(path));
    void this.readFramework(recommended);
  }

  /** Read statements and profile again if a path was made from others. */
  private reloadFor({ versions }: api.LearningPath): void {
    const known = (versions.feedback ?? 0) === this.feedback.value?.feedback_sequence;
    if (!known || versions.profile !== this.profile.value?.sequence) void this.reload();
  }

  private present(recommended: api.Recommended): void {
    this.recommended.value = recommended;
    this.waiting.value = undefined;
    if (this.alternativesOf !== undefined) void this.askAlternatives(); // somebody looks at those of the path before
    show('path');
  }

  /** Show the path that is announced. */
  showWaiting(): void {
    const { value } = this.waiting;
    if (value) batch(() => this.present(value));
  }

  /** Fetch the framework of a path; after a failure again and again, unless it is refused. Without it the page shows ids for names. */
  private async readFramework({ path }: api.Recommended): Promise<void> {
    if (this.frameworkKnown === path.versions.framework) return;
    window.clearTimeout(this.frameworkTimer);
    try {
      const found = await api.readFramework(path.framework);
      this.framework.value = found;
      this.frameworkKnown = path.versions.framework;
      this.frameworkFailed.value = false;
      this.frameworkTries = 0;
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.status === 401) return; // it is read again after signing in
      this.frameworkFailed.value = true;
      if (isRefusal(error) && error.status !== 429) return;
      window.clearTimeout(this.frameworkTimer);
      this.frameworkTimer = window.setTimeout(() => this.readFrameworkAgain(), Math.min(LONGEST_WAIT_MS, AGAIN_MS * 2 ** this.frameworkTries));
      this.frameworkTries += 1;
    }
  }

  private readFrameworkAgain(): void {
    const { value } = this.recommended;
    if (value && this.isShown) void this.readFramework(value);
  }

  /** Show that there is no path yet, that the officer is unknown, or that the service is away. */
  private async showStatus(status: 'waiting' | 'unavailable'): Promise<void> {
    if (shown.value.screen === 'path') return;
    if (status === 'unavailable') {
      show('failed');
      return;
    }
    if (shown.value.screen !== 'unknown') show('waiting');
    if (this.role === 'officer') return;
    try {
      await api.readOfficer(this.officer);
      if (this.isShown && shown.value.screen === 'unknown') show('waiting');
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.status === 404 && this.isShown && shown.value.screen === 'waiting') show('unknown');
    }
  }

  /** Fetch the reason why the stream was refused; return whether to try again. */
  private async mayReconnect(): Promise<boolean> {
    try {
      if (!(await api.readStart()).session) {
        lapse();
        return false;
      }
    } catch (thrown) {
      const error = asApiError(thrown);
      if (this.isShown && shown.value.screen === 'loading') refused(error);
      return true;
    }
    if (this.isShown && shown.value.screen === 'loading') show('failed');
    return true;
  }

  // --- requests

  /** Do one task of this name at a time; `failed` takes a refusal. */
  private async alone(name: string, work: () => Promise<void>, failed: (error: api.ApiError) => unknown): Promise<void> {
    const busy = this.flag(name);
    if (busy.peek()) return;
    busy.value = true;
    try {
      await work();
    } catch (thrown) {
      await failed(asApiError(thrown));
    } finally {
      busy.value = false;
    }
  }

  /** Read statements and profile; when called during a read, read once more. */
  async reload(): Promise<void> {
    this.again = true;
    await this.alone(
      'reload',
      async () => {
        while (this.again) {
          this.again = false;
          await Promise.all([this.readFeedback(), this.readProfile()]);
        }
      },
      (error) => {
        if (!this.profile.value) this.profileFailed.value = error;
      },
    );
  }

  private async readProfile(): Promise<void> {
    this.profile.value = await api.readOfficer(this.officer);
    this.profileFailed.value = undefined;
  }

  private async readFeedback(): Promise<void> {
    let found: api.FeedbackPage;
    try {
      found = await api.readFeedback(this.officer);
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.status !== 404) this.feedbackFailed.value = error;
      return;
    }
    this.feedbackFailed.value = undefined;
    if (found.feedback_sequence < (this.feedback.value?.feedback_sequence ?? 0)) return; // overtaken by a newer answer
    this.feedback.value = found;
    this.recover(found);
  }

  private newest(course: string): api.Statement | undefined {
    return (this.feedback.value?.statements ?? []).filter((one) => one.course === course).at(-1);
  }

  /** If the answer to the last feedback was lost, look in the stored statements whether it was stored. */
  private recover(found: api.FeedbackPage): void {
    const sent = this.lastFeedback.value;
    if (!sent?.error || found.feedback_sequence <= sent.before.sequence) return;
    const last = this.newest(sent.course.id);
    const stored =
      sent.action === 'undo'
        ? last?.sequence !== sent.before.last
        : last?.action === sent.action && last.sequence > sent.before.sequence;
    const { course, action, before } = sent;
    if (stored) this.lastFeedback.value = { course, action, before, taken: { stale: false, revision: 0 } };
  }

  /**
   * Send feedback about a course; `undo` takes the last one back. `at` is when it became true, if that is not now. A
   * repeated submission after a failure counts once.
   */
  async giveFeedback(course: LastFeedback['course'], action: api.Action, at?: string): Promise<void> {
    const before = { sequence: this.feedback.value?.feedback_sequence ?? 0, last: this.newest(course.id)?.sequence };
    await this.alone(
      'feedback',
      async () => {
        const intent = `${course.id} ${action} ${at ?? ''} ${before.sequence}`;
        const key = this.keys.get(intent) ?? api.newKey();
        this.keys.set(intent, key);
        this.lastFeedback.value = { course, action, before, saving: true };
        this.awaited.add('feedback');
        const body = { course: course.id, action, ...(at === undefined ? {} : { at }) };
        const taken = await api.giveFeedback(this.officer, body, key);
        this.keys.delete(intent);
        this.lastFeedback.value = { course, action, before, taken };
        await this.readFeedback();
      },
      async (error) => {
        if (isRefusal(error)) this.awaited.delete('feedback');
        this.lastFeedback.value = { course, action, before, error };
        await this.readFeedback();
      },
    );
  }

  /** Fetch the reason why a course is not in the path. */
  async askWhyNot(course: WhyNotRequest['course']): Promise<void> {
    await this.alone(
      'why-not',
      async () => {
        this.whyNot.value = { course };
        this.whyNot.value = { course, answer: await api.whyNot(this.officer, course.id) };
      },
      (error) => {
        this.whyNot.value = { course, error };
      },
    );
  }

  /**
   * Fetch the alternatives of the path's steps, once for each path: one that comes while the page is open is without them.
   * Those of another path, which may name its own courses, are not shown. An answer to an earlier request is dropped; after
   * a failure they are fetched when they are asked for again.
   */
  async askAlternatives(): Promise<void> {
    const revision = this.recommended.value?.revision;
    if (this.alternativesOf === revision) return;
    this.alternativesOf = revision;
    this.alternatives.value = new Map();
    try {
      const { path } = await api.readPath(this.officer);
      if (this.alternativesOf !== revision) return;
      this.alternatives.value = new Map(
        path.steps.map((step) => [step.course.id, (step.alternatives ?? []).map((one) => one.course)]),
      );
    } catch (thrown) {
      asApiError(thrown);
      if (this.alternativesOf === revision) this.alternativesOf = undefined;
    }
  }

  /**
   * Store weekly hours and deadline (either may be null) with the rest of the profile unchanged; return whether that
   * changed anything. Throws ApiError; after a 412 the profile is the newest.
   */
  async saveTime(weekly_hours: number | null, deadline: string | null): Promise<boolean> {
    const { value: profile } = this.profile;
    if (!profile) return false;
    const { job_group, agency, framework, stage, languages, sequence } = profile;
    const body = { job_group, agency, framework, stage: stage ?? null, languages: languages ?? [], weekly_hours, deadline };
    this.awaited.add('officer');
    try {
      const { changed } = await api.putOfficer(this.officer, body, sequence);
      if (!changed) this.awaited.delete('officer');
      await this.readProfile();
      return changed;
    } catch (thrown) {
      const error = asApiError(thrown);
      if (isRefusal(error)) this.awaited.delete('officer');
      if (error.status === 412) await this.readProfile().catch(() => undefined);
      throw error;
    }
  }
}
