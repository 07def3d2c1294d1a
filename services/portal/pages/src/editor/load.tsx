/** Loading a file of courses: looked at first, with the guessed columns to confirm; then stored, row by row. */

import { batch, type Signal, signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { ApiError } from '../api';
import { asApiError, Detail, Trouble } from '../errors';
import { saveFile } from '../files';
import { language, Localized, t } from '../i18n';
import { fetchRefusals, inThai } from '../refusals';
import { Button, field } from '../ui';
import { link } from './address';
import { FileField } from './file_field';
import {
  ACCEPTED,
  type Column,
  columnsOf,
  counted,
  type Counts,
  defaultsOf,
  type Fact,
  factOf,
  FACTS,
  isNotable,
  isReport,
  mapOf,
  MOST_BYTES,
  NONE,
  type Remark,
  remarksOf,
  reportFile,
  typeOf,
} from './importing';
import { CourseLink, PageHeading } from './parts';
import { importCourses, type ImportReport, type RowResult } from './requests';

const MOST_ROWS = 200; // rows that are shown; the report as a file has them all

type Stage = 'choose' | 'checking' | 'checked' | 'loading' | 'loaded';

const maybe = <T,>(): Signal<T | undefined> => signal<T | undefined>(undefined);

/** One file on its way into the catalog. */
class Loading {
  readonly stage = signal<Stage>('choose');
  readonly file = maybe<File>();
  readonly columns = signal<Column[]>([]);
  readonly counts = signal<Counts>(NONE);
  readonly notable = signal<RowResult[]>([]);
  readonly report = maybe<ImportReport>();
  readonly error = maybe<ApiError>();
  /** Whether columns or defaults were changed since the file was looked at. */
  readonly stale = signal(false);
  /** What stands for facts that the file does not state. */
  readonly defaults = signal<Partial<Record<Fact, string>>>({});
  rows: RowResult[] = [];
  private stopping: AbortController | undefined;

  get busy(): boolean {
    return this.stage.value === 'checking' || this.stage.value === 'loading';
  }

  /** Look at a file with the columns guessed. */
  async choose(file: File): Promise<void> {
    this.file.value = file;
    this.columns.value = [];
    this.defaults.value = {};
    this.stale.value = false;
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

  /** Look at the file again, or store it, with the chosen meanings of its columns. */
  async run(dry: boolean): Promise<void> {
    const file = this.file.value;
    const type = file && typeOf(file.name);
    if (!file || !type || this.busy) return;
    batch(() => {
      this.stage.value = dry ? 'checking' : 'loading';
      this.counts.value = NONE;
      this.notable.value = [];
      this.report.value = undefined;
      this.error.value = undefined;
    });
    this.rows = [];
    this.stopping = new AbortController();
    const map = mapOf(this.columns.value);
    try {
      const options = { dry_run: dry, map, default: defaultsOf(this.defaults.value) };
      for await (const lines of importCourses(file, type, options, this.stopping.signal)) this.take(lines);
      if (!this.report.value) throw new ApiError(0);
    } catch (thrown) {
      this.error.value = asApiError(thrown);
    }
    const { value: report } = this.report;
    batch(() => {
      if (report && dry) this.columns.value = columnsOf(report);
      this.stale.value = this.stale.value && !(report && dry);
      this.stage.value = this.error.value && dry ? 'choose' : dry ? 'checked' : 'loaded';
    });
  }

  /** Stop; what is stored stays. */
  stop(): void {
    this.stopping?.abort();
  }

  private take(lines: (RowResult | ImportReport)[]): void {
    const rows = lines.filter((line): line is RowResult => !isReport(line));
    this.rows.push(...rows);
    batch(() => {
      this.counts.value = counted(this.counts.value, rows);
      if (this.notable.value.length < MOST_ROWS) this.notable.value = [...this.notable.value, ...rows.filter(isNotable)].slice(0, MOST_ROWS);
      const report = lines.find(isReport);
      if (report) this.report.value = report;
    });
  }
}

/** Return the name of a field as the columns are called on this page, or as the services call it. */
function fieldName(field: string): string {
  const fact = factOf(field);
  return fact ? t(`fact.${fact}`) : field;
}

function Remarked({ remark: { field, detail } }: { remark: Remark }): JSX.Element {
  return (
    <>
      {field && `${fieldName(field)}: `}
      <Detail text={detail} />
    </>
  );
}

/** Give the verdicts on all rows to the person as a file, in the language of the page. */
async function download(rows: RowResult[], name: string): Promise<void> {
  if (language() === 'th') await fetchRefusals();
  const said = (detail: string) => (language() === 'th' ? inThai(detail) : undefined) ?? detail;
  const worded = ({ field, detail }: Remark) => (field ? `${fieldName(field)}: ${said(detail)}` : said(detail));
  saveFile(`report-${name.replace(/\.[^.]*$/, '')}.csv`, 'text/csv', reportFile(rows, worded));
}

function FileForm({ loading }: { loading: Loading }): JSX.Element {
  const wrong = useMemo(() => signal(''), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    const file = field('file').files?.[0];
    wrong.value = !file ? t('fileNeeded') : !typeOf(file.name) ? t('fileUnknown') : file.size > MOST_BYTES ? t('fileTooLarge', { mb: MOST_BYTES / 1e6 }) : '';
    if (file && !wrong.value) await loading.choose(file);
    else field('file').focus();
  };
  return (
    <form noValidate onSubmit={submit}>
      <FileField id="file" label={t('file')} hint={t('fileHint')} accept={ACCEPTED} wrong={wrong.value} />
      <Button name="check" class="main" submit busy={loading.busy}>
        {t('check')}
      </Button>
    </form>
  );
}

/** Which column holds what, to be confirmed; and what the file does not state. */
function Columns({ loading }: { loading: Loading }): JSX.Element {
  const columns = loading.columns.value;
  const facts = new Set(columns.map(({ fact }) => fact));
  const lacking = (['provider', 'hours', 'languages'] as const).filter(
    (fact) => ![...facts].some((one) => one?.startsWith(fact)) && !(fact === 'hours' && facts.has('duration')),
  );
  return (
    <form
      noValidate
      onSubmit={(event: Event) => {
        event.preventDefault();
        void loading.run(loading.stale.value);
      }}
    >
      <h2>{t('columnsTitle')}</h2>
      <p class="quiet">{t('columnsWhy')}</p>
      <div class="fields">
        {columns.map(({ name, fact }, i) => (
          <div key={`${i} ${name}`}>
            <label for={`column-${i}`}>{name ? t('columnNamed', { name }) : t('unnamed')}</label>
            <select
              id={`column-${i}`}
              data-column={name}
              value={fact ?? ''}
              onChange={(event) => loading.put(i, FACTS.find((one) => one === event.currentTarget.value))}
            >
              <option value="">{t('notRead')}</option>
              {FACTS.map((one) => (
                <option key={one} value={one} selected={one === fact}>
                  {t(`fact.${one}`)}
                </option>
              ))}
            </select>
          </div>
        ))}
      </div>
      {lacking.length > 0 && (
        <>
          <h3>{t('defaultsTitle')}</h3>
          <div class="fields">
            {lacking.map((fact) => (
              <div key={fact}>
                <label for={`default-${fact}`}>{t(`fact.${fact}`)}</label>
                <input
                  id={`default-${fact}`}
                  autocomplete="off"
                  maxLength={200}
                  value={loading.defaults.value[fact] ?? ''}
                  onInput={(event) => loading.putDefault(fact, event.currentTarget.value)}
                />
              </div>
            ))}
          </div>
        </>
      )}
      <div class="actions">
        {loading.stale.value ? (
          <Button name="check-again" class="main" submit>
            {t('checkAgain')}
          </Button>
        ) : (
          <Button name="store" class="main" submit>
            {t('store')}
          </Button>
        )}
      </div>
    </form>
  );
}

function Rows({ rows, all }: { rows: RowResult[]; all: number }): JSX.Element | null {
  if (!rows.length) return null;
  return (
    <section aria-labelledby="rows-title">
      <h2 id="rows-title">{t('rowsTitle')}</h2>
      {rows.length >= MOST_ROWS && all > MOST_ROWS && <p class="quiet">{t('rowsFirst', { n: MOST_ROWS })}</p>}
      <ul class="plain rows">
        {rows.map((row) => (
          <li key={row.line} data-line={row.line} class={row.status}>
            <strong>{t('rowNumber', { n: row.line })}</strong> {t(`verdict.${row.status}`)}{' '}
            {row.title ? <Localized class="quiet" text={row.title} /> : <span class="quiet">{row.begins ?? row.id}</span>}
            <ul>
              {remarksOf(row).map((remark, i) => (
                <li key={i}>
                  <Remarked remark={remark} />
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The messages about the file as a whole. */
function Whole({ report }: { report: ImportReport }): JSX.Element | null {
  const unknown = report.unknown_courses ?? [];
  const cycles = report.cycles ?? [];
  return (
    <>
      {report.problem && (
        <div class="notice refused" role="alert">
          <p>{t('stoppedEarly')}</p>
          <p>
            <Remarked remark={report.problem} />
          </p>
        </div>
      )}
      {(unknown.length > 0 || cycles.length > 0) && (
        <section aria-labelledby="whole-title">
          <h2 id="whole-title">{t('wholeTitle')}</h2>
          <ul>
            {unknown.map(({ course, rows, required_by }) => (
              <li key={course}>{t('unknownCourse', { course, rows, first: required_by[0] ?? '' })}</li>
            ))}
            {cycles.map((cycle) => (
              <li key={cycle.join(' ')}>
                {t('cycleOf')}{' '}
                {cycle.map((id, i) => (
                  <span key={id}>
                    {i > 0 && ' → '}
                    <CourseLink id={id} />
                  </span>
                ))}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Progress({ loading }: { loading: Loading }): JSX.Element {
  const counts = loading.counts.value;
  const stage = loading.stage.value;
  const rows = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const verdicts = Object.keys(counts) as (keyof Counts)[];
  return (
    <div class="load-progress" aria-busy={loading.busy}>
      <p role="status" id="load-status">
        <strong>{t(`stage.${stage}`)}</strong> {!loading.busy && t('rowsRead', { n: rows })}
      </p>
      {loading.busy && (
        <p>
          <progress aria-label={t(`stage.${stage}`)} /> {t('rowsRead', { n: rows })}{' '}
          <Button name="stop" class="small" onClick={() => loading.stop()}>
            {t('stop')}
          </Button>
        </p>
      )}
      <dl class="figures">
        {verdicts.map((verdict) => (
          <div key={verdict} data-verdict={verdict}>
            <dt>{t(stage === 'loading' || stage === 'loaded' ? `verdict.${verdict}` : `would.${verdict}`)}</dt>
            <dd>{counts[verdict]}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

export default function Load(): JSX.Element {
  const loading = useMemo(() => new Loading(), []);
  const stage = loading.stage.value;
  const error = loading.error.value;
  const file = loading.file.value;
  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => {
      if (loading.stage.value === 'loading') event.preventDefault();
    };
    window.addEventListener('beforeunload', warn);
    return () => {
      window.removeEventListener('beforeunload', warn);
      loading.stop();
    };
  }, [loading]);
  const done = stage === 'checked' || stage === 'loaded';
  return (
    <div class="load">
      <PageHeading title="loadTitle" why="loadWhy" />
      {!loading.busy && <FileForm loading={loading} />}
      {error && <Trouble error={error} />}
      {stage !== 'choose' && <Progress loading={loading} />}
      {loading.report.value && <Whole report={loading.report.value} />}
      {stage === 'checked' && <Columns loading={loading} />}
      {done && file && loading.rows.length > 0 && (
        <p class="actions">
          <Button name="report" onClick={() => void download(loading.rows, file.name)}>
            {t('downloadReport')}
          </Button>
          {stage === 'loaded' && (
            <a class="button" href={link('matches')}>
              {t('toMatches')}
            </a>
          )}
        </p>
      )}
      <Rows rows={loading.notable.value} all={loading.rows.filter(isNotable).length} />
    </div>
  );
}
