/** Loads a file of courses: a dry run first, with the guessed columns to confirm; then it is stored, row by row. */

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { Detail, Trouble } from '../errors';
import { percent } from '../formats';
import { saveFile } from '../files';
import { type Key, language, Localized, t } from '../i18n';
import { fetchRefusals, inThai } from '../refusals';
import { Button, Disclosure, field } from '../ui';
import { Wide } from '../wide';
import { link } from './address';
import { FileField } from './file_field';
import { ACCEPTED, beginningOf, type Column, type Counts, ENCODINGS, factOf, FACTS, MOST_BYTES, type Remark, remarksOf, reportFile, totalOf, typeOf } from './importing';
import { currentLoading, type Loading, MOST_ROWS } from './loading';
import { Choice, CourseLink, PageHeading } from './parts';
import type { ImportReport, RowResult, TableSample } from './requests';

/** How many columns are listed at once, or as many as are read; the others are in a part that opens. */
const COLUMNS_AT_FIRST = 20;

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

/** Save the verdicts on all rows as a file, in the language of the page. */
async function download(rows: RowResult[], name: string): Promise<void> {
  if (language() === 'th') await fetchRefusals();
  const found = new Map<string, string>(); // most rows of a file have the same few remarks
  const said = (detail: string) => {
    const words = found.get(detail) ?? (language() === 'th' ? inThai(detail) : undefined) ?? detail;
    found.set(detail, words);
    return words;
  };
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
      <FileField id="file" label={t(loading.file.value ? 'fileNext' : 'file')} hint={t('fileHint')} accept={ACCEPTED} wrong={wrong.value} />
      <Button name="check" class="main" submit busy={loading.busy}>
        {t('check')}
      </Button>
    </form>
  );
}

/** The encoding of a text file: as recognised, or as chosen. A workbook has no choice. */
function TextEncoding({ loading }: { loading: Loading }): JSX.Element | null {
  const found = loading.report.value?.encoding;
  const { value: chosen } = loading.encoding;
  if (!found && !chosen) return null;
  return (
    <Choice
      id="encoding"
      label={t('encoding')}
      value={chosen ?? ''}
      onChoose={(value) => loading.putEncoding(ENCODINGS.find((one) => one === value))}
    >
      <option value="">{chosen || !found ? t('encodingAuto') : t('encodingFound', { name: found })}</option>
      {ENCODINGS.map((one) => (
        <option key={one} value={one}>
          {t(`encoding.${one}`)}
        </option>
      ))}
    </Choice>
  );
}

/** The first rows of a table as they are in the file, below the names of the columns and their meanings. */
function Sample({ sample, columns }: { sample: TableSample; columns: Column[] }): JSX.Element {
  const read = (name: string) => columns.flatMap((one) => (one.name === name && one.fact ? [t(`fact.${one.fact}`)] : []));
  return (
    <>
      <h3 id="sample-title">{t('sampleTitle')}</h3>
      {new Set(columns.map(({ name }) => name)).size > sample.columns.length && (
        <p class="quiet" id="sample-columns">
          {t('sampleColumns', { n: sample.columns.length })}
        </p>
      )}
      <Wide aria-labelledby="sample-title">
        <table class="sample">
          <thead>
            <tr>
              <th scope="col">{t('sampleRow')}</th>
              {sample.columns.map((name, i) => (
                <th key={i} scope="col">
                  <span>{beginningOf(name) || t('unnamed')}</span>
                  <span class="quiet">{read(name).join(', ') || t('notRead')}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sample.rows.map(({ line, cells }) => (
              <tr key={line}>
                <th scope="row">{line}</th>
                {cells.map((cell, i) => (
                  <td key={i}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
    </>
  );
}

interface ColumnFieldProps extends Column {
  loading: Loading;
  at: number;
}

/** What one column holds; it is drawn again only when that changes. */
function ColumnField({ loading, at, name, fact }: ColumnFieldProps): JSX.Element {
  return (
    <div>
      <label for={`column-${at}`}>{name ? t('columnNamed', { name }) : t('unnamed')}</label>
      <select
        id={`column-${at}`}
        data-column={name}
        value={fact ?? ''}
        onChange={(event) => loading.put(at, FACTS.find((one) => one === event.currentTarget.value))}
      >
        <option value="">{t('notRead')}</option>
        {FACTS.map((one) => (
          <option key={one} value={one} selected={one === fact}>
            {t(`fact.${one}`)}
          </option>
        ))}
      </select>
    </div>
  );
}

/** Which column holds what, to be confirmed; and what the file does not state. */
function Columns({ loading }: { loading: Loading }): JSX.Element {
  const columns = loading.columns.value;
  const sample = loading.report.value?.sample;
  const first = Math.max(COLUMNS_AT_FIRST, Object.values(loading.report.value?.mapping ?? {}).flat().length);
  const fields = (from: number, to: number) => (
    <div class="fields">
      {columns.slice(from, to).map((column, i) => (
        <ColumnField key={`${from + i} ${column.name}`} loading={loading} at={from + i} {...column} />
      ))}
    </div>
  );
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
      <TextEncoding loading={loading} />
      <h2>{t('columnsTitle')}</h2>
      <p class="quiet">{t('columnsWhy')}</p>
      {fields(0, first)}
      {columns.length > first && (
        <Disclosure name="columns-rest" summary={t('columnsRest', { n: columns.length - first })}>
          {() => fields(first, columns.length)}
        </Disclosure>
      )}
      {sample && columns.length > 0 && <Sample sample={sample} columns={columns} />}
      {lacking.length > 0 && (
        <>
          <h3>{t('defaultsTitle')}</h3>
          <div class="fields">
            {lacking.map((fact) => (
              <div key={fact}>
                <label for={`default-${fact}`}>{t(`fact.${fact}`)}</label>
                {fact === 'languages' && (
                  <p class="quiet" id="default-languages-hint">
                    {t('defaultLanguages')}
                  </p>
                )}
                <input
                  id={`default-${fact}`}
                  aria-describedby={fact === 'languages' ? 'default-languages-hint' : undefined}
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

/** The words for a verdict: what would become of a row, until the file is stored. */
const verdictKey = (stage: Loading['stage']['value'], verdict: keyof Counts): Key =>
  stage === 'checking' || stage === 'checked' ? `would.${verdict}` : `verdict.${verdict}`;

interface RowsProps {
  rows: RowResult[];
  all: number;
  stage: Loading['stage']['value'];
}

function Rows({ rows, all, stage }: RowsProps): JSX.Element | null {
  if (!rows.length) return null;
  return (
    <section aria-labelledby="rows-title">
      <h2 id="rows-title">{t('rowsTitle')}</h2>
      {rows.length >= MOST_ROWS && all > MOST_ROWS && <p class="quiet">{t('rowsFirst', { n: MOST_ROWS })}</p>}
      <ul class="plain rows">
        {rows.map((row) => (
          <li key={row.line} data-line={row.line} class={row.status}>
            <strong>{t('rowNumber', { n: row.line })}</strong> {t(verdictKey(stage, row.status))}{' '}
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
  const share = loading.sent.value;
  const rows = totalOf(counts);
  const verdicts = Object.keys(counts) as (keyof Counts)[];
  const isSending = loading.busy && share < 1;
  const isKnown = rows > 0 || loading.report.value !== undefined; // rows may be stored whose answers were lost
  return (
    <div class="load-progress" aria-busy={loading.busy}>
      <p class="quiet" id="load-file">
        {loading.file.value?.name}
      </p>
      <p role="status" id="load-status">
        <strong>{t(`stage.${stage}`)}</strong> {!loading.busy && isKnown && t('rowsRead', { n: rows })}
      </p>
      {loading.busy && (
        <>
          <p>
            <progress aria-label={t(`stage.${stage}`)} {...(isSending ? { value: share } : {})} />{' '}
            <span id="load-sent">
              {isSending && t('sentShare', { share: percent(share) })} {(!isSending || rows > 0) && t('rowsRead', { n: rows })}
            </span>{' '}
            <Button name="stop" class="small" onClick={() => loading.stop()}>
              {t('stop')}
            </Button>
          </p>
          <p class="quiet">{t('loadingWhy')}</p>
        </>
      )}
      {(loading.busy || isKnown) && (
        <dl class="figures">
          {verdicts.map((verdict) => (
            <div key={verdict} data-verdict={verdict}>
              <dt>{t(verdictKey(stage, verdict))}</dt>
              <dd>{counts[verdict]}</dd>
            </div>
          ))}
        </dl>
      )}
      {(stage === 'stopped' || stage === 'lost') && !loading.outdated.value && (
        <Button name="load-again" class="main" onClick={() => loading.run(false)}>
          {t('loadAgain')}
        </Button>
      )}
    </div>
  );
}

export default function Load(): JSX.Element {
  const loading = useMemo(currentLoading, []);
  const stage = loading.stage.value;
  const error = loading.error.value;
  const file = loading.file.value;
  const outdated = loading.outdated.value;
  const again = stage === 'choose' && !outdated ? () => loading.run(true) : undefined;
  return (
    <div class="load">
      <PageHeading title="loadTitle" why="loadWhy" />
      {!loading.busy && <FileForm loading={loading} />}
      {error && <Trouble error={error} special={outdated ? { 0: 'fileOutdated' } : {}} again={again} />}
      {stage !== 'choose' && <Progress loading={loading} />}
      {loading.report.value && <Whole report={loading.report.value} />}
      {stage === 'checked' && <Columns loading={loading} />}
      {!loading.busy && stage !== 'lost' && file && loading.rows.length > 0 && (
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
      <Rows rows={loading.notable.value} all={loading.notableCount} stage={stage} />
    </div>
  );
}
