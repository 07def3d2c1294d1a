/** The requests of the editors' pages; see `src/api.ts`. */

import type * as catalog from '../../generated/catalog';
import type * as recommender from '../../generated/recommender';
import { answer, api, ApiError, noteStatus, refusalOf } from '../api';
import { Lines } from './importing';

type C = catalog.components['schemas'];

export type Match = C['Match'];
export type MatchPage = C['MatchPage'];
export type OpenSkill = recommender.components['schemas']['OpenSkill'];
export type CourseMatches = C['CourseMatches'];
export type SkillSpan = C['SkillSpan'];
export type CatalogCourse = C['Course'];
export type Prerequisite = C['Prerequisite'];
export type CatalogHealth = C['CatalogHealth'];
export type Framework = C['Framework'];
export type FrameworkDraft = C['FrameworkDraft'];
export type FrameworkImpact = C['FrameworkImpact'];
export type FrameworkVersions = C['FrameworkVersions'];
export type RowResult = C['RowResult'];
export type ImportReport = C['CourseImportReport'];
export type TableSample = C['TableSample'];

export interface MatchFilter {
  framework?: string;
  skill?: string;
}

/** A person's decision on one match; `right` is what the course teaches instead. */
export interface Decision {
  course: string;
  framework: string;
  skill: string;
  status: 'confirmed' | 'rejected' | 'corrected';
  right?: SkillSpan;
  /** The status that the person saw; the catalog refuses the decision if somebody else has decided meanwhile. */
  seen: Match['status'];
}

/** Return a page of courses with proposed matches whose confidence is from `least` to `most`. */
export const proposedMatches = (filter: MatchFilter, least: number, most: number, after: string): Promise<MatchPage> =>
  answer(api.GET('/v1/matches', { params: { query: { status: 'proposed', ...filter, least, most, after, limit: 500 } } }));

/** Return the skills that officers' paths leave open, the one of most officers first. */
export const readOpenSkills = async (): Promise<OpenSkill[]> => (await answer(api.GET('/v1/open-skills'))).skills;

/** Send one decision. Throws ApiError, also if the decision was refused. */
export async function decideMatch({ status, right, ...name }: Decision): Promise<void> {
  const { results } = await answer(
    status === 'corrected' && right
      ? api.POST('/v1/matches:correct', { body: { matches: [{ ...name, right }] } })
      : api.POST(status === 'confirmed' ? '/v1/matches:confirm' : '/v1/matches:reject', { body: { matches: [name] } }),
  );
  const problem = results[0]?.problem;
  if (problem) throw new ApiError(problem.status, undefined, problem.detail, problem.field ?? undefined);
}

/** Return a course as the tenant sees it. */
export const readCourse = (course_id: string) =>
  answer(api.GET('/v1/courses/{course_id}', { params: { path: { course_id } } }));

/** Return the matches of one of the tenant's own courses; ApiError 404 for a shared one. */
export const readMatches = (course_id: string) =>
  answer(api.GET('/v1/courses/{course_id}/matches', { params: { path: { course_id } } }));

/** Return a page of a search. `query` is as the address holds it. */
export const searchCourses = (query: Record<string, string>) =>
  answer(api.GET('/v1/courses', { params: { query: { q: '', limit: 50, ...query } } }));

/** Return the faults of the catalog as a whole. */
export const readHealth = () => answer(api.GET('/v1/catalog/health'));

export type CoursePage = Awaited<ReturnType<typeof searchCourses>>;

// --- frameworks

const of = (framework_id: string) => ({ path: { framework_id } });
const only = (revision: number) => ({ 'If-Match': `"${revision}"` });

/** Return the draft of a framework, undefined if there is none. */
export async function readDraft(framework: string): Promise<FrameworkDraft | undefined> {
  try {
    return await answer(api.GET('/v1/frameworks/{framework_id}/draft', { params: of(framework) }));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** Return what publishing the draft would change. */
export const readImpact = (framework: string) =>
  answer(api.GET('/v1/frameworks/{framework_id}:impact', { params: of(framework) }));

/** Return the newest versions of a framework. */
export const readVersions = (framework: string) =>
  answer(api.GET('/v1/frameworks/{framework_id}/versions', { params: { ...of(framework), query: { limit: 20 } } }));

/** Propose a framework; `revision` is that of the draft that is changed, undefined for a new draft. */
export const proposeDraft = (framework: Framework, by: string, comment: string | null, revision: number | undefined) =>
  answer(
    api.PUT('/v1/frameworks/{framework_id}/draft', {
      params: { ...of(framework.id), header: revision === undefined ? { 'If-None-Match': '*' } : only(revision) },
      body: { framework, by, comment },
    }),
  );

export type DraftStep = 'review' | 'approve' | 'comment';

/** Review or approve this revision of a draft, or comment on it. */
export function signDraft(framework: string, step: DraftStep, revision: number, by: string, comment: string | null) {
  const params = { ...of(framework), header: only(revision) };
  if (step === 'comment') {
    return answer(api.POST('/v1/frameworks/{framework_id}/draft:comment', { params, body: { by, comment: comment ?? '' } }));
  }
  const body = { by, comment };
  return step === 'review'
    ? answer(api.POST('/v1/frameworks/{framework_id}/draft:review', { params, body }))
    : answer(api.POST('/v1/frameworks/{framework_id}/draft:approve', { params, body }));
}

/** Publish this revision of a draft. */
export const publishDraft = (framework: string, revision: number) =>
  answer(
    api.POST('/v1/frameworks/{framework_id}/draft:publish', { params: { ...of(framework), header: only(revision) } }),
  );

/** Drop this revision of a draft. */
export const dropDraft = (framework: string, revision: number) =>
  answer(api.DELETE('/v1/frameworks/{framework_id}/draft', { params: { ...of(framework), header: only(revision) } }));

// --- imports

interface ImportOptions {
  dry_run: boolean;
  map?: string;
  default?: string;
  encoding?: string;
  /** An id for the report, which can then be read while the file is being sent; only without `dry_run`. */
  import_id?: string;
}

interface ImportFollower {
  /** The share of the file that has left the browser, 0 to 1. */
  onSent: (share: number) => void;
  /** The answers to rows as they come, in order; the report is the last one. */
  onLines: (lines: (RowResult | ImportReport)[]) => void;
}

/** Return the stored report of an import; ApiError 404 before its first rows are stored. */
export const readImport = (import_id: string): Promise<ImportReport> =>
  answer(api.GET('/v1/imports/{import_id}', { params: { path: { import_id } } }));

/** Return the stored results of all rows of an import. */
export async function readImportRows(import_id: string): Promise<RowResult[]> {
  const found: RowResult[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page: C['RowPage'] = await answer(api.GET('/v1/imports/{import_id}/rows', { params: { path: { import_id }, query: { after } } }));
    for (const row of page.rows) found.push(row);
    after = page.next;
  }
  return found;
}

const WATCHED_MS = 1000; // as often as the service stores it

/** Call `onReport` with the report of a running import every second, until the function that is returned is called. */
export function watchImport(import_id: string, onReport: (report: ImportReport) => void): () => void {
  let timer: number | undefined;
  let over = import_id === '';
  const wait = () => {
    if (!over) timer = window.setTimeout(() => void read(), WATCHED_MS);
  };
  const read = async () => {
    const report = await readImport(import_id).catch(() => undefined);
    if (report && !over) onReport(report); // there is none before the first rows
    wait();
  };
  wait();
  return () => {
    over = true;
    window.clearTimeout(timer);
  };
}

/**
 * Send a file of courses. An XMLHttpRequest, because `fetch` does not say how much of a body has left. Throws ApiError, also
 * when `signal` stops it.
 */
export function importCourses(file: Blob, type: string, options: ImportOptions, signal: AbortSignal, { onSent, onLines }: ImportFollower): Promise<void> {
  const query = Object.entries(options).flatMap(([name, value]) => (value === '' ? [] : [[name, String(value)]]));
  const request = new XMLHttpRequest();
  const lines = new Lines();
  let taken = 0;
  const take = (some: string[]) => {
    if (some.length) onLines(some.map((line) => JSON.parse(line) as RowResult | ImportReport));
  };
  const takeMore = () => {
    if (request.status !== 200) return;
    const { responseText: text } = request;
    take(lines.feed(text.slice(taken)));
    taken = text.length;
  };
  return new Promise((resolve, reject) => {
    const attempt = (work: () => void) => {
      try {
        work();
      } catch (error) {
        reject(new ApiError(0));
        request.abort();
        if (!(error instanceof SyntaxError)) throw error; // not JSON: a proxy has answered, or a line is cut
      }
    };
    request.open('POST', `/api/v1/courses:import?${new URLSearchParams(query).toString()}`);
    request.setRequestHeader('Content-Type', type);
    request.upload.onprogress = ({ loaded, total }) => onSent(total ? loaded / total : 1);
    request.onprogress = () => attempt(takeMore);
    request.onload = () =>
      attempt(() => {
        takeMore();
        take(lines.end());
        const { status } = request;
        noteStatus(status);
        if (status === 200) resolve();
        else reject(refusalOf(status, request.getResponseHeader('X-Request-Id'), problemIn(request.responseText)));
      });
    request.onerror = request.onabort = () => reject(new ApiError(0));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

function problemIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
