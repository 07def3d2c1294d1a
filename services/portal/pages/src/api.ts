/** Requests to the portal, typed by the services' OpenAPI documents. The API key is kept in the cookie only. */

import createClient from 'openapi-fetch';
import type * as assessment from '../generated/assessment';
import type * as catalog from '../generated/catalog';
import type * as portal from '../generated/portal';
import type * as recommender from '../generated/recommender';

type R = recommender.components['schemas'];
type C = catalog.components['schemas'];
type A = assessment.components['schemas'];
type P = portal.components['schemas'];

export type Session = P['Session'];
export type StoredPath = R['StoredPath'];
/** A path as the live stream sends it. */
export type Recommended = Pick<StoredPath, 'revision' | 'cause' | 'planned_at' | 'path'>;
export type LearningPath = R['LearningPath'];
export type Step = R['Step'];
export type CourseCard = R['CourseCard'];
export type Gap = R['Gap'];
export type Prerequisite = R['Prerequisite'];
export type FeedbackPage = R['FeedbackPage'];
export type FeedbackTaken = R['FeedbackTaken'];
export type Statement = R['CourseStatement'];
export type Action = R['GiveFeedback']['action'];
export type WhyNotAnswer = R['WhyNotAnswer'];
export type WhatIf = R['RecommendationRequest'];
export type Similar = R['Similar'];
export type Framework = C['Framework'];
export type FrameworkSummary = C['FrameworkSummary'];
export type Profile = A['Profile'];
type PutOfficer = A['PutOfficer'];
export type SkillProfile = A['SkillProfile'];
export type PathRevision = R['PathRevision'];
export type Share = A['Share'];
export type SessionStep = A['SessionStep'];
export type SessionItem = A['SessionItem'];
export type SessionResult = A['SessionResult'];
/** What the page shows of a course that somebody chose. */
export type Course = Pick<CourseCard, 'id' | 'title' | 'hours'>;

const LONGEST_MS = 30_000; // nobody waits longer than this for an answer
const AGAIN_MS = 10_000;
const JSON_TYPE = 'application/json';
export const WORDS = 'th,en'; // both, whatever the browser prefers: the page changes its language without asking again

/** A response other than success. `status` 0: no response. `field` and `detail` are the service's own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly requestId?: string,
    readonly detail?: string,
    readonly field?: string,
    /** `detail` in Thai and English, if it is written for people. */
    readonly texts?: { th?: string; en?: string },
  ) {
    super(`answer ${status}`);
  }
}

/** Requests to which a repetition changes nothing: sign-ins, adaptive sessions, and recommendations, which are not stored. */
const POSTED_AGAIN = /^(\/session|\/api\/v1\/(recommendations|officers\/[^/]+\/sessions.*))$/;

/** Whether a request may be sent again although it may have been carried out, as the portal decides for other replicas. */
function isRepeatable({ method, headers, url }: Request): boolean {
  if (method === 'POST') return headers.has('Idempotency-Key') || POSTED_AGAIN.test(new URL(url).pathname);
  return !headers.has('If-Match') && !headers.has('If-None-Match');
}

/** Whether a service says that it has done nothing for a request. */
async function isUntouched(answered: Response): Promise<boolean> {
  const problem = (await answered.clone().json().catch(() => null)) as { type?: string } | null;
  return problem?.type === '/problems/overloaded';
}

const isFile = (headers: Headers): boolean => (headers.get('Content-Type') ?? JSON_TYPE) !== JSON_TYPE;

/**
 * Send a request; it fails without an answer within 30 s. A service that cannot answer it for a moment is asked again
 * when it says so, for at most 10 s. A deletion that was sent again finds nothing if the first one was carried out.
 */
export async function patient(request: Request): Promise<Response> {
  const signal = AbortSignal.timeout(LONGEST_MS);
  if (isFile(request.headers)) return fetch(request, { signal });
  const last = Date.now() + AGAIN_MS;
  for (let again = false; ; again = true) {
    const answered = await fetch(request.clone(), { signal });
    if (again && request.method === 'DELETE' && answered.status === 404) return new Response(null, { status: 204 });
    const wait = 1000 * Number(answered.headers.get('Retry-After') ?? Infinity);
    if (answered.status !== 503 || Date.now() + wait > last) return answered;
    if (!isRepeatable(request) && !(await isUntouched(answered))) return answered;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
const options = { credentials: 'same-origin', cache: 'no-store', fetch: patient } as const;
/** The portal itself. */
export const own = createClient<portal.paths>({ baseUrl: window.location.origin, ...options });
/** The services behind the portal. */
export const api = createClient<recommender.paths & catalog.paths & assessment.paths>({
  baseUrl: `${window.location.origin}/api`,
  ...options,
});

let whenSignedOut: () => void = () => undefined;

/** Call `handler` each time a service answers that the session has ended. */
export function onSignedOut(handler: () => void): void {
  whenSignedOut = handler;
}

/** Note the status of a response that a signed-in person got. */
export function noteStatus(status: number): void {
  if (status === 401) whenSignedOut();
}

api.use({ onResponse: ({ response }) => noteStatus(response.status) });
own.use({ onResponse: ({ response, schemaPath }) => (schemaPath === '/session' ? undefined : noteStatus(response.status)) }); // 401 there: a wrong key

interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Return the body of the answer. Throws ApiError. */
export async function answer<T>(request: Promise<Answered<T>>): Promise<T> {
  let answered: Answered<T>;
  try {
    answered = await request;
  } catch {
    throw new ApiError(0);
  }
  const { data, error, response } = answered;
  if (response.ok) return data as T;
  throw refusalOf(response.status, response.headers.get('X-Request-Id'), error);
}

/** Return the error of an answer with this status and body. */
export function refusalOf(status: number, requestId: string | null, body: unknown): ApiError {
  const problem = (typeof body === 'object' ? body : {}) as { detail?: string; field?: string; texts?: { th?: string; en?: string } } | null;
  return new ApiError(status, requestId ?? undefined, problem?.detail, problem?.field, problem?.texts);
}

const of = (officer_id: string) => ({ path: { officer_id } });

const digits = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** Return a new Idempotency-Key. (`randomUUID` needs HTTPS, this does not.) */
export const newKey = (): string => `page-${digits(crypto.getRandomValues(new Uint8Array(16)))}`;

/** Return a new random UUID (RFC 9562, version 4). */
export function newUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return digits(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Return who is signed in, null if nobody is, and how people may sign in without a key. */
export const readStart = () => answer(own.GET('/session/start'));

/** Sign in with an API key; return the session. */
export const signIn = (key: string) => answer(own.POST('/session', { body: { key } }));

/** Forget the key; `everywhere`: end the sign-ins of the same person on other devices too. */
export const signOut = (everywhere = false) => answer(own.DELETE('/session', { params: { query: { everywhere } } }));

/** Return a framework: its areas, skills, scale and job groups. */
export const readFramework = (framework_id: string) =>
  answer(api.GET('/v1/frameworks/{framework_id}', { params: { path: { framework_id } } }));

/** Return all frameworks that the tenant sees. */
export async function listFrameworks(): Promise<FrameworkSummary[]> {
  const found: FrameworkSummary[] = [];
  let after: string | null = '';
  while (after !== null) {
    const page: C['FrameworkList'] = await answer(api.GET('/v1/frameworks', { params: { query: { after, limit: 500 } } }));
    found.push(...page.frameworks);
    after = page.next;
  }
  return found;
}

/** Return an officer's profile. */
export const readOfficer = (officer: string) => answer(api.GET('/v1/officers/{officer_id}', { params: of(officer) }));

/** Change an officer's profile if it is still at `sequence`; otherwise throws ApiError 412. */
export const putOfficer = (officer: string, body: PutOfficer, sequence: number) =>
  answer(
    api.PUT('/v1/officers/{officer_id}', { params: { ...of(officer), header: { 'If-Match': `"${sequence}"` } }, body }),
  );

/** Start an adaptive session, or continue the open one, which may have been started on another device. */
export async function startSession(officer: string): Promise<SessionStep> {
  try {
    return await answer(api.POST('/v1/officers/{officer_id}/sessions', { params: of(officer), body: {} }));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
  }
  // one is open that was started otherwise
  const { sessions } = await answer(api.GET('/v1/officers/{officer_id}/sessions', { params: of(officer) }));
  const open = sessions.find((session) => session.status === 'open');
  if (!open) throw new ApiError(409);
  return readSession(officer, open.session);
}

/** Return the state of a session: its next item, or its result. */
export const readSession = (officer_id: string, session_id: string): Promise<SessionStep> =>
  answer(api.GET('/v1/officers/{officer_id}/sessions/{session_id}', { params: { path: { officer_id, session_id } } }));

/** Answer the present item of a session; the same answer again changes nothing. */
export const answerItem = (officer_id: string, session_id: string, body: A['SubmitAnswer']) =>
  answer(
    api.POST('/v1/officers/{officer_id}/sessions/{session_id}/answers', {
      params: { path: { officer_id, session_id } },
      body,
    }),
  );

/** End a session; what it measured so far counts. */
export const stopSession = (officer_id: string, session_id: string) =>
  answer(
    api.POST('/v1/officers/{officer_id}/sessions/{session_id}:stop', { params: { path: { officer_id, session_id } } }),
  );

/** Return an officer's current statements about courses. */
export const readFeedback = (officer: string) =>
  answer(api.GET('/v1/officers/{officer_id}/feedback', { params: of(officer) }));

/** Send feedback about a course; sent again under the same `key`, it counts once. */
export const giveFeedback = (officer: string, body: R['GiveFeedback'], key: string) =>
  answer(
    api.POST('/v1/officers/{officer_id}/feedback', { params: { ...of(officer), header: { 'Idempotency-Key': key } }, body }),
  );

/** Return an officer's path as it is stored, with the alternatives of its steps. */
export const readPath = (officer: string) =>
  answer(api.GET('/v1/officers/{officer_id}/path', { params: { ...of(officer), query: { lang: WORDS } } }));

/** Return why a course is not in an officer's path. */
export const whyNot = (officer_id: string, course_id: string) =>
  answer(
    api.GET('/v1/officers/{officer_id}/path/why-not/{course_id}', {
      params: { path: { officer_id, course_id }, query: { lang: WORDS } },
    }),
  );

/** Return the courses that teach most like this one, none of them in the officer's path. */
export const similarCourses = (officer: string, course_id: string) =>
  answer(api.GET('/v1/courses/{course_id}/similar', { params: { path: { course_id }, query: { officer, limit: 3 } } }));

/** Return the path for a request; nothing is stored. */
export const recommend = (body: WhatIf) =>
  answer(api.POST('/v1/recommendations', { params: { query: { lang: WORDS } }, body }));

/** Return the courses that teach a skill, at most `most`. */
export async function coursesTeaching(framework: string, skill: string, most = 2000): Promise<Course[]> {
  const found: Course[] = [];
  let after: string | null = '';
  while (after !== null && found.length < most) {
    const page: { courses: Course[]; next: string | null } = await answer(
      api.GET('/v1/courses', { params: { query: { framework, skill, limit: 500, after } } }),
    );
    found.push(...page.courses.map(({ id, title, hours }) => ({ id, title, hours })));
    after = page.next;
  }
  return found;
}

/** Return an officer's latest 500 assessments. */
export const readAssessments = (officer: string) =>
  answer(api.GET('/v1/officers/{officer_id}/assessments', { params: { ...of(officer), query: { limit: 500 } } }));

/** Return an officer's levels according to the assessments taken by a time. */
export const readProfileAt = (officer: string, at: string) =>
  answer(api.GET('/v1/officers/{officer_id}/profile', { params: { ...of(officer), query: { at } } }));

/** Return the paths that an officer was given, the newest first, in short. */
export const readPaths = (officer: string, limit: number) =>
  answer(api.GET('/v1/officers/{officer_id}/paths', { params: { ...of(officer), query: { limit } } }));

/** Make a share link that works for some days; its key is returned this once. */
export const createShare = (officer: string, days: number) =>
  answer(api.POST('/v1/officers/{officer_id}/shares', { params: of(officer), body: { days } }));

/** Return an officer's open share links. */
export const readShares = (officer: string) => answer(api.GET('/v1/officers/{officer_id}/shares', { params: of(officer) }));

/** End a share link. */
export const endShare = (officer_id: string, share_id: string) =>
  answer(api.DELETE('/v1/officers/{officer_id}/shares/{share_id}', { params: { path: { officer_id, share_id } } }));

/** Return whose paths supervisors may read. */
export const readSupervision = () => answer(api.GET('/v1/supervision'));
