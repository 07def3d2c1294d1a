/** A framework, its draft and its versions while their page is open. */

import { batch, type Signal, signal } from '@preact/signals';
import { type ApiError, readFramework } from '../api';
import { asApiError } from '../errors';
import { changesBetween } from './drafting';
import {
  dropDraft,
  type DraftStep,
  type Framework,
  type FrameworkDraft,
  type FrameworkImpact,
  type FrameworkVersions,
  proposeDraft,
  publishDraft,
  readDraft,
  readImpact,
  readVersions,
  signDraft,
} from './requests';

const isMissing = (versions: FrameworkVersions['versions'], published: Framework | undefined): boolean =>
  published?.version !== undefined && !versions.some((one) => one.version === published.version);

const maybe = <T>(): Signal<T | undefined> => signal<T | undefined>(undefined);

export class Drafts {
  /** The version that is published. */
  readonly published = maybe<Framework>();
  readonly draft = maybe<FrameworkDraft>();
  readonly impact = maybe<FrameworkImpact>();
  readonly versions = maybe<FrameworkVersions['versions']>();
  /** The changes made on this page that are not proposed yet. */
  readonly working = maybe<Framework>();
  /** The name of the person who proposes it, and the comment, as far as they are entered. */
  readonly by = signal('');
  readonly comment = signal('');
  readonly error = maybe<ApiError>();
  readonly busy = signal(false);
  readonly read = signal(false);

  constructor(readonly id: string) {}

  /** Read everything again, but not during a change, because a change is proposed on the revision from which it began. */
  async load(): Promise<void> {
    if (!this.working.value) await this.alone(() => this.refresh());
  }

  private async refresh({ listed = false } = {}): Promise<void> {
    const [published, draft] = await Promise.all([readFramework(this.id), readDraft(this.id)]);
    let { versions } = await readVersions(this.id);
    // A version is listed once the catalog has read it back from its topic, a moment after it was published.
    for (let tries = 0; listed && tries < 20 && isMissing(versions, published); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      ({ versions } = await readVersions(this.id));
    }
    const impact = draft && (await readImpact(this.id));
    batch(() => {
      this.published.value = published;
      this.draft.value = draft;
      this.versions.value = versions;
      this.impact.value = impact;
      this.read.value = true;
    });
  }

  /** Whether something was changed here that is not proposed. */
  get isUnproposed(): boolean {
    const [published, working] = [this.published.value, this.working.value];
    return published !== undefined && working !== undefined && changesBetween(published, working) > 0;
  }

  /** Begin to change the draft; without a draft, the published version. */
  begin(from: Framework | undefined = this.draft.value?.framework ?? this.published.value): void {
    this.working.value = from;
  }

  /** Propose what was changed here; return whether that was taken. */
  async propose(): Promise<boolean> {
    const { value: working } = this.working;
    if (!working) return false;
    return this.alone(async () => {
      await proposeDraft(working, this.by.value.trim(), this.comment.value.trim() || null, this.draft.value?.revision);
      await this.refresh();
      batch(() => {
        this.working.value = undefined;
        this.comment.value = '';
      });
    });
  }

  /** Review or approve the draft, or comment on it; return whether that was taken. */
  async sign(step: DraftStep, by: string, comment: string | null): Promise<boolean> {
    return this.change((revision) => signDraft(this.id, step, revision, by, comment));
  }

  /** Publish the draft. */
  async publish(): Promise<boolean> {
    return this.change((revision) => publishDraft(this.id, revision), { listed: true });
  }

  /** Drop the draft. */
  async drop(): Promise<boolean> {
    return this.change((revision) => dropDraft(this.id, revision));
  }

  private change(work: (revision: number) => Promise<unknown>, after = { listed: false }): Promise<boolean> {
    return this.alone(async () => {
      const { value: draft } = this.draft;
      if (!draft) return;
      await work(draft.revision);
      await this.refresh(after);
    });
  }

  /** Do one thing at a time; if it is refused because somebody else changed the draft, read the draft again. */
  private async alone(work: () => Promise<void>): Promise<boolean> {
    if (this.busy.value) return false;
    this.busy.value = true;
    this.error.value = undefined;
    try {
      await work();
      return true;
    } catch (thrown) {
      this.error.value = asApiError(thrown);
      if (this.error.value.status === 412) await this.refresh().catch(() => undefined);
      return false;
    } finally {
      this.busy.value = false;
    }
  }
}
