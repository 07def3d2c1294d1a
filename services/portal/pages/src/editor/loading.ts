/** The import of one file: a dry run, then the import itself. Both continue while another page is open. */

import { batch, computed, type Signal, signal } from '@preact/signals';
import { ApiError, newUuid } from '../api';
import { asApiError } from '../errors';
import { Kept } from '../kept';
import {
  type Column,
  columnsOf,
  counted,
  type Counts,
  countsOf,
  defaultsOf,
  type Encoding,
  type Fact,
  isNotable,
  isReport,
  mapOf,
  NONE,
  totalOf,
  typeOf,
} from './importing';
import { importCourses, type ImportReport, readImport, readImportRows, type RowResult, watchImport } from './requests';

export const MOST_ROWS = 200; // rows that are shown; the report as a file has them all
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

/**
 * `stopped`: not everything was stored, because somebody stopped it, the session ended, or the file could not be read
 * further. `lost`: the connection was lost before it was known what was stored; the stored report is looked for.
 */
type Stage = 'choose' | 'checking' | 'checked' | 'loading' | 'loaded' | 'stopped' | 'lost';

const maybe = <T>(): Signal<T | undefined> => signal<T | undefined>(undefined);

/** Whether the browser can read a file: not once the file has changed or moved. */
const isReadable = (file: File): Promise<boolean> =>
  file.slice(0, 1).arrayBuffer().then(
    () => true,
    () => false,
  );

export class Loading {
  readonly stage = signal<Stage>('choose');
  readonly file = maybe<File>();
  /** The share of the file that has left the browser, 0 to 1; answers to its rows come after that. */
  readonly sent = signal(0);
  readonly columns = signal<Column[]>([]);
  private readonly answered = signal<Counts>(NONE);
  /** The counts that the stored report had last; a browser takes the answers only once the whole file has left. */
  private readonly stored = signal<Counts>(NONE);
  readonly counts = computed(() => (totalOf(this.stored.value) > totalOf(this.answered.value) ? this.stored.value : this.answered.value));
  readonly notable = signal<RowResult[]>([]);
  readonly report = maybe<ImportReport>();
  readonly error = maybe<ApiError>();
  /** Whether the browser can no longer read the file, because it was changed or moved since it was chosen. */
  readonly outdated = signal(false);
  /** Whether columns, defaults or the encoding were changed since the file was looked at. */
  readonly stale = signal(false);
  /** The values of facts that the file does not state. */
  readonly defaults = signal<Partial<Record<Fact, string>>>({});
  /** The encoding that a person chose, undefined for the one that the service recognises. */
  readonly encoding = maybe<Encoding>();
  rows: RowResult[] = [];
  /** How many rows a person should look at. */
  notableCount = 0;
  private stopping: AbortController | undefined;

  get busy(): boolean {
    return this.stage.value === 'checking' || this.stage.value === 'loading';
  }

  /** Look at a file with the columns guessed. */
  async choose(file: File): Promise<void> {
    if (this.busy) return;
    this.file.value = file;
    this.columns.value = [];
    this.defaults.value = {};
    this.encoding.value = undefined;
    await this.run(true);
  }

  /** Set the meaning of a column. */
  put(at: number, fact: Fact | undefined): void {
    this.columns.value = this.columns.value.map((column, i) => (i === at ? { ...column, fact } : column));
    this.stale.value = true;
  }

  /** Set the value of a fact that the file does not state. */
  putDefault(fact: Fact, value: string): void {
    this.defaults.value = { ...this.defaults.value, [fact]: value };
    this.stale.value = true;
  }

  /** Set the encoding of the file. Its columns have other names then, so they are guessed anew. */
  putEncoding(encoding: Encoding | undefined): void {
    this.encoding.value = encoding;
    this.columns.value = [];
    this.stale.value = true;
  }

  /** Look at the file, or store it, with the chosen meanings of its columns. */
  async run(dry: boolean): Promise<void> {
    const file = this.file.value;
    const type = file && typeOf(file.name);
    if (!file || !type || this.busy) return;
    batch(() => {
      this.stage.value = dry ? 'checking' : 'loading';
      this.sent.value = 0;
      this.answered.value = NONE;
      this.notable.value = [];
      this.report.value = undefined;
      this.error.value = undefined;
      this.outdated.value = false;
    });
    this.rows = [];
    this.notableCount = 0;
    this.stopping?.abort(); // the report of an earlier attempt may still be looked for
    const { signal: stopped } = (this.stopping = new AbortController());
    const options = {
      dry_run: dry,
      map: mapOf(this.columns.value),
      default: defaultsOf(this.defaults.value),
      encoding: this.encoding.value ?? '',
      import_id: dry ? '' : newUuid(), // a dry run stores nothing that could be read
    };
    let error: ApiError | undefined;
    const unwatch = watchImport(options.import_id, (report) => {
      this.stored.value = countsOf(report);
    });
    try {
      await importCourses(file, type, options, stopped, {
        onSent: (share) => {
          this.sent.value = share;
        },
        onLines: (lines) => {
          unwatch();
          this.take(lines);
        },
      });
      if (!this.report.value) throw new ApiError(0);
    } catch (thrown) {
      if (!stopped.aborted) error = asApiError(thrown);
    } finally {
      unwatch();
    }
    const outdated = error?.status === 0 && !(await isReadable(file));
    const { value: report } = this.report;
    batch(() => {
      this.stored.value = NONE;
      this.error.value = error;
      this.outdated.value = outdated;
      if (report && dry) {
        this.columns.value = columnsOf(report);
        this.stale.value = false;
      }
      if (dry) this.stage.value = report ? 'checked' : 'choose';
      else if (error?.status === 0 && !outdated) this.stage.value = 'lost';
      else this.stage.value = report?.state === 'finished' ? 'loaded' : 'stopped';
    });
    if (this.stage.value === 'lost') void this.lookFor(options.import_id, stopped);
  }

  /** Show the result of an import whose answers were lost, once there is a connection and the import has ended. */
  private async lookFor(import_id: string, stopped: AbortSignal): Promise<void> {
    const isOver = () => stopped.aborted;
    for (let wait = FIRST_WAIT_MS; !isOver(); wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (isOver()) break;
      try {
        const report = await readImport(import_id);
        const rows = report.state === 'running' ? undefined : await readImportRows(import_id);
        if (isOver()) break;
        if (!rows) this.stored.value = countsOf(report);
        else {
          this.end(report, rows);
          return;
        }
      } catch (thrown) {
        if (asApiError(thrown).status === 404) break; // nothing was stored
      }
    }
    if (this.stopping?.signal === stopped) this.stage.value = 'stopped';
  }

  /** Show the stored report of an import that is over, and all of its rows. */
  private end(report: ImportReport, rows: RowResult[]): void {
    this.rows = [];
    this.notableCount = 0;
    batch(() => {
      this.stored.value = NONE;
      this.answered.value = NONE;
      this.notable.value = [];
      this.error.value = undefined;
      this.take([...rows, report]);
      this.stage.value = report.state === 'finished' ? 'loaded' : 'stopped';
    });
  }

  /** Stop; what is stored stays. */
  stop(): void {
    this.stopping?.abort();
  }

  private take(lines: (RowResult | ImportReport)[]): void {
    const rows = lines.filter((line): line is RowResult => !isReport(line));
    const notable = rows.filter(isNotable);
    for (const row of rows) this.rows.push(row);
    this.notableCount += notable.length;
    batch(() => {
      this.answered.value = counted(this.answered.value, rows);
      if (this.notable.value.length < MOST_ROWS) this.notable.value = [...this.notable.value, ...notable].slice(0, MOST_ROWS);
      const report = lines.find(isReport);
      if (report) this.report.value = report;
    });
  }
}

const kept = new Kept(() => new Loading());
kept.warnOf(({ stage }) => stage.value === 'loading');
kept.whenOver((loading) => loading.stop());

/** Return the import that this person began last, or a new one. */
export const currentLoading = (): Loading => kept.get('');
