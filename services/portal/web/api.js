/** Requests to the portal. The API key is kept in the cookie only. */

const LONGEST = 30000; // ms: nobody waits longer than this for an answer

/** A response other than success; `status` 0 means no response. */
export class ApiError extends Error {
  constructor(status, requestId) {
    super(`answer ${status}`);
    this.status = status;
    this.requestId = requestId;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path,
      { credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(LONGEST), ...options });
  } catch {
    throw new ApiError(0);
  }
  if (!answer.ok) throw new ApiError(answer.status, answer.headers.get('X-Request-Id') ?? undefined);
  return answer.status === 204 ? undefined : answer.json();
}

const sent = (method, body, headers = {}) =>
  ({ method, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
const WORDS = 'lang=th,en'; // both, whatever the browser prefers: the page changes its language without asking again
const of = (id) => `/api/v1/officers/${encodeURIComponent(id)}`;

/** Return {tenant, role, officer} of who is signed in. Throws ApiError 401 where nobody is. */
export const session = () => ask('/session');

/** Sign in with an API key; returns the session. */
export const signIn = (key) => ask('/session', sent('POST', { key }));

/** Forget the key. */
export const signOut = () => ask('/session', { method: 'DELETE' });

/** Return a framework: its areas, skills, scale and job groups. */
export const framework = (id) => ask(`/api/v1/frameworks/${encodeURIComponent(id)}`);

/** Return an officer's profile. */
export const officer = (id) => ask(of(id));

/** Change an officer's profile, if it still is at `sequence`; ApiError 412 where it is not. */
export const putOfficer = (id, profile, sequence) => ask(of(id), sent('PUT', profile, { 'If-Match': `"${sequence}"` }));

/** Return an officer's current statements about courses. */
export const feedback = (id) => ask(`${of(id)}/feedback`);

/** Send feedback about a course; sent again under the same `key`, it counts once. */
export const giveFeedback = (id, statement, key) => ask(`${of(id)}/feedback`, sent('POST', statement, { 'Idempotency-Key': key }));

/** Return an officer's path as it is stored, with the alternatives of its steps. */
export const path = (id) => ask(`${of(id)}/path?${WORDS}`);

/** Return why a course is not in an officer's path. */
export const whyNot = (id, course) => ask(`${of(id)}/path/why-not/${encodeURIComponent(course)}?${WORDS}`);

/** Return the courses that teach most like this one, none of them in the officer's path. */
export const similar = (id, course) =>
  ask(`/api/v1/courses/${encodeURIComponent(course)}/similar?${new URLSearchParams({ officer: id, limit: '3' })}`);

/** Return the path for a request; nothing is stored. */
export const recommend = (wish) => ask(`/api/v1/recommendations?${WORDS}`, sent('POST', wish));

/** Return the courses that teach a skill, at most `most`. */
export async function coursesTeaching(frameworkId, skill, most = 2000) {
  const found = [];
  let after = '';
  while (after !== null && found.length < most) {
    const query = new URLSearchParams({ framework: frameworkId, skill, limit: '500', after });
    const page = await ask(`/api/v1/courses?${query}`);
    found.push(...page.courses);
    after = page.next;
  }
  return found;
}
